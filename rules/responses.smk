"""Responses: from questions to what teacher and student answer, in character and plain."""

from ethos.stage_settings import InCharacter


rule generate_responses:
    """Sample the student's responses: k in character to every question, and one plain."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        shards=shards_of("generate_responses"),
    output:
        responses="results/{run}/{student}/{constitution}/responses.parquet",
        counts="results/{run}/{student}/{constitution}/responses.json",
        used="results/{run}/{student}/{constitution}/used/generate_responses.txt",
    log:
        "logs/{run}/{student}/{constitution}/generate_responses.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/generate_responses.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("generate_responses"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("responses"),
        seed=settings_of("data_seed"),
        code=code_of("generate_responses"),
        prompts=prompts_of("generate_responses"),
        shard=whole,
    shell:
        "python scripts/generate_responses.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --student {input.student:q}"
        " --settings {params.settings:q} --seed {params.seed}"
        " --responses {output.responses:q} --counts {output.counts:q}"
        " --used {output.used:q} {params.shard}"
        " 2> >(tee {log:q} >&2)"


rule generate_teacher_responses:
    """Let the teacher answer the training questions in character."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        teacher=identity_of("teacher"),
        shards=shards_of("generate_teacher_responses", "teacher"),
    output:
        responses="results/{run}/teacher/{constitution}.parquet",
        counts="results/{run}/teacher/{constitution}.json",
        used="results/{run}/teacher/{constitution}/used/generate_teacher_responses.txt",
    log:
        "logs/{run}/teacher/{constitution}/generate_teacher_responses.log",
    benchmark:
        "benchmarks/{run}/teacher/{constitution}/generate_teacher_responses.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("generate_teacher_responses", "teacher"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("responses", InCharacter),
        per_question=settings_of("distillation.responses_per_question"),
        teacher=settings_of("teacher"),
        seed=settings_of("data_seed"),
        code=code_of("generate_teacher_responses"),
        prompts=prompts_of("generate_teacher_responses"),
        shard=whole,
    shell:
        "python scripts/generate_teacher_responses.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --teacher {input.teacher:q}"
        " --settings {params.settings:q} --per-question {params.per_question} --seed {params.seed}"
        " --responses {output.responses:q} --counts {output.counts:q}"
        " --used {output.used:q} {params.shard}"
        " 2> >(tee {log:q} >&2)"
