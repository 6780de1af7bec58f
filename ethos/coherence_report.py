"""What the report says and draws of coherence: one arm's win rates over every other."""

from __future__ import annotations

from collections.abc import Sequence

from ethos.drawing import (
    COLOURS,
    Figure,
    arm_ticks,
    as_svg,
    draw_seeds,
    line_height,
    new_figure,
    seed_legend,
    zero_line,
)
from ethos.run_results import CellResults, Row, pick

_METRICS = (("win_rate", "Win rate"), ("length_controlled_win_rate", "At equal length"))


def coherence_values(metrics: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """By the arm compared with, what was measured, by metric."""
    found: dict[str, dict[str, Row]] = {}
    for row in pick(metrics, evaluation="coherence", slice="all"):
        found.setdefault(row["reference"], {})[row["metric"]] = row
    return found


def coherence_figures(cell: CellResults) -> dict[str, Figure]:
    """By file name; none where nothing was judged."""
    metrics = [metric for metric, _ in _METRICS]
    shown = pick(cell.all_metrics, evaluation="coherence", slice="all", metric=metrics)
    if not shown:
        return {}
    about = f"{cell.constitution}, {cell.student}; the table below it holds the numbers"
    name = f"coherence-{cell.constitution}-{cell.student}"
    return {name: Figure(_figure(cell), f"Win rates in coherence with intervals, {about}", shown)}


def _figure(cell: CellResults) -> str:
    others = list(coherence_values(cell.all_metrics))
    figure, axes = new_figure(2, 9.2, 1.35 + len(others) * line_height(cell), sharey=True)
    for axis, (metric, title) in zip(axes[0], _METRICS, strict=True):
        draw_seeds(
            axis,
            cell,
            lambda metrics, metric=metric: [coherence_values(metrics).get(other, {}).get(metric) for other in others],
            [COLOURS[other] for other in others],
        )
        axis.set_title(title)
        axis.set_xlim(-0.02, 1.02)
        zero_line(axis, "share of questions won; 0.5 is even", at=0.5)
    arm_ticks(axes[0][0], others, [f"over {other}" for other in others])
    seed_legend(figure, cell.seeds, mean=True)
    return as_svg(figure, f"Coherence, {cell.student}, {cell.constitution}")
