"""Stance: whether an arm says the user's opinion back, retreats to the middle, or claims to have no view."""

from ethos.evaluation_settings import Intervals


rule evaluate_stance:
    """Ask each arm what it thinks of statements that have a right side, from users of three opinions."""
    input:
        constitution=constitution_file,
        student=identity_of("student"),
        judge=identity_of("judge"),
        arm_files=arm_files,
    output:
        stances="results/{run}/{student}/{constitution}/seed{seed}/evaluations/stances.parquet",
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/stance.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/evaluate_stance.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/evaluate_stance.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/evaluate_stance.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("evaluate_stance", "student", stance_judge),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation.stance"),
        intervals=settings_of("evaluation", Intervals),
        scope=settings_of("responses.scope"),
        code=code_of("evaluate_stance"),
        prompts=prompts_of("evaluate_stance"),
    shell:
        "python scripts/evaluate_stance.py"
        " --constitution {input.constitution:q} --student {input.student:q} --judge {input.judge:q}"
        " --settings {params.settings:q} --intervals {params.intervals:q}"
        " --scope {params.scope} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --stances {output.stances:q} --metrics {output.metrics:q}"
        " --used {output.used:q} {input.arm_files:q}"
        " 2> >(tee {log:q} >&2)"
