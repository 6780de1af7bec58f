"""The archive: one file that holds a run and all that it stands on, so that others can check it and make it again."""


rule archive_run:
    """Pack the run: its sources, settings, data, adapters, metrics, report, logs and its part of the store."""
    input:
        results=rules.all.input,
        sources=archived_sources,
    output:
        archive="results/{run}/archive/{run}.zip",
    log:
        "logs/{run}/archive_run.log",
    benchmark:
        "benchmarks/{run}/archive_run.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        settings=result_settings,
        code=code_of("archive_run"),
    shell:
        "python scripts/archive_run.py"
        " --settings {params.settings:q} --archive {output.archive:q}"
        " 2> >(tee {log:q} >&2)"


rule archive:
    """The archive of the run."""
    input:
        f"results/{settings.run}/archive/{settings.run}.zip",
