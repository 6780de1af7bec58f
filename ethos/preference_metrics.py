"""What the matches between traits say: how strongly each arm prefers each trait, and which traits moved from base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from ethos.arms import ARMS
from ethos.evaluation_settings import Preferences
from ethos.rank_correlation import correlation_with_interval
from ethos.seeds import derive_seed
from ethos.statistics import holm, spell_estimate
from ethos.tournament import Fit, Matches, elo, fit, moved_p, strength_covariance, strengths

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
    redraws: np.ndarray
    orders: np.ndarray


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
        design = _Design(traits, settings, confidence, redraws, orders)
        fits = {arm: fit(as_matches(own, traits)) for arm, own in ended.items()}
        for arm, own in fits.items():
            found = _levels(own, ended[arm], design) + (_changes(own, fits["base"], design) if arm != "base" else [])
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


def _levels(own: Fit, played: Sequence[Row], design: _Design) -> list[dict[str, Any]]:
    """An arm by itself: strengths, ratings, how well its two halves agree, and how many matches ended openly."""
    k = design.settings.elo_k
    ratings = elo(own.matches, design.orders, k=k).mean(0)
    tails = [(1 - design.confidence) / 2, (1 + design.confidence) / 2]
    bounds = np.quantile(elo(own.matches, design.redraws, k=k), tails, axis=0)
    halves = [strengths(own.matches.wins(half)) for half in np.array_split(design.orders[0], 2)]
    open_ends = [
        {"metric": verdict, "value": sum(row["verdict"] == verdict for row in played) / len(played)}
        | {"n": len(played), "reference": None}
        | _ALONE
        for verdict in OPEN_ENDS
    ]
    return [
        *_strengths(None, own.strengths, strength_covariance(own, own), own.n, design),
        *_by_trait("elo", None, ratings, bounds, "percentile bootstrap over matches", own.n, design),
        *_correlation("split_half_correlation", None, *halves, design),
        *open_ends,
    ]


def _changes(own: Fit, base: Fit, design: _Design) -> list[dict[str, Any]]:
    """An arm beside base: differences in strength, which of them are more than chance, and how alike the orders are."""
    n = int(np.isfinite(own.matches.outcomes - base.matches.outcomes).sum())
    p_values, changed = moved_p(own.matches, base.matches)
    tests = [
        {"metric": "bradley_terry_holm_p", "reference": "base", "trait": trait, "value": p, "n": number} | _ALONE
        for trait, p, number in zip(design.traits, holm(p_values), changed, strict=True)
    ]
    together = strength_covariance(own, base)
    covariance = strength_covariance(own, own) + strength_covariance(base, base) - together - together.T
    return [
        *_strengths("base", own.strengths - base.strengths, covariance, n, design),
        *_correlation("rank_correlation", "base", own.strengths, base.strengths, design),
        *tests,
    ]


def _strengths(
    reference: str | None, values: np.ndarray, covariance: np.ndarray, n: int, design: _Design
) -> list[dict[str, Any]]:
    reach = NormalDist().inv_cdf((1 + design.confidence) / 2) * np.sqrt(np.maximum(covariance.diagonal(), 0))
    return _by_trait(
        "bradley_terry", reference, values, np.array([values - reach, values + reach]), "Laplace", n, design
    )


def _by_trait(
    metric: str,
    reference: str | None,
    values: np.ndarray,
    bounds: np.ndarray,
    interval: str,
    n: int,
    design: _Design,
) -> list[dict[str, Any]]:
    shared = {"metric": metric, "reference": reference, "interval": interval, "n": n}
    return [
        shared | {"trait": trait, "value": float(value), "ci_low": float(low), "ci_high": float(high)}
        for trait, value, low, high in zip(design.traits, values, *bounds, strict=True)
    ]


def _correlation(
    metric: str, reference: str | None, one: np.ndarray, other: np.ndarray, design: _Design
) -> list[dict[str, Any]]:
    found = correlation_with_interval(one, other, confidence=design.confidence)
    return [{"metric": metric, "reference": reference} | spell_estimate(found)] if found else []
