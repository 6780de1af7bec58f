"""The report: one page that shows what a run did, and the table behind every number in it."""


rule write_report:
    """Write the report and the table of all metrics."""
    input:
        questions=cells(
            "results/{run}/questions/{constitution}.parquet",
            "results/{run}/questions/{constitution}.json",
            "results/{run}/teacher/{constitution}.parquet",
            "results/{run}/teacher/{constitution}.json",
        ),
        responses=cells(
            "results/{run}/{student}/{constitution}/responses.parquet",
            "results/{run}/{student}/{constitution}/responses.json",
            "results/{run}/{student}/{constitution}/rankings.parquet",
            "results/{run}/{student}/{constitution}/rankings.json",
            "results/{run}/{student}/{constitution}/pairs.parquet",
        ),
        rankers=ranker_comparisons,
        trainings=cells(
            "results/{run}/{student}/{constitution}/seed{seed}/aligned/examples.parquet",
            "results/{run}/{student}/{constitution}/seed{seed}/shuffled/examples.parquet",
            "results/{run}/{student}/{constitution}/seed{seed}/distilled/pairs.parquet",
            "results/{run}/{student}/{constitution}/seed{seed}/distilled/pairs.json",
            "results/{run}/{student}/{constitution}/seed{seed}/preference_model/history.json",
            "results/{run}/{student}/{constitution}/seed{seed}/aligned/history.json",
            "results/{run}/{student}/{constitution}/seed{seed}/shuffled/history.json",
            "results/{run}/{student}/{constitution}/seed{seed}/distilled/history.json",
            "results/{run}/{student}/{constitution}/seed{seed}/introspection/history.json",
            "results/{run}/{student}/{constitution}/seed{seed}/introspection.json",
            "results/{run}/{student}/{constitution}/seed{seed}/steered/grid.parquet",
        ),
        evaluations=all_evaluation_tables(),
        namings=classifier_tables(),
        samples=cells(
            "results/{run}/{student}/{constitution}/seed{seed}/evaluations/samples.parquet",
            "results/{run}/{student}/{constitution}/seed{seed}/evaluations/preference_model.json",
        ),
        templates=report_templates,
    output:
        page=report(
            "results/{run}/report/index.html",
            caption="../report/captions/report.rst",
            category="Report",
        ),
        metrics=report(
            "results/{run}/report/metrics.csv",
            caption="../report/captions/metrics.rst",
            category="Metrics",
        ),
        questions=report(
            "results/{run}/report/questions.csv",
            caption="../report/captions/questions.rst",
            category="Data quality",
        ),
    log:
        "logs/{run}/write_report.log",
    benchmark:
        "benchmarks/{run}/write_report.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        settings=result_settings,
        code=code_of("write_report"),
    shell:
        "python scripts/write_report.py"
        " --settings {params.settings:q} --results results/{wildcards.run:q} --benchmarks benchmarks"
        " --page {output.page:q} --metrics {output.metrics:q} --questions {output.questions:q}"
        " 2> >(tee {log:q} >&2)"


rule record_run:
    """Record what the results stand on, so that export, chat and readers need no settings file."""
    input:
        constitutions=constitution_files,
        metrics="results/{run}/report/metrics.csv",
    output:
        record="results/{run}/run.json",
    log:
        "logs/{run}/record_run.log",
    benchmark:
        "benchmarks/{run}/record_run.tsv"
    conda:
        "../envs/ethos.yaml"
    params:
        settings=result_settings,
        constitutions=all_constitutions,
        code=code_of("record_run"),
    shell:
        "python scripts/record_run.py"
        " --settings {params.settings:q} --record {output.record:q} {input.constitutions:q}"
        " 2> >(tee {log:q} >&2)"
