"""Compare arms over seeds: what holds of another training, with its interval, for every claim of a study."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ethos import study, study_levels
from ethos.errors import BadInput
from ethos.files import whole_file
from ethos.report import csv_text
from ethos.script import READABLE, WRITABLE, run
from ethos.study import compare_over_seeds
from ethos.study_figures import claims_figure, drift_figure, levels_figure
from ethos.study_levels import levels_over_seeds
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
@click.option(
    "--claims",
    type=WRITABLE,
    required=True,
    help="Written: a row a claim and constitution, CSV; as a picture beside it, SVG.",
)
@click.option(
    "--levels",
    type=WRITABLE,
    required=True,
    help="Written: a row an arm, measure and constitution, CSV; as a picture too.",
)
@click.option("--drift", type=WRITABLE, required=True, help="Written: what training one character does to others, SVG.")
def main(cells: Sequence[Path], confidence: float, claims: Path, levels: Path, drift: Path) -> None:
    """Compare arms over seeds, for every claim of a study, and tell the levels of each arm.

    CELL: the metrics of one student, constitution and seed, CSV. Those that are there already may be compared before the
    others are.
    """
    metrics = [row for cell in cells for row in read_metrics(cell)]
    claimed, found = (make(metrics, confidence=confidence) for make in (compare_over_seeds, levels_over_seeds))
    written = {
        claims: csv_text(claimed, study.FIELDS),
        claims.with_suffix(".svg"): claims_figure(claimed),
        levels: csv_text(found, study_levels.FIELDS),
        levels.with_suffix(".svg"): levels_figure(found),
        drift: drift_figure(found, claimed),
    }
    for path, text in written.items():
        with whole_file(path) as beside:
            beside.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main)
