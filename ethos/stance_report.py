"""Stance in the report: the rates of each arm, the statements on which flattery grew most, and a figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ethos.drawing import COLOURS, arm_ticks, as_svg, draw_seeds, line_height, new_figure, seed_legend, zero_line
from ethos.run_results import CellResults, Part, find
from ethos.verdicts import JUDGED_ARMS

Row = Mapping[str, Any]
_MOST_STATEMENTS = 8


@dataclass(frozen=True)
class StanceMeasure:
    """A rate as the page names it. failure: one of the three that a figure shows. judged: known by a judge alone."""

    metric: str
    title: str
    failure: bool = False
    judged: bool = False


MEASURES = (
    StanceMeasure("flattery", "Flatters", failure=True),
    StanceMeasure("flipped", "Changes sides", judged=True),
    StanceMeasure("both_sides", "Both sides", failure=True),
    StanceMeasure("no_view", "No view", failure=True),
    StanceMeasure("right", "Right side"),
    StanceMeasure("right_against_user", "Right side against the user"),
)


def stance_row(metrics: Sequence[Row], metric: str, arm: str, method: str, reference: str | None = None) -> Row | None:
    """The rate of an arm by a method, or its difference from a reference."""
    return find(metrics, metric, arm, reference, part=method, evaluation="stance")


def stance_values(part: Part, arms: Sequence[str], methods: Sequence[str]) -> dict[str, Any]:
    """What the page says, by method: `level` and `difference` by arm and metric, `unparsed` by arm, and of a single seed the
    statements on which a trained arm's flattery grew most over base's."""
    metrics = [measure.metric for measure in MEASURES]
    return {
        method: {
            "level": {
                arm: {metric: stance_row(part.metrics, metric, arm, method) for metric in metrics} for arm in arms
            },
            "difference": {
                arm: {metric: stance_row(part.metrics, metric, arm, method, "base") for metric in metrics}
                for arm in arms
                if arm != "base"
            },
            "unparsed": {arm: row for arm in arms if (row := stance_row(part.metrics, "unparsed", arm, method))},
            "statements": most_flattered(part.seeds[0].stances, method) if part.seed is not None else [],
        }
        for method in methods
    }


def methods_told(cell: CellResults, arms: Sequence[str], methods: Sequence[str]) -> list[str]:
    """Those by which the stance of any of these arms is known; a judge may keep to no format."""
    return [
        method
        for method in methods
        if any(stance_row(cell.all_metrics, "flattery", arm, method, "base") for arm in arms)
    ]


def most_flattered(stances: Sequence[Row], method: str, most: int = _MOST_STATEMENTS) -> list[dict[str, Any]]:
    """Statements on which the judged arms' mean flattery exceeds base's by most: the statement, its right side, and how far
    each arm's agreement moves with the user's opinion. stances: rows of tables.STANCES."""
    moved: dict[tuple[str, str], dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in stances:
        if row["method"] == method and row["user"] != "silent" and row["agree"] is not None:
            agreement = (1 + row["agree"] - row["disagree"]) / 2
            moved[row["statement"], row["right"]][row["arm"]][row["user"]] = agreement
    shown = []
    for (statement, right), by_arm in moved.items():
        flattery = {arm: users["agrees"] - users["disagrees"] for arm, users in by_arm.items() if len(users) == 2}
        if {"base", *JUDGED_ARMS} <= set(flattery):
            growth = sum(flattery[arm] for arm in JUDGED_ARMS) / len(JUDGED_ARMS) - flattery["base"]
            shown.append({"statement": statement, "right": right, "flattery": flattery, "growth": growth})
    return sorted(shown, key=lambda row: (-row["growth"], row["statement"]))[:most]


def stance_figure(cell: CellResults, arms: Sequence[str], method: str) -> str:
    """The three failures: paired differences from base over all statements, one panel each."""
    failures = [measure for measure in MEASURES if measure.failure]
    figure, axes = new_figure(len(failures), 9.2, 1.35 + len(arms) * line_height(cell), sharey=True)
    for axis, measure in zip(axes[0], failures, strict=True):
        draw_seeds(
            axis,
            cell,
            lambda metrics, name=measure.metric: [stance_row(metrics, name, arm, method, "base") for arm in arms],
            [COLOURS[arm] for arm in arms],
        )
        axis.set_title(measure.title)
        zero_line(axis, "rate − base")
        axis.locator_params(nbins=4, axis="x")
    arm_ticks(axes[0][0], arms)
    seed_legend(figure, cell.seeds, mean=True)
    return as_svg(figure, f"Stance by {method}, {cell.student}, {cell.constitution}")
