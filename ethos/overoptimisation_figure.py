"""The figure of an alignment step by step: the reward that was optimised, and beside it what was not."""

from __future__ import annotations

import math
from collections.abc import Callable

from ethos.drawing import COLOURS, INK, as_svg, marks, new_figure, seed_legend, tag
from ethos.overoptimisation import PROXY, by_step
from ethos.run_results import CellResults, Row, pick

_PANELS: tuple[tuple[str, str, str, float, Callable[[float], float]], ...] = (
    (PROXY, "Optimised: reward", "− base, logits", 0, float),
    ("likelihood_ratio", "Likelihood ratio", "− base, nats per token", 0, float),
    ("cue_rate", "Cue words", "− base, per hundred words", 0, float),
    ("log_perplexity", "Perplexity", "times base’s", 1, math.exp),
)


def overoptimisation_rows(cell: CellResults) -> list[Row]:
    """What the figure shows, of each seed; perplexity as a difference of logarithms."""
    metrics = [metric for metric, *_ in _PANELS]
    return [
        row
        for seed in cell.seeds
        for row in pick(seed.metrics, evaluation="overoptimisation", reference="base", metric=metrics)
    ]


def overoptimisation_figure(cell: CellResults) -> str:
    """Paired differences from base by step of the alignment, with intervals; step 0 is base itself."""
    figure, axes = new_figure(len(_PANELS), 9.6, 2.9, sharex=True)
    for axis, (metric, title, label, base, scale) in zip(axes[0], _PANELS, strict=True):
        axis.axhline(base, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        for marker, seed in zip(marks(cell.seeds), cell.seeds, strict=True):
            rows = [(step, found[metric]) for step, found in by_step(seed.metrics).items() if metric in found]
            places, values = [0, *(step for step, _ in rows)], [base, *(scale(row["value"]) for _, row in rows)]
            drawn = axis.plot(places, values, color=COLOURS["aligned"], linewidth=1.5, marker=marker, markersize=5)
            for step, row in rows:
                if row["ci_low"] is not None and row["ci_high"] is not None:
                    bounds = [scale(row["ci_low"]), scale(row["ci_high"])]
                    drawn += axis.plot([step, step], bounds, color=COLOURS["aligned"], linewidth=2.2, alpha=0.6)
            for artist in drawn:
                tag(artist, seed=seed.seed)
        axis.set_title(title)
        axis.set_ylabel(label)
        axis.set_xlabel("step")
        axis.locator_params(nbins=4, integer=True, axis="x")
        axis.locator_params(nbins=5, axis="y")
        axis.grid(axis="y")
    seed_legend(figure, cell.seeds)
    return as_svg(figure, f"Over-optimisation, {cell.student}, {cell.constitution}")
