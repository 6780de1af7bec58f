"""What moved: of each arm, the measures, traits and words that differ from base with their whole interval, and those that don't."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ethos.run_results import CellResults, find, pick

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Profile:
    """Rows of tables.METRICS, differences of an arm from base. more, less: whole interval above or below zero; unsure: not.

    traits: likelihood ratio by trait, most first; traits_above: how many of them lie above zero with their whole
    interval. words_more, words_less: single-word traits that it came to show more or less, furthest first.
    """

    arm: str
    more: list[Row]
    less: list[Row]
    unsure: list[Row]
    traits: list[Row]
    traits_above: int
    words_more: list[str]
    words_less: list[str]


def profile(cell: CellResults, arm: str, metrics: Sequence[str], words: int = 4) -> Profile:
    """What moved in an arm, over seeds where there are several. metrics: in the order shown. words: most, each way."""
    measured = [row for metric in metrics if (row := find(cell.metrics, metric, arm, "base"))]
    by_trait = pick(
        cell.metrics, evaluation="character", metric="likelihood_ratio", arm=arm, reference="base", slice=cell.traits
    )
    by_trait = sorted((row for row in by_trait if row["value"] is not None), key=lambda row: -row["value"])
    moved = pick(cell.metrics, evaluation="preferences", metric="bradley_terry", arm=arm, reference="base")
    moved = sorted((row for row in moved if row["value"] is not None), key=lambda row: (-row["value"], row["slice"]))
    return Profile(
        arm,
        [row for row in measured if direction(row) > 0],
        [row for row in measured if direction(row) < 0],
        [row for row in measured if direction(row) == 0],
        by_trait,
        sum(direction(row) > 0 for row in by_trait),
        [row["slice"] for row in moved if direction(row) > 0][:words],
        [row["slice"] for row in reversed(moved) if direction(row) < 0][:words],
    )


def direction(row: Row) -> int:
    """1 or -1 where the whole interval lies above or below zero, else 0; 0 too where there is no interval."""
    if row["ci_low"] is None or row["ci_high"] is None:
        return 0
    return (row["ci_low"] > 0) - (row["ci_high"] < 0)
