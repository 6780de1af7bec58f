"""Let a classifier name the persona behind each held-out response, and say how often it is right."""

from __future__ import annotations

from pathlib import Path

import click

from ethos.evaluation_settings import Intervals
from ethos.persona_classifier import name_responses, persona_metrics
from ethos.script import READABLE, WRITABLE, metrics_options, run, settings_option
from ethos.tables import NAMINGS, PERSONA_SAMPLES, metrics_table, read_table, table_from, write_table


@click.command()
@click.argument("samples", nargs=-1, required=True, type=READABLE)
@settings_option(Intervals)
@click.option("--evaluation", required=True, help="Name of the evaluation, for the table's column.")
@metrics_options("F1 with intervals")
@click.option("--namings", type=WRITABLE, required=True, help="Written: what each response was named, Parquet.")
def main(
    samples: tuple[Path, ...], settings: Intervals, evaluation: str, seed: int, place: tuple[str, str, str],
    namings: Path, metrics: Path,
) -> None:  # fmt: skip
    """Let a classifier name the persona behind each held-out response, and say how often it is right.

    SAMPLES: answers of all arms in every constitution of a student and seed, the plain ones among them, Parquet.
    """
    named = name_responses(row for path in samples for row in read_table(path, PERSONA_SAMPLES).to_pylist())
    results = persona_metrics(named, place[2], settings, seed)
    own = [row for row in named if row["arm"] == "base" or row["persona"] == place[2]]
    write_table(namings, table_from(own, NAMINGS))
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation=evaluation))


if __name__ == "__main__":
    run(main)
