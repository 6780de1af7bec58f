"""Models: fetched, checked and laid out once each. From the config to `models/` in the store."""


rule prepare_model:
    """Fetch a model, check its hash, and write it as a normal model folder with its identity."""
    input:
        files=model_files,
    output:
        identity=f"{store}/models/{{folder}}/identity.json",
    log:
        f"logs/{settings.run}/models/{{folder}}/prepare_model.log",
    benchmark:
        f"benchmarks/{settings.run}/models/{{folder}}/prepare_model.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        name=model_name,
        source=model_source,
        classifies=model_classifies,
        code=code_of("prepare_model"),
    shell:
        "python scripts/prepare_model.py"
        " --name {params.name:q} --settings {params.source:q} {params.classifies}"
        " --identity {output.identity:q}"
        " 2> >(tee {log:q} >&2)"
