"""Drift: what training one character does to the traits of others."""

from ethos.evaluation_settings import ArmSampling, Intervals


rule evaluate_drift:
    """Let arms of one character answer the questions of others, and measure the traits of these."""
    input:
        constitution=constitution_file,
        others=others_of(drifted_to),
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        arm_files=arm_files,
    output:
        samples="results/{run}/{student}/{constitution}/seed{seed}/evaluations/drift_samples.parquet",
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/drift.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/evaluate_drift.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/evaluate_drift.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/evaluate_drift.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("evaluate_drift"),
    params:
        traits=constitution_of("traits"),
        others=others_as_options(drifted_to, "traits", "cues"),
        settings=settings_of("evaluation.drift"),
        sampling=settings_of("evaluation", ArmSampling),
        intervals=settings_of("evaluation", Intervals),
        near_duplicate=settings_of("questions.near_duplicate"),
        scope=settings_of("responses.scope"),
        code=code_of("evaluate_drift"),
        prompts=prompts_of("evaluate_drift"),
    shell:
        "python scripts/evaluate_drift.py"
        " --constitution {input.constitution:q} {params.others} --questions {input.questions:q}"
        " --student {input.student:q}"
        " --settings {params.settings:q} --sampling {params.sampling:q} --intervals {params.intervals:q}"
        " --near-duplicate {params.near_duplicate} --scope {params.scope} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --samples {output.samples:q} --metrics {output.metrics:q}"
        " --used {output.used:q} {input.arm_files:q}"
        " 2> >(tee {log:q} >&2)"
