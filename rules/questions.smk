"""Questions: from a constitution to questions that bear on its traits, split into train and held out."""


rule generate_questions:
    """Collect hand-written, generated and everyday questions, and split them."""
    input:
        constitution=constitution_file,
        model=identity_of("teacher"),
    output:
        questions="results/{run}/questions/{constitution}.parquet",
        counts="results/{run}/questions/{constitution}.json",
    log:
        "logs/{run}/questions/{constitution}/generate_questions.log",
    benchmark:
        "benchmarks/{run}/questions/{constitution}/generate_questions.tsv"
    conda:
        "../envs/ethos.yaml"
    threads: model_threads
    resources:
        gpu=gpus,
    params:
        traits=canonical_constitution,
        settings=settings_of("questions"),
        seed=settings.data_seed,
        code=fingerprint_of("generate_questions"),
        prompts=prompts_of("generate_questions"),
    shell:
        "python scripts/generate_questions.py"
        " --constitution {input.constitution:q} --model {input.model:q}"
        " --settings {params.settings:q} --seed {params.seed}"
        " --questions {output.questions:q} --counts {output.counts:q}"
        " 2> >(tee {log:q} >&2)"
