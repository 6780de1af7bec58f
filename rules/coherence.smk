"""Coherence: whose responses to held-out questions the judge finds more coherent."""

from ethos.evaluation_settings import Intervals


rule evaluate_coherence:
    """Compare one arm's responses to held-out questions with every other arm's, in both orders."""
    input:
        constitution=constitution_file,
        samples="results/{run}/{student}/{constitution}/seed{seed}/evaluations/samples.parquet",
        judge=identity_of("judge"),
        shards=shards_of("evaluate_coherence", "judge"),
    output:
        comparisons="results/{run}/{student}/{constitution}/seed{seed}/evaluations/comparisons.parquet",
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/coherence.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/evaluate_coherence.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/evaluate_coherence.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/evaluate_coherence.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("evaluate_coherence", "judge"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation.coherence"),
        intervals=settings_of("evaluation", Intervals),
        judge=settings_of("judge"),
        code=code_of("evaluate_coherence"),
        prompts=prompts_of("evaluate_coherence"),
        shard=whole,
    shell:
        "python scripts/evaluate_coherence.py"
        " --constitution {input.constitution:q} --samples {input.samples:q}"
        " --judge {input.judge:q} --judge-name {params.judge}"
        " --settings {params.settings:q} --intervals {params.intervals:q} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --comparisons {output.comparisons:q} --metrics {output.metrics:q}"
        " --used {output.used:q} {params.shard}"
        " 2> >(tee {log:q} >&2)"
