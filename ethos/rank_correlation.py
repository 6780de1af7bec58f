"""How far two orders of the same items agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ethos.statistics import Estimate


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's correlation, -1 to 1; ties share a rank; NaN where one of the two is constant."""
    from scipy import stats

    ranks = np.array([stats.rankdata(first), stats.rankdata(second)])
    ranks -= ranks.mean(axis=1, keepdims=True)
    spread = np.sqrt((ranks**2).sum(axis=1).prod())
    return float((ranks[0] * ranks[1]).sum() / spread) if spread else math.nan


def correlation_with_interval(first: np.ndarray, second: np.ndarray, *, confidence: float) -> Estimate | None:
    """Spearman's correlation over independent items, and its interval by Fisher's transformation, with the variance of
    Bonett & Wright (2000, doi:10.1007/BF02294183), which holds for a few items and for high correlations.

    None where one of the two is constant; no interval of fewer than 4 items, or where the orders are the same or opposite.
    """
    from scipy import special

    value, n = rank_correlation(first, second), len(first)
    if math.isnan(value):
        return None
    if n < 4 or math.isclose(abs(value), 1):
        return Estimate(value, None, None, n, "none")
    reach = special.ndtri((1 + confidence) / 2) * math.sqrt((1 + value**2 / 2) / (n - 3))
    low, high = (math.tanh(math.atanh(value) + sign * reach) for sign in (-1, 1))
    return Estimate(value, low, high, n, "Bonett-Wright")


def rank_agreement(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kendall's tau-b of two scores of the same items, -1 to 1 (Kendall 1945, doi:10.1093/biomet/33.3.239).

    None where one of the two ties all items, and so orders nothing.
    """
    from scipy import stats

    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(stats.kendalltau(first, second, variant="b").statistic)
