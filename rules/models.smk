"""Models: fetched, checked and laid out once each. From the config to `store/models/{model}/`."""


rule prepare_model:
    """Fetch a model, check its hash, and write it as a normal model folder with its identity."""
    output:
        identity=model_identity("{model}"),
    log:
        "logs/models/{model}/prepare_model.log",
    benchmark:
        "benchmarks/models/{model}/prepare_model.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        source=model_source,
        code=fingerprint_of("prepare_model"),
    shell:
        "python scripts/prepare_model.py"
        " --name {wildcards.model:q} --settings {params.source:q} --identity {output.identity:q}"
        " 2> >(tee {log:q} >&2)"
