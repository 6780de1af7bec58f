"""Evaluation on held-out questions: every arm answers them; measures and comparisons, one long table."""

from ethos.evaluation_settings import ArmSampling, Intervals


rule sample_arms:
    """Let every arm answer the held-out questions."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        arm_files=arm_files,
        shards=shards_of("sample_arms"),
    output:
        samples="results/{run}/{student}/{constitution}/seed{seed}/evaluations/samples.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/sample_arms.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/sample_arms.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/sample_arms.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("sample_arms"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation", ArmSampling),
        scope=settings_of("responses.scope"),
        code=code_of("sample_arms"),
        prompts=prompts_of("sample_arms"),
        shard=whole,
    shell:
        "python scripts/sample_arms.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --student {input.student:q}"
        " --settings {params.settings:q} --scope {params.scope} --seed {wildcards.seed}"
        " --samples {output.samples:q}"
        " --used {output.used:q} {params.shard} {input.arm_files:q}"
        " 2> >(tee {log:q} >&2)"


rule evaluate_character:
    """Measure character and fluency of each arm, and compare arms question by question."""
    input:
        constitution=constitution_file,
        samples="results/{run}/{student}/{constitution}/seed{seed}/evaluations/samples.parquet",
        student=identity_of("student"),
        preference_model="results/{run}/{student}/{constitution}/seed{seed}/preference_model/adapter_model.safetensors",
    output:
        measures="results/{run}/{student}/{constitution}/seed{seed}/evaluations/measures.parquet",
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/character.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/evaluate_character.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/evaluate_character.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/evaluate_character.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("evaluate_character"),
    params:
        traits=constitution_of("traits"),
        cues=constitution_of("cues"),
        settings=settings_of("evaluation", Intervals),
        scope=settings_of("responses.scope"),
        precision=settings_of("preference_model.precision"),
        max_tokens=settings_of("preference_model.max_tokens"),
        code=code_of("evaluate_character"),
        prompts=prompts_of("evaluate_character"),
    shell:
        "python scripts/evaluate_character.py"
        " --constitution {input.constitution:q} --samples {input.samples:q} --student {input.student:q}"
        " --preference-model {input.preference_model:q}"
        " --precision {params.precision} --max-tokens {params.max_tokens}"
        " --settings {params.settings:q} --scope {params.scope} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --measures {output.measures:q} --metrics {output.metrics:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"


rule watch_alignment:
    """Measure the aligned student at snapshots of its training, to see whether the reward was over-optimised."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        measures="results/{run}/{student}/{constitution}/seed{seed}/evaluations/measures.parquet",
        aligned="results/{run}/{student}/{constitution}/seed{seed}/aligned/adapter_model.safetensors",
        history="results/{run}/{student}/{constitution}/seed{seed}/aligned/history.json",
        snapshots=snapshots,
        preference_model="results/{run}/{student}/{constitution}/seed{seed}/preference_model/adapter_model.safetensors",
    output:
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/overoptimisation.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/watch_alignment.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/watch_alignment.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/watch_alignment.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("watch_alignment"),
    params:
        traits=constitution_of("traits"),
        cues=constitution_of("cues"),
        sampling=settings_of("evaluation", ArmSampling),
        settings=settings_of("evaluation", Intervals),
        snapshots=settings_of("alignment.snapshots"),
        scope=settings_of("responses.scope"),
        precision=settings_of("preference_model.precision"),
        max_tokens=settings_of("preference_model.max_tokens"),
        code=code_of("watch_alignment"),
        prompts=prompts_of("watch_alignment"),
    shell:
        "python scripts/watch_alignment.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --student {input.student:q}"
        " --measures {input.measures:q} --aligned {input.aligned:q} --history {input.history:q}"
        " --snapshots {params.snapshots}"
        " --preference-model {input.preference_model:q}"
        " --precision {params.precision} --max-tokens {params.max_tokens}"
        " --sampling {params.sampling:q} --settings {params.settings:q}"
        " --scope {params.scope} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --metrics {output.metrics:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"


rule evaluate_preference_model:
    """Measure the preference model itself on held-out pairs."""
    input:
        pairs="results/{run}/{student}/{constitution}/pairs.parquet",
        rewards="results/{run}/{student}/{constitution}/seed{seed}/rewards.parquet",
        responses="results/{run}/{student}/{constitution}/responses.parquet",
    output:
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/preference_model.parquet",
        details="results/{run}/{student}/{constitution}/seed{seed}/evaluations/preference_model.json",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/evaluate_preference_model.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/evaluate_preference_model.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        settings=settings_of("evaluation", Intervals),
        judge=settings_of("judge"),
        code=code_of("evaluate_preference_model"),
    shell:
        "python scripts/evaluate_preference_model.py"
        " --pairs {input.pairs:q} --rewards {input.rewards:q} --responses {input.responses:q}"
        " --settings {params.settings:q} --judge {params.judge} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --metrics {output.metrics:q} --details {output.details:q}"
        " 2> >(tee {log:q} >&2)"
