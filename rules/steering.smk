"""Activation steering: a direction from contrasting prompts, added to the student's activations; nothing is trained."""


rule find_steering_vector:
    """Find the direction of the character in the student's activations, and how strongly to add it behind which layer."""
    input:
        constitution=constitution_file,
        responses="results/{run}/{student}/{constitution}/responses.parquet",
        student=identity_of("student"),
    output:
        vector="results/{run}/{student}/{constitution}/seed{seed}/steered/steering_vector.safetensors",
        directions="results/{run}/{student}/{constitution}/seed{seed}/steered/directions.safetensors",
        grid="results/{run}/{student}/{constitution}/seed{seed}/steered/grid.parquet",
        used="results/{run}/{student}/{constitution}/seed{seed}/used/find_steering_vector.txt",
    log:
        "logs/{run}/{student}/{constitution}/seed{seed}/find_steering_vector.log",
    benchmark:
        "benchmarks/{run}/{student}/{constitution}/seed{seed}/find_steering_vector.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("find_steering_vector"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("steering"),
        scope=settings_of("responses.scope"),
        code=code_of("find_steering_vector"),
        prompts=prompts_of("find_steering_vector"),
    shell:
        "python scripts/find_steering_vector.py"
        " --constitution {input.constitution:q} --responses {input.responses:q} --student {input.student:q}"
        " --settings {params.settings:q} --scope {params.scope} --seed {wildcards.seed}"
        " --vector {output.vector:q} --directions {output.directions:q} --grid {output.grid:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"
