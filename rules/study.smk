"""A study: the metrics of every cell kept as CSV in `docs/`, and arms compared over seeds."""


localrules:
    study,
    write_study_cell,
    compare_seeds,


rule study:
    """What holds over seeds, for every claim of `ethos/study.py`."""
    input:
        f"docs/{settings.run}/claims.csv",


rule write_study_cell:
    """Write the metrics of one student, constitution and seed as CSV."""
    input:
        tables=cell_evaluation_tables,
    output:
        metrics=f"docs/{settings.run}/{{student}}-{{constitution}}-seed{{seed}}.csv",
    log:
        f"logs/{settings.run}/{{student}}/{{constitution}}/seed{{seed}}/write_study_cell.log",
    benchmark:
        f"benchmarks/{settings.run}/{{student}}/{{constitution}}/seed{{seed}}/write_study_cell.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        code=code_of("write_study_cell"),
    shell:
        "python scripts/write_study_cell.py --metrics {output.metrics:q} {input.tables:q}"
        " 2> >(tee {log:q} >&2)"


rule compare_seeds:
    """Compare arms over seeds, for every claim of the study."""
    input:
        cells=cells(f"docs/{settings.run}/{{student}}-{{constitution}}-seed{{seed}}.csv"),
    output:
        claims=f"docs/{settings.run}/claims.csv",
        levels=f"docs/{settings.run}/levels.csv",
        drift=f"docs/{settings.run}/drift.svg",
        figures=expand("docs/{run}/{name}.svg", run=settings.run, name=["claims", "levels"]),
    log:
        f"logs/{settings.run}/compare_seeds.log",
    benchmark:
        f"benchmarks/{settings.run}/compare_seeds.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        confidence=settings_of("evaluation.confidence"),
        code=code_of("compare_seeds"),
    shell:
        "python scripts/compare_seeds.py --confidence {params.confidence}"
        " --claims {output.claims:q} --levels {output.levels:q}"
        " --drift {output.drift:q} {input.cells:q}"
        " 2> >(tee {log:q} >&2)"
