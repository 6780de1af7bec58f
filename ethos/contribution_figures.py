"""The figures of what each trait contributes: to every other trait as a heat map, and to the whole character, ranked."""

from __future__ import annotations

from ethos.contributions import contribution, ranked_traits
from ethos.drawing import (
    COLOURS,
    as_svg,
    draw_heat_map,
    draw_points,
    frame,
    marks,
    new_figure,
    seed_legend,
    spread,
    zero_line,
)
from ethos.run_results import CellResults, SeedResults


def contributions_figure(cell: CellResults, seed: SeedResults, arm: str) -> str:
    """A row for each trait left out, a column for each trait measured, the whole character last; framed: a trait's own."""
    traits = [trait for trait in cell.traits if contribution(seed, arm, trait)]
    columns = [*traits, "all"]
    rows = [[contribution(seed, arm, left_out, part) for part in columns] for left_out in traits]
    figure, [[axis]] = new_figure(1, 2.6 + 0.62 * len(columns), 2.0 + 0.42 * len(traits))
    mesh = draw_heat_map(axis, rows)
    for y in range(len(traits)):
        axis.add_patch(frame(y, y))
    names = [trait.replace("_", " ") for trait in traits]
    sizes = [max((row["n"] for line in rows if (row := line[x])), default=0) for x in range(len(columns))]
    labels = [f"{name} ({size})" for name, size in zip([*names, "whole character"], sizes, strict=True)]
    axis.set_xticks([x + 0.5 for x in range(len(columns))], labels, rotation=38, ha="right", rotation_mode="anchor")
    axis.set_yticks([y + 0.5 for y in range(len(traits))], names)
    axis.axvline(len(traits), color="black", linewidth=1.5)
    axis.set_xlabel("contributes to the questions of (how many)")
    axis.set_ylabel("this trait")
    bar = figure.colorbar(mesh, ax=axis, shrink=0.8, label="nats per token")
    bar.outline.set_visible(False)
    return as_svg(figure, f"Contributions of traits, {cell.student}, {cell.constitution}, seed {seed.seed}")


def ranking_figure(cell: CellResults, arm: str) -> str:
    """What each trait contributes to the whole character, most first: likelihood ratio, and beside it the cue rate."""
    traits, seeds = ranked_traits(cell, arm), cell.seeds
    figure, axes = new_figure(
        2, 9.2, 1.35 + len(traits) * (0.34 if len(seeds) == 1 else 0.24 + 0.14 * len(seeds)), sharey=True
    )
    panels = (
        ("likelihood_ratio", "Likelihood ratio", "whole − without the trait, nats per token"),
        ("cue_rate", "Style: cue words", "whole − without the trait, per hundred words"),
    )
    for axis, (metric, title, label) in zip(axes[0], panels, strict=True):
        for offset, marker, seed in zip(spread(len(seeds)), marks(seeds), seeds, strict=True):
            rows = [contribution(seed, arm, trait, metric=metric) for trait in traits]
            places = [place + offset for place in range(len(traits))]
            draw_points(axis, rows, places, [COLOURS[arm]] * len(traits), marker, seed=seed.seed)
        axis.set_title(title)
        zero_line(axis, label)
    axes[0][0].set_yticks(range(len(traits)), [trait.replace("_", " ") for trait in traits])
    axes[0][0].set_ylim(len(traits) - 0.4, -0.6)
    seed_legend(figure, seeds)
    return as_svg(figure, f"Contributions to the whole character, {cell.student}, {cell.constitution}")
