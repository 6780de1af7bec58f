"""What the report says and draws of revealed preferences: the strongest traits, those that moved, and how alike the arms are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ethos.drawing import COLOURS, Figure, as_svg, draw_seeds, line_height, new_figure, seed_legend, tag, zero_line
from ethos.evaluation_settings import Preferences
from ethos.preference_metrics import OPEN_ENDS
from ethos.run_results import CellResults, Part, Row, find, pick
from ethos.verdicts import JUDGED_ARMS

_STRONGEST = 5


def preference_values(part: Part, arms: Sequence[str], settings: Preferences, level: float) -> list[dict[str, Any]]:
    """What the page says of each condition, arm by arm. level: of the corrected p-values below which a trait moved."""

    def one(arm: str, condition: str, metric: str, reference: str | None = None) -> Row | None:
        return find(part.metrics, metric, arm, reference, part=condition, evaluation="preferences")

    return [
        {
            "condition": condition,
            "arms": [
                {
                    "arm": arm,
                    "strongest": by_trait(part.metrics, arm, condition, "elo")[:_STRONGEST],
                    "moved": moved_traits(part, arm, condition, level) if arm != "base" else None,
                    "rank_correlation": one(arm, condition, "rank_correlation", "base"),
                    "split_half_correlation": one(arm, condition, "split_half_correlation"),
                    "open_ends": {verdict: one(arm, condition, verdict) for verdict in OPEN_ENDS},
                }
                for arm in arms
            ],
        }
        for condition in settings.conditions
    ]


def student_values(metrics: Sequence[Row]) -> dict[tuple[str, str], dict[str, Row]]:
    """Correlations with the same arm of each other student, by arm; by condition and that student."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in metrics:
        if row["evaluation"] == "students":
            found.setdefault((row["slice"], row["reference"]), {})[row["arm"]] = row
    return found


def by_trait(
    metrics: Sequence[Row], arm: str, condition: str, metric: str, reference: str | None = None
) -> list[dict[str, Any]]:
    """The rows of a metric, each with its `trait`, the highest value first."""
    place = ("preferences", metric, arm, reference)
    start = f"{condition}: "
    found = [
        {**row, "trait": row["slice"].removeprefix(start)}
        for row in metrics
        if (row["evaluation"], row["metric"], row["arm"], row["reference"]) == place and row["slice"].startswith(start)
    ]
    return sorted(found, key=lambda row: (-row["value"], row["trait"]))


def moved_traits(part: Part, arm: str, condition: str, level: float) -> dict[str, Any]:
    """The rows of the traits that rose and fell against base beyond chance after correction, furthest first, and of how many.

    Of several seeds, those that did so with every one of them: p-values have no mean.
    """
    moved = []
    for seed in part.seeds:
        tests = by_trait(seed.metrics, arm, condition, "bradley_terry_holm_p", "base")
        beyond = {row["trait"] for row in tests if row["value"] < level}
        changes = by_trait(seed.metrics, arm, condition, "bradley_terry", "base")
        moved.append({(row["trait"], row["value"] > 0) for row in changes if row["trait"] in beyond})
    always = set.intersection(*moved)
    changes = by_trait(part.metrics, arm, condition, "bradley_terry", "base")
    return {
        "rose": [row for row in changes if (row["trait"], True) in always],
        "fell": [row for row in reversed(changes) if (row["trait"], False) in always],
        "of": len(tests),
    }


def top_movers(metrics: Sequence[Row], arm: str, condition: str, most: int = 6) -> list[dict[str, Any]]:
    """Traits whose strength moved furthest from base, up to `most` each way, the highest rise first."""
    ordered = by_trait(metrics, arm, condition, "bradley_terry", "base")
    up, down = [row for row in ordered if row["value"] > 0][:most], [row for row in ordered if row["value"] < 0][-most:]
    return [*up, *down]


def preferences_figure(cell: CellResults, condition: str, arms: Sequence[str] = JUDGED_ARMS) -> str | None:
    """Revealed preferences that moved furthest from base, one panel an arm; None where nothing moved."""
    movers = {arm: top_movers(cell.metrics, arm, condition) for arm in arms}
    longest = max(map(len, movers.values()))
    if not longest:
        return None
    figure, axes = new_figure(len(arms), 9.2, 1.2 + max(longest, 2) * line_height(cell, 0.29, 0.13))
    for axis, arm in zip(axes[0], arms, strict=True):
        traits = [row["trait"] for row in movers[arm]]
        draw_seeds(
            axis,
            cell,
            lambda metrics, arm=arm, traits=traits: _strengths(metrics, arm, condition, traits),
            [COLOURS[arm]] * len(traits),
        )
        axis.set_title(arm)
        tag(axis, arm=arm)
        zero_line(axis, "Bradley-Terry strength − base, logits")
        axis.set_yticks(range(len(traits)), traits)
        axis.set_ylim(max(longest, 2) - 0.4, -0.6)
    seed_legend(figure, cell.seeds, mean=True)
    return as_svg(figure, f"Revealed preferences, {condition}, {cell.student}, {cell.constitution}")


def _strengths(metrics: Sequence[Row], arm: str, condition: str, traits: Sequence[str]) -> list[Row | None]:
    found = {row["trait"]: row for row in by_trait(metrics, arm, condition, "bradley_terry", "base")}
    return [found.get(trait) for trait in traits]


def preferences_figures(cell: CellResults, conditions: Sequence[str]) -> dict[str, Figure]:
    """By file name."""
    figures = {}
    for condition in conditions:
        if drawn := preferences_figure(cell, condition):
            about = f"{condition}, {cell.constitution}, {cell.student}; metrics.csv holds the numbers"
            strengths = pick(cell.all_metrics, evaluation="preferences", metric="bradley_terry", reference="base")
            movers = {(arm, row["slice"]) for arm in JUDGED_ARMS for row in top_movers(cell.metrics, arm, condition)}
            shown = [row for row in strengths if (row["arm"], row["slice"]) in movers]
            name = f"preferences-{cell.constitution}-{cell.student}-{condition}"
            figures[name] = Figure(drawn, f"Revealed preferences that moved most, {about}", shown)
    return figures
