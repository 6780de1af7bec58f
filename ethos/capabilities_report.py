"""Capabilities in the report: picked out of a run's metrics, and drawn; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ethos.drawing import COLOURS, arm_ticks, as_svg, draw_seeds, line_height, new_figure, seed_legend, zero_line
from ethos.run_results import CellResults

Row = Mapping[str, Any]
# What the harness's measures are called on the page, with their units, and which way is better.
TITLES = {
    "acc": ("Accuracy", "share of right answers", "higher is better"),
    "acc_norm": ("Accuracy, by length", "share of right answers, choices compared per letter", "higher is better"),
    "bits_per_byte": ("Plain text", "bits per byte", "lower is better"),
}


def capability_rows(metrics: Sequence[Row]) -> dict[tuple[str, str], dict[tuple[str, str | None], Row]]:
    """By task and measure, in the order of the metrics: the rows by arm and reference; the tests are under `p`."""
    found: dict[tuple[str, str], dict[tuple[str, str | None], Row]] = {}
    for row in metrics:
        if row["evaluation"] == "capabilities":
            metric, _, test = row["metric"].partition("_mcnemar")
            found.setdefault((row["slice"], metric), {})[row["arm"], "p" if test else row["reference"]] = row
    return found


def capability_values(metrics: Sequence[Row], arms: Sequence[str]) -> list[dict[str, Any]]:
    """What the page says of each task and measure: n, and of each arm its level, its difference from base, and the test."""
    return [
        {
            "task": task,
            "title": TITLES[metric][0],
            "unit": TITLES[metric][1],
            "better": TITLES[metric][2],
            "n": rows["base", None]["n"],
            "arms": {
                arm: {"level": rows[arm, None], "difference": rows.get((arm, "base")), "p": rows.get((arm, "p"))}
                for arm in arms
                if (arm, None) in rows
            },
        }
        for (task, metric), rows in capability_rows(metrics).items()
    ]


def capabilities_figure(cell: CellResults, arms: Sequence[str]) -> str:
    """Paired differences from base, one panel a task and measure, with every arm and seed."""
    panels = list(capability_rows(cell.all_metrics))
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    height = 0.9 + len(arms) * line_height(cell, 0.3)
    figure, axes = new_figure(columns, 3.4 * columns + 1.2, height * lines, rows=lines, sharey=True)
    places = [axis for row in axes for axis in row]
    for axis, (task, metric) in zip(places, panels, strict=False):
        draw_seeds(
            axis,
            cell,
            lambda metrics, place=(task, metric): _differences(metrics, arms, place),
            [COLOURS[arm] for arm in arms],
        )
        axis.set_title(task.replace("_", " "))
        zero_line(axis, f"{metric.replace('_', ' ')} − base ({TITLES[metric][2]})")
    for axis in places[len(panels) :]:
        axis.set_visible(False)
    for row in axes:
        arm_ticks(row[0], arms)
    seed_legend(figure, cell.seeds, mean=True)
    return as_svg(figure, f"Capabilities, {cell.student}, {cell.constitution}")


def _differences(metrics: Sequence[Row], arms: Sequence[str], place: tuple[str, str]) -> list[Row | None]:
    rows = capability_rows(metrics).get(place, {})
    return [rows.get((arm, "base")) for arm in arms]
