"""Revealed preferences: which of two single-word traits shows in each arm's answers."""


rule evaluate_preferences:
    """Offer each arm two single-word traits, and see which one its answer shows."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        judge=identity_of(preferences_role),
        arm_files=arm_files,
        shards=shards_of("evaluate_preferences", preferences_role),
    output:
        matches="results/{run}/{student}/{constitution}/seed{seed}/evaluations/matches.parquet",
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/preferences.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/evaluate_preferences.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/evaluate_preferences.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/evaluate_preferences.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("evaluate_preferences", "student", preferences_role),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation.preferences"),
        judge=judge_of_preferences,
        confidence=settings_of("evaluation.confidence"),
        near_duplicate=settings_of("questions.near_duplicate"),
        scope=settings_of("responses.scope"),
        code=code_of("evaluate_preferences"),
        prompts=prompts_of("evaluate_preferences"),
        shard=whole,
    shell:
        "python scripts/evaluate_preferences.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --student {input.student:q}"
        " --judge {input.judge:q} --judge-name {params.judge:q}"
        " --settings {params.settings:q} --confidence {params.confidence}"
        " --near-duplicate {params.near_duplicate} --scope {params.scope} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --matches {output.matches:q} --metrics {output.metrics:q}"
        " --used {output.used:q} {params.shard} {input.arm_files:q}"
        " 2> >(tee {log:q} >&2)"


rule compare_students:
    """Correlate each arm's revealed preferences with those of the same arm of the other students."""
    input:
        preferences="results/{run}/{student}/{constitution}/seed{seed}/evaluations/preferences.parquet",
        others=other_preferences,
    output:
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/students.parquet",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/compare_students.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/compare_students.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        others=other_options,
        settings=settings_of("evaluation.preferences"),
        confidence=settings_of("evaluation.confidence"),
        code=code_of("compare_students"),
    shell:
        "python scripts/compare_students.py"
        " --preferences {input.preferences:q} {params.others}"
        " --settings {params.settings:q} --confidence {params.confidence} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --metrics {output.metrics:q}"
        " 2> >(tee {log:q} >&2)"
