"""Judges judged: what judges character, compared with pairs that were labelled by people."""

from ethos.evaluation_settings import Intervals


rule evaluate_judges:
    """Compare preference model, likelihood ratio and judge with labelled pairs, and with each other."""
    input:
        constitution=constitution_file,
        others=others_of(labelled),
        student=identity_of("student"),
        judge=identity_of("judge"),
        preference_model="results/{run}/{student}/{constitution}/seed{seed}/preference_model/adapter_model.safetensors",
    output:
        judgements="results/{run}/{student}/{constitution}/seed{seed}/evaluations/judgements.parquet",
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/judges.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/evaluate_judges.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/evaluate_judges.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/evaluate_judges.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("evaluate_judges", "student", "judge"),
    params:
        traits=constitution_of("traits"),
        others=others_as_options(labelled, "traits"),
        settings=settings_of("evaluation.judges"),
        intervals=settings_of("evaluation", Intervals),
        precision=settings_of("preference_model.precision"),
        max_tokens=settings_of("preference_model.max_tokens"),
        code=code_of("evaluate_judges"),
        prompts=prompts_of("evaluate_judges"),
    shell:
        "python scripts/evaluate_judges.py"
        " --constitution {input.constitution:q} {params.others}"
        " --student {input.student:q} --judge {input.judge:q}"
        " --preference-model {input.preference_model:q}"
        " --precision {params.precision} --max-tokens {params.max_tokens}"
        " --settings {params.settings:q} --intervals {params.intervals:q} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --judgements {output.judgements:q} --metrics {output.metrics:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"
