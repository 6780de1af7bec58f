"""What the report says and draws of revealed preferences: the strongest traits, those that moved, and how alike the arms are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ethos.drawing import COLOURS, Figure, as_svg, draw_points, new_figure, tag, zero_line
from ethos.evaluation_settings import Preferences
from ethos.preference_metrics import OPEN_ENDS
from ethos.run_results import CellResults, Row, SeedResults, find
from ethos.verdicts import JUDGED_ARMS

_STRONGEST = 5


def preference_values(
    seed: SeedResults, arms: Sequence[str], settings: Preferences, level: float
) -> list[dict[str, Any]]:
    """What the page says of each condition, arm by arm. level: of the corrected p-values below which a trait moved."""

    def one(arm: str, condition: str, metric: str, reference: str | None = None) -> Row | None:
        return find(seed.metrics, metric, arm, reference, part=condition, evaluation="preferences")

    return [
        {
            "condition": condition,
            "arms": [
                {
                    "arm": arm,
                    "strongest": by_trait(seed, arm, condition, "elo")[:_STRONGEST],
                    "moved": moved_traits(seed, arm, condition, level) if arm != "base" else None,
                    "rank_correlation": one(arm, condition, "rank_correlation", "base"),
                    "split_half_correlation": one(arm, condition, "split_half_correlation"),
                    "open_ends": {verdict: one(arm, condition, verdict) for verdict in OPEN_ENDS},
                }
                for arm in arms
            ],
        }
        for condition in settings.conditions
    ]


def student_values(seed: SeedResults) -> dict[tuple[str, str], dict[str, Row]]:
    """Correlations with the same arm of each other student, by arm; by condition and that student."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in seed.metrics:
        if row["evaluation"] == "students":
            found.setdefault((row["slice"], row["reference"]), {})[row["arm"]] = row
    return found


def by_trait(
    seed: SeedResults, arm: str, condition: str, metric: str, reference: str | None = None
) -> list[dict[str, Any]]:
    """The rows of a metric, each with its `trait`, the highest value first."""
    place = ("preferences", metric, arm, reference)
    start = f"{condition}: "
    found = [
        {**row, "trait": row["slice"].removeprefix(start)}
        for row in seed.metrics
        if (row["evaluation"], row["metric"], row["arm"], row["reference"]) == place and row["slice"].startswith(start)
    ]
    return sorted(found, key=lambda row: (-row["value"], row["trait"]))


def moved_traits(seed: SeedResults, arm: str, condition: str, level: float) -> dict[str, Any]:
    """The traits that rose and fell against base beyond chance after correction, furthest first, and of how many."""
    tests = by_trait(seed, arm, condition, "bradley_terry_holm_p", "base")
    beyond = {row["trait"] for row in tests if row["value"] < level}
    changes = [row for row in by_trait(seed, arm, condition, "bradley_terry", "base") if row["trait"] in beyond]
    return {
        "rose": [row["trait"] for row in changes if row["value"] > 0],
        "fell": [row["trait"] for row in reversed(changes) if row["value"] < 0],
        "of": len(tests),
    }


def top_movers(seed: SeedResults, arm: str, condition: str, most: int = 6) -> list[dict[str, Any]]:
    """Traits whose strength moved furthest from base, up to `most` each way, the highest rise first."""
    ordered = by_trait(seed, arm, condition, "bradley_terry", "base")
    up, down = [row for row in ordered if row["value"] > 0][:most], [row for row in ordered if row["value"] < 0][-most:]
    return [*up, *down]


def preferences_figure(
    cell: CellResults, seed: SeedResults, condition: str, arms: Sequence[str] = JUDGED_ARMS
) -> str | None:
    """Revealed preferences that moved furthest from base, one panel an arm; None where nothing moved."""
    movers = {arm: top_movers(seed, arm, condition) for arm in arms}
    longest = max(map(len, movers.values()))
    if not longest:
        return None
    figure, axes = new_figure(len(arms), 9.2, 1.2 + max(longest, 2) * 0.29)
    for axis, arm in zip(axes[0], arms, strict=True):
        rows = movers[arm]
        draw_points(axis, rows, range(len(rows)), [COLOURS[arm]] * len(rows))
        axis.set_title(arm)
        tag(axis, arm=arm)
        zero_line(axis, "Bradley-Terry strength − base, logits")
        axis.set_yticks(range(len(rows)), [row["trait"] for row in rows])
        axis.set_ylim(max(longest, 2) - 0.4, -0.6)
    return as_svg(figure, f"Revealed preferences, {condition}, {cell.student}, {cell.constitution}, seed {seed.seed}")


def preferences_figures(cell: CellResults, conditions: Sequence[str]) -> dict[str, Figure]:
    """By file name."""
    figures = {}
    for seed in cell.seeds:
        for condition in conditions:
            drawn = preferences_figure(cell, seed, condition)
            if drawn:
                about = (
                    f"{condition}, {cell.constitution}, {cell.student}, seed {seed.seed}; metrics.csv holds the numbers"
                )
                name = f"preferences-{cell.constitution}-{cell.student}-seed{seed.seed}-{condition}"
                shown = [
                    {name: value for name, value in row.items() if name != "trait"}
                    for arm in JUDGED_ARMS
                    for row in top_movers(seed, arm, condition)
                ]
                figures[name] = Figure(drawn, f"Revealed preferences that moved most, {about}", shown)
    return figures
