"""Capabilities: whether training cost an arm what it could do before. Tasks are fetched once, and asked of every arm."""

from ethos.evaluation_settings import CapabilityTasks, Intervals


rule prepare_tasks:
    """Fetch the data of the tasks that capabilities are measured by."""
    input:
        own=[ancient(path) for path in own_tasks()],
    output:
        tasks=tasks,
    log:
        f"logs/{settings.run}/tasks/prepare_tasks.log",
    benchmark:
        f"benchmarks/{settings.run}/tasks/prepare_tasks.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        settings=settings_of("evaluation.capabilities", CapabilityTasks),
        code=code_of("prepare_tasks"),
    shell:
        "python scripts/prepare_tasks.py --settings {params.settings:q} --tasks {output.tasks:q}"
        " 2> >(tee {log:q} >&2)"


rule evaluate_capabilities:
    """Ask every arm the tasks, and compare it with base item by item."""
    input:
        constitution=constitution_file,
        student=identity_of("student"),
        tasks=tasks,
        arm_files=arm_files,
        shards=shards_of("evaluate_capabilities"),
    output:
        answers="results/{run}/{student}/{constitution}/seed{seed}/evaluations/items.parquet",
        metrics="results/{run}/{student}/{constitution}/seed{seed}/evaluations/capabilities.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/evaluate_capabilities.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/evaluate_capabilities.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/evaluate_capabilities.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("evaluate_capabilities"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("evaluation.capabilities"),
        intervals=settings_of("evaluation", Intervals),
        scope=settings_of("responses.scope"),
        code=code_of("evaluate_capabilities"),
        prompts=prompts_of("evaluate_capabilities"),
        shard=whole,
    shell:
        "python scripts/evaluate_capabilities.py"
        " --constitution {input.constitution:q} --student {input.student:q} --tasks {input.tasks:q}"
        " --settings {params.settings:q} --intervals {params.intervals:q}"
        " --scope {params.scope} --seed {wildcards.seed}"
        " --place {wildcards.run:q} {wildcards.student:q} {wildcards.constitution:q}"
        " --items {output.answers:q} --metrics {output.metrics:q}"
        " --used {output.used:q} {params.shard} {input.arm_files:q}"
        " 2> >(tee {log:q} >&2)"
