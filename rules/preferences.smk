"""Revealed preferences: which of two single-word traits shows in each arm's answers."""

# Who says which trait shows: the judge in words, or the student by likelihood.
preferences_role = "judge" if settings.evaluation.preferences.verdict == "judge" else "student"


def judge_of_preferences(wildcards):
    """The name of the model that says which trait shows."""
    if preferences_role == "student":
        return wildcards.student
    return Parameter(settings.judge, settings={"judge": settings.judge})


def other_students(wildcards):
    """The run's students but the one of the wildcards."""
    return [name for name in settings.students if name != wildcards.student]


def other_preferences(wildcards):
    """The revealed preferences of the other students, in their order."""
    return [
        f"results/{wildcards.run}/{name}/{wildcards.constitution}/seed{wildcards.seed}/evaluations/preferences.parquet"
        for name in other_students(wildcards)
    ]


def other_options(wildcards):
    """Names and files of the other students' preferences, as options."""
    pairs = zip(other_students(wildcards), other_preferences(wildcards))
    return " ".join(f"--other {name} {path}" for name, path in pairs)


rule evaluate_preferences:
    """Offer each arm two single-word traits, and see which one its answer shows."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        judge=identity_of(preferences_role),
        arm_files=arm_files,
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
        **resources_of("evaluate_preferences", preferences_role),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation.preferences"),
        judge=judge_of_preferences,
        confidence=settings_of("evaluation.confidence"),
        scope=settings_of("responses.scope"),
        code=code_of("evaluate_preferences"),
        prompts=prompts_of("evaluate_preferences"),
    shell:
        "python scripts/evaluate_preferences.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --student {input.student:q}"
        " --judge {input.judge:q} --judge-name {params.judge:q}"
        " --settings {params.settings:q} --confidence {params.confidence}"
        " --scope {params.scope} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --matches {output.matches:q} --metrics {output.metrics:q}"
        " --used {output.used:q} {input.arm_files:q}"
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
