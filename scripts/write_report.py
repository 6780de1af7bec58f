"""Write a run's report: one self-contained page, its figures, and every number in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from markupsafe import Markup

from ethos.cautions import cautions
from ethos.data_quality import QUESTION_FIELDS, as_row, question_quality
from ethos.drawing import COLOURS, Figure, for_page
from ethos.drift_report import METRICS as DRIFT_METRICS
from ethos.drift_report import drift_matrices
from ethos.files import whole_file
from ethos.metric_rows import json_for_page, rows_for_page
from ethos.over_seeds import drawn_by_seed
from ethos.report import csv_text, render_page, settings_as_yaml, versions
from ethos.report_figures import draw_figures
from ethos.report_values import cell_values, filter_values
from ethos.run_results import CellResults, read_cells
from ethos.script import WRITABLE, run, settings_option
from ethos.settings import Settings
from ethos.stance_report import MEASURES as STANCE_MEASURES
from ethos.tables import METRICS
from ethos.times import StageTime, stage_times

FOLDER = click.Path(file_okay=False, path_type=Path)
_SORTED_BY = ("run", "student", "constitution", "seed", "evaluation", "metric", "slice", "arm", "reference")


def metrics_csv(cells: Sequence[CellResults]) -> str:
    """All rows of tables.METRICS, sorted; those over several seeds, which have none, before those of each."""
    rows = [row for cell in cells for row in cell.all_metrics]
    rows.sort(key=lambda row: tuple((row[name] is not None, row[name]) for name in _SORTED_BY))
    return csv_text(rows, METRICS.names)


def questions_csv(cells: Sequence[CellResults], teacher: str) -> str:
    """The quality of every question, worst first in each student and constitution."""
    rows = [
        {"student": cell.student, "constitution": cell.constitution, **as_row(quality)}
        for cell in cells
        for quality in question_quality(cell, teacher)
    ]
    return csv_text(rows, ("student", "constitution", *QUESTION_FIELDS))


def write_page(
    cells: Sequence[CellResults], settings: Settings, stages: Sequence[StageTime], figures: Mapping[str, Figure]
) -> str:
    """The page as HTML; everything it shows is inside it."""
    values = [cell_values(cell, cells, settings) for cell in cells]
    rows = [row for cell in cells for row in cell.all_metrics]
    carried = rows_for_page(rows)
    return render_page(
        {
            "settings": settings,
            "settings_yaml": settings_as_yaml(settings),
            "headline": [value for value in values if value["results"].constitution == settings.headline],
            "cells": values,
            "cautions": cautions(settings, cells),
            "filters": filter_values(cells),
            "figures": {name: Markup(for_page(figure.svg, name, figure.about)) for name, figure in figures.items()},
            "tables": {name for name, figure in figures.items() if figure.rows},
            "rows": {"json": Markup(json_for_page(carried)), "shown": len(carried), "all": len(rows)},
            "drawn_by_seed": drawn_by_seed(settings),
            "drift": drift_matrices(cells, settings),
            "drift_metrics": DRIFT_METRICS,
            "stance_measures": STANCE_MEASURES,
            "colours": COLOURS,
            "stages": stages,
            "versions": versions(),
        }
    )


@click.command()
@settings_option(Settings)
@click.option("--results", type=FOLDER, required=True, help="Folder of the run's results, results/{run}.")
@click.option("--benchmarks", type=FOLDER, required=True, help="Folder of all benchmarks; need not exist.")
@click.option(
    "--page",
    type=WRITABLE,
    required=True,
    help="Written: the report, HTML; beside it figures/*.svg, and the rows of each in tables/*.csv.",
)
@click.option("--metrics", type=WRITABLE, required=True, help="Written: every number of the evaluations, CSV.")
@click.option("--questions", type=WRITABLE, required=True, help="Written: the quality of every question, CSV.")
def main(settings: Settings, results: Path, benchmarks: Path, page: Path, metrics: Path, questions: Path) -> None:
    """Write a run's report: one self-contained page, its figures, and every number in one table."""
    cells = read_cells(results, settings)
    figures = draw_figures(cells, settings)
    for name, figure in figures.items():
        _write(page.parent / "figures" / f"{name}.svg", figure.svg)
        if figure.rows:
            _write(page.parent / "tables" / f"{name}.csv", csv_text(figure.rows, list(figure.rows[0])))
    _write(metrics, metrics_csv(cells))
    _write(questions, questions_csv(cells, settings.teacher))
    # An earlier report's own time would be in the way, and that of what follows it.
    after = ("write_report", "record_run", "archive_run")
    stages = [stage for stage in stage_times(benchmarks, settings.run) if stage.rule not in after]
    _write(page, write_page(cells, settings, stages, figures))


def _write(path: Path, text: str) -> None:
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main)
