"""What moved: of each arm, the measures, traits and words that differ from base with their whole interval, and those that don't."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ethos.preferences_report import moved_traits
from ethos.run_results import CellResults, find, pick

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Profile:
    """Rows of tables.METRICS, differences of an arm from base. more, less: whole interval above or below zero; unsure: not.

    traits: likelihood ratio by trait, most first; traits_above: how many of them lie above zero with their whole
    interval. words_more, words_less: single-word traits that moved beyond chance after correction, with every seed,
    furthest first, each behind its condition.
    """

    arm: str
    more: list[Row]
    less: list[Row]
    unsure: list[Row]
    traits: list[Row]
    traits_above: int
    words_more: list[str]
    words_less: list[str]


def profile(
    cell: CellResults, arm: str, metrics: Sequence[str], conditions: Sequence[str], level: float, words: int = 4
) -> Profile:
    """What moved in an arm, over seeds where there are several.

    metrics: in the order shown. conditions: of the revealed preferences. level: of their corrected p-values below which a
    word moved. words: most, each way.
    """
    measured = [row for metric in metrics if (row := find(cell.metrics, metric, arm, "base"))]
    by_trait = pick(
        cell.metrics, evaluation="character", metric="likelihood_ratio", arm=arm, reference="base", slice=cell.traits
    )
    by_trait = sorted((row for row in by_trait if row["value"] is not None), key=lambda row: -row["value"])
    moved = [moved_traits(cell.parts[0], arm, condition, level) for condition in conditions]
    rose = sorted((row for found in moved for row in found["rose"]), key=lambda row: -row["value"])
    fell = sorted((row for found in moved for row in found["fell"]), key=lambda row: row["value"])
    return Profile(
        arm,
        [row for row in measured if direction(row) > 0],
        [row for row in measured if direction(row) < 0],
        [row for row in measured if direction(row) == 0],
        by_trait,
        sum(direction(row) > 0 for row in by_trait),
        [row["slice"] for row in rose[:words]],
        [row["slice"] for row in fell[:words]],
    )


def direction(row: Row) -> int:
    """1 or -1 where the whole interval lies above or below zero, else 0; 0 too where there is no interval."""
    if row["ci_low"] is None or row["ci_high"] is None:
        return 0
    return (row["ci_low"] > 0) - (row["ci_high"] < 0)
