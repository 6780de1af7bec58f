"""Contributions: one arm is trained again without each trait in turn, and all answer the same held-out questions."""

from ethos.evaluation_settings import ArmSampling, Intervals


localrules:
    leave_out_trait,


# Its questions are the whole constitution's without the trait's own: what is measured must not train.
ruleorder: leave_out_trait > generate_questions


rule leave_out_trait:
    """Take a trait, its text and its questions, out of a constitution."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
    output:
        constitution="results/{run}/constitutions/{constitution}-without-{trait}/{constitution}.yaml",
        questions="results/{run}/questions/{constitution}-without-{trait}.parquet",
    log:
        "logs/{run}/constitutions/{constitution}-without-{trait}/leave_out_trait.log",
    benchmark:
        "benchmarks/{run}/constitutions/{constitution}-without-{trait}/leave_out_trait.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        traits=constitution_of("traits"),
        cues=constitution_of("cues"),
        code=code_of("leave_out_trait"),
    shell:
        "python scripts/leave_out_trait.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --trait {wildcards.trait}"
        " --constitution-without {output.constitution:q} --questions-without {output.questions:q}"
        " 2> >(tee {log:q} >&2)"


rule measure_contributions:
    """Compare an arm with itself trained without each trait, question by question."""
    input:
        constitution=constitution_file,
        questions="results/{run}/questions/{constitution}.parquet",
        student=identity_of("student"),
        whole=contribution_adapter("{constitution}"),
        without=[contribution_adapter(variant) for variant in variants],
    output:
        samples="results/{run}/{student}/{constitution}/seed{seed}/evaluations/contribution_samples.parquet",
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/contributions.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/measure_contributions.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/measure_contributions.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/measure_contributions.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("measure_contributions"),
    params:
        traits=constitution_of("traits"),
        cues=constitution_of("cues"),
        arm=settings_of("contributions.arm"),
        settings=settings_of("evaluation", Intervals),
        sampling=settings_of("evaluation", ArmSampling),
        scope=settings_of("responses.scope"),
        code=code_of("measure_contributions"),
        prompts=prompts_of("measure_contributions"),
    shell:
        "python scripts/measure_contributions.py"
        " --constitution {input.constitution:q} --questions {input.questions:q} --student {input.student:q}"
        " --arm {params.arm} --whole {input.whole:q}"
        " --settings {params.settings:q} --sampling {params.sampling:q}"
        " --scope {params.scope} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --samples {output.samples:q} --metrics {output.metrics:q}"
        " --used {output.used:q} {input.without:q}"
        " 2> >(tee {log:q} >&2)"
