"""The figures of the report as SVG text: equal numbers give equal bytes, one colour an arm everywhere.

Matplotlib is imported in the functions: a script's --help should not wait for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ethos.drawing import COLOURS, arm_ticks, as_svg, draw_seeds, line_height, new_figure, seed_legend, tag, zero_line
from ethos.run_results import TRAININGS, CellResults, find, pick
from ethos.verdicts import JUDGED_ARMS

Row = Mapping[str, Any]


def effects_figure(cell: CellResults, arms: Sequence[str]) -> str:
    """Paired differences from base over all held-out questions: likelihood ratio, and beside it the cue rate."""
    figure, axes = new_figure(2, 9.2, 1.35 + len(arms) * line_height(cell), sharey=True)
    panels = (
        ("likelihood_ratio", "Likelihood ratio", "difference from base, nats per token"),
        ("cue_rate", "Style: cue words", "difference from base, per hundred words"),
    )
    for axis, (metric, title, label) in zip(axes[0], panels, strict=True):
        draw_seeds(
            axis,
            cell,
            lambda metrics, metric=metric: [find(metrics, metric, arm, "base") for arm in arms],
            [COLOURS[arm] for arm in arms],
        )
        sizes = {row["n"] for row in effects_rows(cell, arms) if row["metric"] == metric} or {0}
        axis.set_title(f"{title}  (n = {'–'.join(map(str, sorted({min(sizes), max(sizes)})))})")
        zero_line(axis, label)
    arm_ticks(axes[0][0], arms)
    seed_legend(figure, cell.seeds, mean=True)
    return as_svg(figure, f"Effects, {cell.student}, {cell.constitution}")


def effects_rows(cell: CellResults, arms: Sequence[str]) -> list[Row]:
    """What the figure of the effects shows."""
    return pick(
        cell.all_metrics, evaluation="character", metric=("likelihood_ratio", "cue_rate"), arm=arms, reference="base", slice="all"
    )  # fmt: skip


def traits_figure(cell: CellResults, arms: Sequence[str] = JUDGED_ARMS) -> str:
    """Likelihood ratio by trait: paired differences from base, one panel an arm."""
    traits = cell.traits
    height = 1.2 + len(traits) * line_height(cell, 0.3, 0.13)
    figure, axes = new_figure(len(arms), 9.2, height, sharey=True, sharex=True)
    for axis, arm in zip(axes[0], arms, strict=True):
        draw_seeds(
            axis,
            cell,
            lambda metrics, arm=arm: [find(metrics, "likelihood_ratio", arm, "base", part=trait) for trait in traits],
            [COLOURS[arm]] * len(traits),
        )
        tag(axis.set_title(arm), arm=arm)
        zero_line(axis, "likelihood ratio − base, nats per token")
    axes[0][0].set_yticks(range(len(traits)), [trait.replace("_", " ") for trait in traits])
    axes[0][0].set_ylim(len(traits) - 0.4, -0.6)
    seed_legend(figure, cell.seeds, mean=True)
    return as_svg(figure, f"By trait, {cell.student}, {cell.constitution}")


def curves_figure(cell: CellResults) -> str:
    """Loss of every training by step, and under it the reward margin of those that have one."""
    figure, axes = new_figure(len(TRAININGS), 9.6, 4.2, rows=2, sharex="col")
    lines = ("-", "--", ":", "-.")
    for column, training in enumerate(TRAININGS):
        for row, names in enumerate((("loss",), ("rewards/margins", "margin"))):
            axis = axes[row][column]
            drawn = False
            for number, seed in enumerate(cell.seeds):
                points = [
                    (entry["step"], entry[name])
                    for entry in seed.histories[training]
                    for name in names
                    if name in entry and math.isfinite(entry[name])
                ]
                if points:
                    drawn = True
                    marker = "o" if len(points) == 1 else ""
                    (line,) = axis.plot(
                        *zip(*points, strict=True),
                        lines[number % 4],
                        color=COLOURS[training],
                        linewidth=1.5,
                        marker=marker,
                        markersize=4,
                    )
                    tag(line, arm=training, seed=seed.seed)
            axis.grid(axis="y")
            axis.locator_params(nbins=4, integer=True, axis="x")
            axis.locator_params(nbins=4, axis="y")
            if row and not drawn:
                axis.set_axis_off()
                axes[0][column].tick_params(labelbottom=True)
                axes[0][column].set_xlabel("step")
            elif row:
                axis.set_xlabel("step")
        tag(axes[0][column].set_title(training.replace("_", " ")), arm=training)
    axes[0][0].set_ylabel("loss")
    axes[1][0].set_ylabel("reward margin")
    return as_svg(figure, f"Training curves, {cell.student}, {cell.constitution}")


def curves_rows(cell: CellResults) -> list[Row]:
    """What the figure of the curves shows; a training that has no reward margin, or none at a step, has None there."""
    return [
        {"student": cell.student, "constitution": cell.constitution, "seed": seed.seed, "training": training}
        | {
            "step": entry["step"],
            "loss": entry.get("loss"),
            "margin": entry.get("rewards/margins", entry.get("margin")),
        }
        for seed in cell.seeds
        for training in TRAININGS
        for entry in seed.histories[training]
    ]
