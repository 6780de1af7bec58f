"""Intervals and rankings: thin layers over scipy that fix seeds, pairing and edge cases."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# No draw of fewer groups reaches far enough beyond their mean for a bootstrap interval to hold.
_FEWEST = 6
# Draws that differ by less, relative to the value, are alike.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; `low` and `high` are None where there is none to be had."""

    value: float
    low: float | None
    high: float | None
    n: int
    method: str


def spell_estimate(found: Estimate) -> dict[str, Any]:
    """The fields of tables.METRICS that an estimate gives."""
    return {"value": found.value, "ci_low": found.low, "ci_high": found.high, "interval": found.method, "n": found.n}


def mean_with_interval(
    values: Sequence[float], *, confidence: float, resamples: int, seed: int, share: bool = False
) -> Estimate:
    """The mean over prompts and its interval: BCa bootstrap (see `_over_groups`); of 3 to 5 values Student's t.

    For a paired comparison give the differences. share: the values lie between 0 and 1, and have an interval even where
    they are all equal; others then have none. Raises ValueError without values.
    """
    sample = np.asarray(values, dtype=float)
    if sample.size == 0:
        raise ValueError("no values")
    if 2 < sample.size < _FEWEST and np.ptp(sample) and not share:
        return replace(t_interval(sample, confidence=confidence), method="Student's t")
    return _over_groups(
        float(sample.mean()),
        sample,
        np.mean,
        vectorized=True,
        share=share,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )


def wilson(share: float, n: int, *, confidence: float) -> Estimate:
    """A share of independent cases and its score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Also of a mean of values between 0 and 1: it is too wide for them, since none vary more than those of 0 and 1.
    """
    from scipy import special

    square = special.ndtri((1 + confidence) / 2) ** 2
    centre = (share + square / (2 * n)) / (1 + square / n)
    reach = math.sqrt(square * (share * (1 - share) / n + square / (4 * n**2))) / (1 + square / n)
    # Rounding must not leave a share outside its interval, nor that outside 0 and 1.
    low, high = max(0.0, min(share, float(centre - reach))), min(1.0, max(share, float(centre + reach)))
    return Estimate(share, low, high, n, "Wilson")


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
    share: bool = False,
) -> Estimate | None:
    """A statistic of all rows together, and its BCa bootstrap interval over the groups that they come in.

    groups: arrays [rows, columns]; groups are drawn, each with all its rows. statistic: of such an array, joined. n: groups.
    share: it lies between 0 and 1. None where the statistic is not a number; no interval where it is not one for some draw.
    """
    value = statistic(np.concatenate(groups)) if groups else math.nan
    if math.isnan(value):
        return None
    return _over_groups(
        value,
        np.arange(len(groups)),
        lambda drawn: statistic(np.concatenate([groups[number] for number in drawn])),
        vectorized=False,
        share=share,
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
    share: bool = False,
) -> Estimate:
    """A statistic of counts added up over groups, and its BCa bootstrap interval over the groups.

    counts: [groups, ...], at least one group. statistic: of sums, whose last axes are those of the counts. n: groups.
    share: it lies between 0 and 1.
    """
    return _over_groups(
        float(statistic(counts.sum(axis=0))),
        np.arange(len(counts)),
        lambda drawn, axis: statistic(counts[drawn].sum(axis=drawn.ndim - 1)),
        vectorized=True,
        share=share,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
    )


def _over_groups(
    value: float,
    groups: np.ndarray,
    statistic: Callable[..., Any],
    *,
    vectorized: bool,
    share: bool,
    confidence: float,
    resamples: int,
    seed: int,
) -> Estimate:
    """A value and its BCa bootstrap interval (Efron 1987, doi:10.1080/01621459.1987.10478410), widened for few groups.

    A bootstrap of n groups is too narrow by sqrt((n - 1) / n), and takes for normal what is rather Student's t. So its tails
    are those beyond sqrt(n / (n - 1)) times the quantile of t (Hesterberg 2015, doi:10.1080/00031305.2015.1089789).
    Where that is none, of fewer than 6 groups or of such as are all alike, a share has Wilson's, and anything else none.
    groups: [n], what is drawn from. statistic: of groups that were drawn.
    """
    from scipy import special, stats  # slow to import

    n, low, high = len(groups), math.nan, math.nan
    if n >= _FEWEST:
        reach = math.sqrt(n / (n - 1)) * special.stdtrit(n - 1, (1 + confidence) / 2)
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):  # of draws that are all alike
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            result = stats.bootstrap(
                (groups,),
                statistic,
                confidence_level=1 - 2 * special.ndtr(-reach),
                n_resamples=resamples,
                method="BCa",
                vectorized=vectorized,
                batch=1000 if vectorized else None,
                rng=np.random.default_rng(seed),
            )
        if np.ptp(result.bootstrap_distribution) > _ROUNDING * max(1.0, abs(value)):
            low, high = (float(bound) for bound in result.confidence_interval)
    if not math.isnan(low + high):
        return Estimate(value, low, high, n, "BCa bootstrap, widened")
    if share:
        return wilson(value, n, confidence=confidence)
    return Estimate(value, None, None, n, "none")
