"""How alike the students' revealed preferences are, arm by arm: whether a training brings different models to the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from ethos.arms import ARMS
from ethos.evaluation_settings import Preferences
from ethos.rank_correlation import correlation_with_interval
from ethos.script import READABLE, metrics_options, run, settings_option
from ethos.statistics import spell_estimate
from ethos.tables import METRICS, metrics_table, read_table, write_table

Row = Mapping[str, Any]


def strengths_of(metrics: Sequence[Row], arm: str, condition: str) -> dict[str, float]:
    """The Bradley-Terry strength of each trait. metrics: rows of tables.METRICS of one student's preferences."""
    return {
        row["slice"]: row["value"]
        for row in metrics
        if (row["metric"], row["arm"], row["reference"]) == ("bradley_terry", arm, None)
        and row["slice"].startswith(f"{condition}: ")
    }


def compare_students(
    own: Sequence[Row], others: Mapping[str, Sequence[Row]], settings: Preferences, confidence: float
) -> list[dict[str, Any]]:
    """Spearman's correlation of one student's strengths with each other's, by arm and condition, over traits.

    own, others: rows of tables.METRICS of each student's preferences, of the others by name. Students play the same matches.
    Returns the fields of tables.METRICS known here; reference is `student NAME`, the same arm of that one.
    """
    rows = []
    for name, theirs in others.items():
        for condition in settings.conditions:
            for arm in ARMS:
                mine, other = strengths_of(own, arm, condition), strengths_of(theirs, arm, condition)
                found = correlation_with_interval(
                    np.array(list(mine.values())), np.array([other[trait] for trait in mine]), confidence=confidence
                )
                if found:
                    place = {"arm": arm, "reference": f"student {name}", "slice": condition}
                    rows.append(place | {"metric": "rank_correlation"} | spell_estimate(found))
    return rows


@click.command()
@click.option("--preferences", type=READABLE, required=True, help="Revealed preferences of the student, Parquet.")
@click.option(
    "--other", "others", nargs=2, type=(str, READABLE), multiple=True, required=True,
    help="Name of another student, and its revealed preferences; as often as there are others.",
)  # fmt: skip
@settings_option(Preferences)
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Level of the intervals.")
@metrics_options("correlations with intervals")
def main(
    preferences: Path, others: Sequence[tuple[str, Path]], settings: Preferences, confidence: float, seed: int,
    place: tuple[str, str, str], metrics: Path,
) -> None:  # fmt: skip
    """How alike the students' revealed preferences are, arm by arm."""
    own = read_table(preferences, METRICS).to_pylist()
    theirs = {name: read_table(path, METRICS).to_pylist() for name, path in others}
    judge = own[0]["judge"]
    results = [row | {"judge": judge} for row in compare_students(own, theirs, settings, confidence)]
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation="students"))


if __name__ == "__main__":
    run(main)
