"""Intervals and rankings: thin layers over scipy and choix that fix seeds, pairing and edge cases."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; `low` and `high` are None where there is none to be had (n below 2)."""

    value: float
    low: float | None
    high: float | None
    n: int
    method: str


def mean_with_interval(values: Sequence[float], *, confidence: float, resamples: int, seed: int) -> Estimate:
    """The mean over prompts and its BCa bootstrap interval (Efron 1987, doi:10.1080/01621459.1987.10478410).

    For a paired comparison give the differences. Values that are all equal have an interval of no width.
    """
    from scipy import stats  # slow to import

    sample = np.asarray(values, dtype=float)
    if sample.size == 0:
        raise ValueError("no values")
    mean = float(sample.mean())
    if sample.size < 2:
        return Estimate(mean, None, None, 1, "none")
    if np.ptp(sample) == 0:
        return Estimate(mean, mean, mean, sample.size, "BCa bootstrap")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        result = stats.bootstrap(
            (sample,),
            np.mean,
            confidence_level=confidence,
            n_resamples=resamples,
            method="BCa",
            rng=np.random.default_rng(seed),
        )
    low, high = (float(bound) for bound in result.confidence_interval)
    if np.isnan(low) or np.isnan(high):
        return Estimate(mean, None, None, sample.size, "none")
    return Estimate(mean, low, high, sample.size, "BCa bootstrap")


def proportion_with_interval(successes: int, n: int, *, confidence: float) -> Estimate:
    """A share and its Wilson score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    from scipy import stats

    if n == 0:
        raise ValueError("no trials")
    low, high = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return Estimate(successes / n, float(low), float(high), n, "Wilson")


def sign_flip_p(differences: Sequence[float], *, resamples: int, seed: int) -> float:
    """Two-sided p-value of a mean paired difference: how often one at least as large comes of random signs.

    All assignments of signs are tried where they are no more than `resamples`, which makes the test exact
    (Fisher 1935, The Design of Experiments, section 21). Raises ValueError without differences.
    """
    from scipy import stats

    sample = np.asarray(differences, dtype=float)
    if sample.size == 0:
        raise ValueError("no values")
    return float(
        stats.permutation_test(
            (sample,),
            np.mean,
            permutation_type="samples",
            n_resamples=resamples,
            vectorized=True,
            rng=np.random.default_rng(seed),
        ).pvalue
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of one family of tests, adjusted so that a false finding among all is as rare as p says (Holm 1979)."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def bradley_terry(
    items: int, wins: Sequence[tuple[int, int]], ties: Sequence[tuple[int, int]] = (), *, prior: float = 0.1
) -> np.ndarray:
    """Strengths by penalised maximum likelihood (Bradley & Terry 1952, doi:10.2307/2334029).

    items: how many. wins: (winner, loser) each. ties: each counts as half a win for both. prior: weight of the squared
    strengths, which keeps items that won or lost everything finite. Returns strengths on the logit scale, mean 0.
    """
    import choix

    # choix has no weights: a win is entered twice, a tie once each way; the prior is doubled to match.
    data = [pair for pair in wins for _ in range(2)] + [pair for a, b in ties for pair in ((a, b), (b, a))]
    if not data:
        return np.zeros(items)
    strengths = choix.opt_pairwise(items, data, alpha=2 * prior)
    # Equal records must be equal strengths, not differ by what rounding left.
    return np.round(strengths - strengths.mean(), 6)
