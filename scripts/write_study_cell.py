"""Write the metrics of one student, constitution and seed as CSV, to be kept and read without the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ethos.files import whole_file
from ethos.report import csv_text
from ethos.script import READABLE, WRITABLE, run
from ethos.tables import METRICS, read_table

_SORTED_BY = ("evaluation", "metric", "slice", "arm", "reference")


@click.command()
@click.argument("tables", nargs=-1, required=True, type=READABLE, metavar="TABLE...")
@click.option("--metrics", type=WRITABLE, required=True, help="Written: all their rows, CSV.")
def main(tables: Sequence[Path], metrics: Path) -> None:
    """Write the metrics of one student, constitution and seed as CSV.

    TABLE: the results of an evaluation, Parquet.
    """
    rows = [row for table in tables for row in read_table(table, METRICS).to_pylist()]
    rows.sort(key=lambda row: tuple(row[name] or "" for name in _SORTED_BY))
    with whole_file(metrics) as beside:
        beside.write_text(csv_text(rows, METRICS.names), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main)
