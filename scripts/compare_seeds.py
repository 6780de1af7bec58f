"""Compare arms over seeds: what holds of another training, with its interval, for every claim of a study."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ethos.errors import BadInput
from ethos.files import whole_file
from ethos.report import csv_text
from ethos.script import READABLE, WRITABLE, run
from ethos.study import FIELDS, compare_over_seeds
from ethos.study_figure import study_figure
from ethos.tables import METRICS


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Rows of tables.METRICS from CSV; what is empty is null. Raises BadInput for another file."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        return [
            row
            | {"seed": int(row["seed"]), "n": int(row["n"]), "reference": row["reference"] or None}
            | {"value": float(row["value"]) if row["value"] else None}
            for row in rows
        ]
    except (KeyError, ValueError):
        raise BadInput(f"is no CSV of metrics with {', '.join(METRICS.names)}; write it again", path=path) from None


@click.command()
@click.argument("cells", nargs=-1, required=True, type=READABLE, metavar="CELL...")
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Level of the intervals.")
@click.option("--claims", type=WRITABLE, required=True, help="Written: a row a claim and constitution, CSV.")
@click.option("--figure", type=WRITABLE, required=True, help="Written: the same as a picture, SVG.")
def main(cells: Sequence[Path], confidence: float, claims: Path, figure: Path) -> None:
    """Compare arms over seeds, for every claim of a study.

    CELL: the metrics of one student, constitution and seed, CSV. Those that are there already may be compared before the
    others are.
    """
    rows = compare_over_seeds((row for cell in cells for row in read_metrics(cell)), confidence=confidence)
    for path, text in ((figure, study_figure(rows)), (claims, csv_text(rows, FIELDS))):
        with whole_file(path) as beside:
            beside.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main)
