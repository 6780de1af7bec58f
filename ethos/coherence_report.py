"""What the report says and draws of coherence: one arm's win rates over every other."""

from __future__ import annotations

from typing import Any

from ethos.drawing import COLOURS, Figure, as_svg, draw_points, marks, new_figure, seed_legend, spread, zero_line
from ethos.run_results import CellResults, Row, SeedResults, pick

_METRICS = (("win_rate", "Win rate"), ("length_controlled_win_rate", "At equal length"))


def coherence_values(seed: SeedResults) -> dict[str, dict[str, Row]]:
    """By the arm compared with, what was measured, by metric."""
    found: dict[str, dict[str, Row]] = {}
    for row in pick(seed.metrics, evaluation="coherence", slice="all"):
        found.setdefault(row["reference"], {})[row["metric"]] = row
    return found


def coherence_figures(cell: CellResults) -> dict[str, Figure]:
    """By file name; none where nothing was judged."""
    if not any("win_rate" in row for seed in cell.seeds for row in coherence_values(seed).values()):
        return {}
    about = f"{cell.constitution}, {cell.student}; the table below it holds the numbers"
    name = f"coherence-{cell.constitution}-{cell.student}"
    measured = [row for seed in cell.seeds for row in seed.metrics]
    shown = pick(measured, evaluation="coherence", slice="all", metric=[metric for metric, _ in _METRICS])
    return {name: Figure(_figure(cell), f"Win rates in coherence with intervals, {about}", shown)}


def _figure(cell: CellResults) -> str:
    found: list[dict[str, Any]] = [coherence_values(seed) for seed in cell.seeds]
    others = list(dict.fromkeys(other for values in found for other in values))
    figure, axes = new_figure(
        2, 9.2, 1.35 + len(others) * (0.42 if len(found) == 1 else 0.3 + 0.16 * len(found)), sharey=True
    )
    for axis, (metric, title) in zip(axes[0], _METRICS, strict=True):
        for offset, marker, values in zip(spread(len(found)), marks(cell.seeds), found, strict=True):
            rows = [values.get(other, {}).get(metric) for other in others]
            places = [place + offset for place in range(len(others))]
            draw_points(axis, rows, places, [COLOURS[other] for other in others], marker)
        axis.set_title(title)
        axis.set_xlim(-0.02, 1.02)
        zero_line(axis, "share of questions won; 0.5 is even", at=0.5)
    axes[0][0].set_yticks(range(len(others)), [f"over {other}" for other in others])
    axes[0][0].set_ylim(len(others) - 0.4, -0.6)
    seed_legend(figure, cell.seeds)
    return as_svg(figure, f"Coherence, {cell.student}, {cell.constitution}")
