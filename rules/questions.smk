"""Questions: from a constitution to questions that bear on its traits, split into train and held out."""


rule generate_questions:
    """Collect hand-written, generated and everyday questions, and split them."""
    input:
        constitution=constitution_file,
        model=identity_of("teacher"),
    output:
        questions="results/{run}/questions/{constitution}.parquet",
        counts="results/{run}/questions/{constitution}.json",
        used="results/{run}/questions/{constitution}/used/generate_questions.txt",
    log:
        "logs/{run}/questions/{constitution}/generate_questions.log",
    benchmark:
        "benchmarks/{run}/questions/{constitution}/generate_questions.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        **resources_of("generate_questions", "teacher"),
    params:
        traits=constitution_of("traits"),
        settings=settings_of("questions"),
        model=settings_of("teacher"),
        seed=settings_of("data_seed"),
        code=code_of("generate_questions"),
        prompts=prompts_of("generate_questions"),
    shell:
        "python scripts/generate_questions.py"
        " --constitution {input.constitution:q} --model {input.model:q}"
        " --settings {params.settings:q} --seed {params.seed}"
        " --questions {output.questions:q} --counts {output.counts:q}"
        " --used {output.used:q}"
        " 2> >(tee {log:q} >&2)"
