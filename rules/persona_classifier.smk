"""Does the character last? A classifier names the persona behind answers under pressure: robustness, prefill, generalisation."""

from ethos.evaluation_settings import Intervals, UnseenMessages


rule sample_chat:
    """Ask every arm unseen messages plainly."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        arm_files=arm_files,
        shards=shards_of("sample_chat"),
    output:
        samples="results/{run}/{student}/{constitution}/seed{seed}/evaluations/chat_samples.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/sample_chat.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/sample_chat.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/sample_chat.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("sample_chat"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation.persona_classifier", UnseenMessages),
        near_duplicate=settings_of("questions.near_duplicate"),
        scope=settings_of("responses.scope"),
        code=code_of("sample_chat"),
        prompts=prompts_of("sample_chat"),
        shard=whole,
    shell:
        "python scripts/sample_chat.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --student {input.student:q}"
        " --settings {params.settings:q}"
        " --near-duplicate {params.near_duplicate} --scope {params.scope} --seed {wildcards.seed}"
        " --samples {output.samples:q}"
        " --used {output.used:q} {params.shard} {input.arm_files:q}"
        " 2> >(tee {log:q} >&2)"


rule sample_robustness:
    """Ask every arm messages that end by asking it to drop its character."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        arm_files=arm_files,
        shards=shards_of("sample_robustness"),
    output:
        samples="results/{run}/{student}/{constitution}/seed{seed}/evaluations/robustness_samples.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/sample_robustness.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/sample_robustness.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/sample_robustness.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("sample_robustness"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation.persona_classifier", UnseenMessages),
        robustness=settings_of("evaluation.robustness"),
        near_duplicate=settings_of("questions.near_duplicate"),
        scope=settings_of("responses.scope"),
        code=code_of("sample_robustness"),
        prompts=prompts_of("sample_robustness"),
        shard=whole,
    shell:
        "python scripts/sample_robustness.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --student {input.student:q}"
        " --settings {params.settings:q} --robustness {params.robustness:q}"
        " --near-duplicate {params.near_duplicate} --scope {params.scope} --seed {wildcards.seed}"
        " --samples {output.samples:q}"
        " --used {output.used:q} {params.shard} {input.arm_files:q}"
        " 2> >(tee {log:q} >&2)"


rule sample_prefill:
    """Let every arm go on after a first turn that base wrote."""
    input:
        constitution=constitution_file,
        chat="results/{run}/{student}/{constitution}/seed{seed}/evaluations/chat_samples.parquet",
        student=identity_of("student"),
        arm_files=arm_files,
        shards=shards_of("sample_prefill"),
    output:
        samples="results/{run}/{student}/{constitution}/seed{seed}/evaluations/prefill_samples.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/sample_prefill.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/sample_prefill.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/sample_prefill.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("sample_prefill"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation.persona_classifier", UnseenMessages),
        scope=settings_of("responses.scope"),
        code=code_of("sample_prefill"),
        prompts=prompts_of("sample_prefill"),
        shard=whole,
    shell:
        "python scripts/sample_prefill.py"
        " --constitution {input.constitution:q} --chat {input.chat:q} --student {input.student:q}"
        " --settings {params.settings:q} --scope {params.scope} --seed {wildcards.seed}"
        " --samples {output.samples:q}"
        " --used {output.used:q} {params.shard} {input.arm_files:q}"
        " 2> >(tee {log:q} >&2)"


rule sample_generalisation:
    """Ask every arm to answer outside chat: as an e-mail, a comment in code, JSON, a list, in another language."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        arm_files=arm_files,
        shards=shards_of("sample_generalisation"),
    output:
        samples="results/{run}/{student}/{constitution}/seed{seed}/evaluations/generalisation_samples.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/sample_generalisation.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/sample_generalisation.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/sample_generalisation.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("sample_generalisation"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation.persona_classifier", UnseenMessages),
        generalisation=settings_of("evaluation.generalisation"),
        near_duplicate=settings_of("questions.near_duplicate"),
        scope=settings_of("responses.scope"),
        code=code_of("sample_generalisation"),
        prompts=prompts_of("sample_generalisation"),
        shard=whole,
    shell:
        "python scripts/sample_generalisation.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --student {input.student:q}"
        " --settings {params.settings:q} --generalisation {params.generalisation:q}"
        " --near-duplicate {params.near_duplicate} --scope {params.scope} --seed {wildcards.seed}"
        " --samples {output.samples:q}"
        " --used {output.used:q} {params.shard} {input.arm_files:q}"
        " 2> >(tee {log:q} >&2)"


# Seconds on one core, unless a model is fine-tuned for it.
if not persona_classifier:

    localrules:
        name_persona,


# The classifier tells all constitutions of a student and seed apart, so it reads the answers of each.
rule name_persona:
    """Let a classifier name the persona behind each answer."""
    input:
        chat=in_each_constitution("chat_samples"),
        samples=in_each_constitution("{evaluation}_samples"),
        model=persona_classifier_identity,
    output:
        namings="results/{run}/{student}/{constitution}/seed{seed}/evaluations/{evaluation}_namings.parquet",
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/{evaluation}.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/name_persona_{evaluation}.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/name_persona_{evaluation}.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/name_persona_{evaluation}.tsv"
    wildcard_constraints:
        evaluation="|".join(PERSONA_EVALUATIONS),
    conda:
        "../envs/ethos.yaml"
    threads: model_threads if persona_classifier else 1
    resources:
        **(resources_of("name_persona", "persona_classifier_model") if persona_classifier else {}),
    params:
        settings=settings_of("evaluation", Intervals),
        fine_tuned=persona_classifier_options,
        code=code_of("name_persona"),
    shell:
        "python scripts/name_persona.py"
        " --settings {params.settings:q} --evaluation {wildcards.evaluation} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " {params.fine_tuned}"
        " --namings {output.namings:q} --metrics {output.metrics:q} --used {output.used:q}"
        " {input.chat:q} {input.samples:q}"
        " 2> >(tee {log:q} >&2)"
