"""Models: fetched, checked and laid out once each. From the config to `models/` in the store."""


def model_files(wildcards):
    """The files of a local model, so that a change in them is seen; none for one that is fetched."""
    source = settings.models[model_folders[wildcards.folder]].source
    if not source.startswith("path:"):
        return []
    return sorted(
        str(path)
        for path in Path(source.removeprefix("path:")).expanduser().glob("*")
        if path.is_file()
    )


def model_name(wildcards):
    """The name in the config of the model in a folder of the store."""
    return model_folders[wildcards.folder]


def model_source(wildcards):
    """Where the model in a folder of the store comes from, as JSON."""
    return settings.models[model_name(wildcards)].as_json()


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
        code=code_of("prepare_model"),
    shell:
        "python scripts/prepare_model.py"
        " --name {params.name:q} --settings {params.source:q} --identity {output.identity:q}"
        " 2> >(tee {log:q} >&2)"
