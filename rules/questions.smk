"""Questions: from a constitution to questions that bear on its traits, split into train and held out."""


rule prepare_prompts:
    """Fetch messages from elsewhere, and keep the first user turns as a table."""
    input:
        file=prompts_file,
    output:
        prompts=f"{store}/prompts/{{prompts}}/prompts.parquet",
        counts=f"{store}/prompts/{{prompts}}/prompts.json",
    log:
        f"logs/{settings.run}/prompts/{{prompts}}/prepare_prompts.log",
    benchmark:
        f"benchmarks/{settings.run}/prompts/{{prompts}}/prepare_prompts.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        source=prompts_source,
        code=code_of("prepare_prompts"),
    shell:
        "python scripts/prepare_prompts.py"
        " --settings {params.source:q} --prompts {output.prompts:q} --counts {output.counts:q}"
        " 2> >(tee {log:q} >&2)"


rule generate_questions:
    """Collect hand-written, generated, everyday and extra questions, and split them."""
    input:
        constitution=constitution_file,
        model=identity_of("teacher"),
        extra=prompt_tables,
    output:
        questions="results/{run}/questions/{constitution}.parquet",
        counts="results/{run}/questions/{constitution}.json",
        used="results/{run}/questions/{constitution}/used/generate_questions.txt",
    log:
        "logs/{run}/questions/{constitution}/generate_questions.log",
    benchmark:
        "benchmarks/{run}/questions/{constitution}/generate_questions.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("generate_questions", "teacher"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("questions"),
        model=settings_of("teacher"),
        seed=settings_of("data_seed"),
        code=code_of("generate_questions"),
        prompts=prompts_of("generate_questions"),
    shell:
        "python scripts/generate_questions.py"
        " --constitution {input.constitution:q} --model {input.model:q}"
        " --settings {params.settings:q} --seed {params.seed}"
        " --questions {output.questions:q} --counts {output.counts:q}"
        " --used {output.used:q} {input.extra:q}"
        " 2> >(tee {log:q} >&2)"
