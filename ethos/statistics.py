"""Intervals and rankings: thin layers over scipy that fix seeds, pairing and edge cases."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; `low` and `high` are None where there is none to be had (n below 2)."""

    value: float
    low: float | None
    high: float | None
    n: int
    method: str


def spell_estimate(found: Estimate) -> dict[str, Any]:
    """The fields of tables.METRICS that an estimate gives."""
    return {"value": found.value, "ci_low": found.low, "ci_high": found.high, "interval": found.method, "n": found.n}


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


def t_interval(values: Sequence[float], *, confidence: float) -> Estimate:
    """The mean of independent values and Student's t-interval (Student 1908, doi:10.1093/biomet/6.1.1).

    For a handful of values, as the results of several seeds: a bootstrap of so few is far too narrow. Raises ValueError
    without values.
    """
    from scipy import special

    sample = np.asarray(values, dtype=float)
    if sample.size == 0:
        raise ValueError("no values")
    mean = float(sample.mean())
    if sample.size < 2:
        return Estimate(mean, None, None, 1, "none")
    reach = special.stdtrit(sample.size - 1, (1 + confidence) / 2) * sample.std(ddof=1) / math.sqrt(sample.size)
    return Estimate(mean, mean - float(reach), mean + float(reach), sample.size, "t over seeds")


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


def pooled_with_interval(
    groups: Sequence[np.ndarray],
    statistic: Callable[[np.ndarray], float],
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Estimate | None:
    """A statistic of all rows together, and its BCa bootstrap interval over the groups that they come in.

    groups: arrays [rows, columns]; groups are drawn, each with all its rows. statistic: of such an array, joined. n: groups.
    None where the statistic is not a number; no interval where it is not one for some draw.
    """
    value = statistic(np.concatenate(groups)) if groups else math.nan
    if math.isnan(value):
        return None
    return _over_groups(
        value,
        len(groups),
        lambda drawn: statistic(np.concatenate([groups[number] for number in drawn])),
        vectorized=False,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )


def summed_with_interval(
    counts: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Estimate:
    """A statistic of counts added up over groups, and its BCa bootstrap interval over the groups.

    counts: [groups, ...], at least one group. statistic: of sums, whose last axes are those of the counts. n: groups.
    """
    return _over_groups(
        float(statistic(counts.sum(axis=0))),
        len(counts),
        lambda drawn, axis: statistic(counts[drawn].sum(axis=drawn.ndim - 1)),
        vectorized=True,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )


def _over_groups(
    value: float,
    groups: int,
    statistic: Callable[..., Any],
    *,
    vectorized: bool,
    confidence: float,
    resamples: int,
    seed: int,
) -> Estimate:
    """The BCa bootstrap interval of a value over groups. statistic: of the numbers of the groups that were drawn."""
    from scipy import stats

    nothing = Estimate(value, None, None, groups, "none")
    if groups < 2:
        return nothing
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):  # of draws that are all alike
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        result = stats.bootstrap(
            (np.arange(groups),),
            statistic,
            confidence_level=confidence,
            n_resamples=resamples,
            method="BCa",
            vectorized=vectorized,
            batch=1000 if vectorized else None,
            rng=np.random.default_rng(seed),
        )
    low, high = (float(bound) for bound in result.confidence_interval)
    if math.isnan(low) or math.isnan(high):
        return nothing
    return Estimate(value, low, high, groups, "BCa bootstrap")


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation, -1 to 1; ties share a rank; NaN where one of the two is constant."""
    from scipy import stats

    ranks = np.array([stats.rankdata(first), stats.rankdata(second)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    spread = np.sqrt((ranks**2).sum(axis=1).prod())
    return float((ranks[0] * ranks[1]).sum() / spread) if spread else math.nan


def rank_agreement(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kendall's tau-b of two scores of the same items, -1 to 1 (Kendall 1945, doi:10.1093/biomet/33.3.239).

    None where one of the two ties all items, and so orders nothing.
    """
    from scipy import stats

    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(stats.kendalltau(first, second, variant="b").statistic)
