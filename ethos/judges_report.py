"""The judges, judged, in the report: their agreement with labels and with each other, and a figure of the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ethos.drawing import COLOURS, INK, as_svg, draw_seeds, line_height, new_figure, seed_legend
from ethos.run_results import CellResults, find

Row = Mapping[str, Any]
AUTHORS = "authors"
# The metric's slice, and how a page says it.
PARTS = {"all": "all pairs", "plain": "plain pairs", "subtle": "subtle pairs"}


def judge_row(
    metrics: Sequence[Row], metric: str, method: str, reference: str | None = None, part: str = "all"
) -> Row | None:
    return find(metrics, metric, method, reference, part=part, evaluation="judges")


def labelled_pairs(metrics: Sequence[Row]) -> int:
    """How many pairs the judges were measured on; 0 where none is labelled, or nobody asked."""
    row = judge_row(metrics, "pairs", AUTHORS)
    return int(row["value"]) if row else 0


def judges_values(metrics: Sequence[Row], methods: Sequence[str]) -> dict[str, Any]:
    """What the page says. pairs: how many were labelled. kappa: by method and what it is compared with."""
    return {
        "pairs": labelled_pairs(metrics),
        "longer": judge_row(metrics, "prefers_longer", AUTHORS),
        "accuracy": {
            method: {part: judge_row(metrics, "accuracy", method, AUTHORS, part) for part in PARTS}
            for method in methods
        },
        "length": {
            method: {
                metric: judge_row(metrics, metric, method) for metric in ("prefers_longer", "score_length_correlation")
            }
            for method in methods
        },
        "kappa": [row for row in metrics if row["evaluation"] == "judges" and row["metric"] == "kappa"],
        "order_dependent": judge_row(metrics, "order_dependent", "pairwise"),
        "unparsed": judge_row(metrics, "unparsed", "pairwise"),
    }


def judges_figure(cell: CellResults, methods: Sequence[str]) -> str:
    """Accuracy of each method, one panel for all, plain and subtle pairs; the dashed line is chance."""
    figure, axes = new_figure(len(PARTS), 9.2, 1.35 + len(methods) * line_height(cell, 0.44), sharey=True, sharex=True)
    for axis, (part, title) in zip(axes[0], PARTS.items(), strict=True):
        draw_seeds(
            axis,
            cell,
            lambda metrics, part=part: [judge_row(metrics, "accuracy", method, AUTHORS, part) for method in methods],
            [COLOURS["preference_model"]] * len(methods),
        )
        axis.axvline(0.5, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axis.grid(axis="x")
        axis.set_title(title)
        axis.set_xlabel("share right")
    axes[0][0].set_xlim(-0.03, 1.03)
    axes[0][0].set_yticks(range(len(methods)), [method.replace("_", " ") for method in methods])
    axes[0][0].set_ylim(len(methods) - 0.4, -0.6)
    seed_legend(figure, cell.seeds, mean=True)
    return as_svg(figure, f"Judges against labels, {cell.student}, {cell.constitution}")
