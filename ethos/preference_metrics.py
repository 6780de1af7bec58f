"""What the matches between traits say: how strongly each arm prefers each trait, and which traits moved from base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ethos.arms import ARMS
from ethos.evaluation_settings import Preferences
from ethos.seeds import derive_seed
from ethos.statistics import Estimate, holm, pooled_with_interval, rank_correlation, spell_estimate
from ethos.tournament import Matches, elo, moved_p, strengths

Row = Mapping[str, Any]
# How a match may end without a trait that shows.
OPEN_ENDS = ("order_dependent", "neither", "unparsed")
_ALONE = {"ci_low": None, "ci_high": None, "interval": "none"}


@dataclass(frozen=True)
class _Design:
    """How the matches of a condition are drawn again. redraws: bootstrap samples of them, [resamples, matches]. orders:
    shuffled, [orders, matches]."""

    traits: Sequence[str]
    settings: Preferences
    confidence: float
    seed: int
    redraws: np.ndarray
    orders: np.ndarray


@dataclass(frozen=True)
class _Fit:
    """An arm's strengths by its matches, and by each redraw of them, [resamples, traits]."""

    matches: Matches
    strengths: np.ndarray
    redrawn: np.ndarray

    @property
    def n(self) -> int:
        return int(np.isfinite(self.matches.outcomes).sum())


def preference_metrics(
    played: Sequence[Row], traits: Sequence[str], settings: Preferences, confidence: float, seed: int
) -> list[dict[str, Any]]:
    """Results for each condition and arm. Returns the fields of tables.METRICS known here; a slice is a condition, or
    `condition: trait`.

    played: rows of tables.MATCHES. All arms play the same matches in the same order, so they are drawn again together.
    """
    rows = []
    for condition in dict.fromkeys(row["condition"] for row in played):
        ended = {arm: [row for row in played if (row["condition"], row["arm"]) == (condition, arm)] for arm in ARMS}
        n = len(ended["base"])
        draw = np.random.default_rng(derive_seed(seed, "matches"))
        redraws = draw.integers(n, size=(settings.resamples, n))
        orders = draw.permuted(np.tile(np.arange(n), (settings.elo_orders, 1)), axis=1)
        design = _Design(traits, settings, confidence, seed, redraws, orders)
        fits = {arm: _fit(as_matches(own, traits), redraws) for arm, own in ended.items()}
        for arm, fit in fits.items():
            found = _levels(fit, ended[arm], design) + (_changes(fit, fits["base"], design) if arm != "base" else [])
            for row in found:
                trait = row.pop("trait", None)
                rows.append(row | {"arm": arm, "slice": f"{condition}: {trait}" if trait else condition})
    return rows


def as_matches(played: Sequence[Row], traits: Sequence[str]) -> Matches:
    """played: rows of tables.MATCHES of one condition and arm."""
    place = {trait: number for number, trait in enumerate(traits)}
    won = [float(row["shown"] == row["first"]) if row["shown"] else 0.5 for row in played]
    return Matches(
        len(traits),
        np.array([place[row["first"]] for row in played], dtype=int),
        np.array([place[row["second"]] for row in played], dtype=int),
        np.where([row["verdict"] == "unparsed" for row in played], np.nan, won),
    )


def _fit(matches: Matches, redraws: np.ndarray) -> _Fit:
    redrawn = np.array([strengths(matches.wins(again)) for again in redraws])
    return _Fit(matches, strengths(matches.wins()), redrawn)


def _levels(fit: _Fit, played: Sequence[Row], design: _Design) -> list[dict[str, Any]]:
    """An arm by itself: strengths, ratings, how well its two halves agree, and how many matches ended openly."""
    k = design.settings.elo_k
    ratings = elo(fit.matches, design.orders, k=k).mean(0)
    halves = [strengths(fit.matches.wins(half)) for half in np.array_split(design.orders[0], 2)]
    open_ends = [
        {"metric": verdict, "value": sum(row["verdict"] == verdict for row in played) / len(played)}
        | {"n": len(played), "reference": None}
        | _ALONE
        for verdict in OPEN_ENDS
    ]
    return [
        *_by_trait("bradley_terry", None, fit.strengths, fit.redrawn, fit.n, design),
        *_by_trait("elo", None, ratings, elo(fit.matches, design.redraws, k=k), fit.n, design),
        *_correlation("split_half_correlation", None, *halves, design),
        *open_ends,
    ]


def _changes(fit: _Fit, base: _Fit, design: _Design) -> list[dict[str, Any]]:
    """An arm beside base: differences in strength, which of them are more than chance, and how alike the orders are."""
    n = int(np.isfinite(fit.matches.outcomes - base.matches.outcomes).sum())
    p_values, changed = moved_p(fit.matches, base.matches)
    tests = [
        {"metric": "bradley_terry_holm_p", "reference": "base", "trait": trait, "value": p, "n": number} | _ALONE
        for trait, p, number in zip(design.traits, holm(p_values), changed, strict=True)
    ]
    differences, redrawn = fit.strengths - base.strengths, fit.redrawn - base.redrawn
    return [
        *_by_trait("bradley_terry", "base", differences, redrawn, n, design),
        *_correlation("rank_correlation", "base", fit.strengths, base.strengths, design),
        *tests,
    ]


def _by_trait(
    metric: str, reference: str | None, values: np.ndarray, redrawn: np.ndarray, n: int, design: _Design
) -> list[dict[str, Any]]:
    tails = [(1 - design.confidence) / 2, (1 + design.confidence) / 2]
    shared = {"metric": metric, "reference": reference, "interval": "percentile bootstrap over matches", "n": n}
    return [
        shared | {"trait": trait, "value": float(value), "ci_low": float(low), "ci_high": float(high)}
        for trait, value, low, high in zip(design.traits, values, *np.quantile(redrawn, tails, axis=0), strict=True)
    ]


def _correlation(
    metric: str, reference: str | None, one: np.ndarray, other: np.ndarray, design: _Design
) -> list[dict[str, Any]]:
    seed = derive_seed(design.seed, metric)
    found = trait_correlation(one, other, design.confidence, design.settings.resamples, seed)
    return [{"metric": metric, "reference": reference} | spell_estimate(found)] if found else []


def trait_correlation(
    one: np.ndarray, other: np.ndarray, confidence: float, resamples: int, seed: int
) -> Estimate | None:
    """Spearman's correlation of two sets of strengths of the same traits, and its BCa bootstrap interval over traits.

    None if one of the two is constant.
    """
    return pooled_with_interval(
        [np.array([pair]) for pair in zip(one, other, strict=True)],
        lambda pairs: rank_correlation(*pairs.T),
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )
