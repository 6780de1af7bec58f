"""What each trait contributes, picked out of a run's metrics for the report; nothing is computed here but an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ethos.run_results import CellResults, SeedResults, find

Row = Mapping[str, Any]


def contribution(
    seed: SeedResults, arm: str, trait: str, part: str = "all", metric: str = "likelihood_ratio"
) -> Row | None:
    """What a trait contributes to another, or to the whole character (`all`): the arm minus itself trained without it."""
    return find(seed.metrics, metric, arm, f"without {trait}", part=part, evaluation="contributions")


def ranked_traits(cell: CellResults, arm: str) -> list[str]:
    """Traits that were left out, by the mean over seeds of what they contribute to the whole character, most first."""
    means = {}
    for trait in cell.traits:
        rows = [row for seed in cell.seeds if (row := contribution(seed, arm, trait))]
        if rows:
            means[trait] = sum(row["value"] for row in rows) / len(rows)
    return sorted(means, key=means.__getitem__, reverse=True)


def contribution_values(cell: CellResults, arm: str) -> dict[str, Any] | None:
    """What the page says of contributions; None where the run has none for this cell. rows: by seed, in the ranked order."""
    traits = ranked_traits(cell, arm)
    if not traits:
        return None
    return {
        "arm": arm,
        "traits": traits,
        "whole": {
            seed.seed: find(seed.metrics, "likelihood_ratio", arm, "base", evaluation="contributions")
            for seed in cell.seeds
        },
        "rows": {
            seed.seed: [
                {
                    "trait": trait,
                    "whole": contribution(seed, arm, trait),
                    "p": contribution(seed, arm, trait, metric="likelihood_ratio_holm_p"),
                    "own": contribution(seed, arm, trait, trait),
                    "cues": contribution(seed, arm, trait, metric="cue_rate"),
                    "perplexity": contribution(seed, arm, trait, metric="log_perplexity"),
                }
                for trait in traits
            ]
            for seed in cell.seeds
        },
    }
