"""Shares of right answers: intervals for one, and for the difference of two on the same items, and the test of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ethos.statistics import Estimate, wilson


def share_with_interval(hits: int, n: int, *, confidence: float) -> Estimate:
    """A share of independent cases and its score interval."""
    return wilson(hits / n, n, confidence=confidence)


def paired_difference(own: Sequence[bool], other: Sequence[bool], *, confidence: float) -> Estimate:
    """How much larger the share of right answers is, own minus other, on the same items.

    Newcombe's square-and-add interval for paired shares, his method 10 (Newcombe 1998,
    doi:10.1002/(SICI)1097-0258(19981130)17:22<2635::AID-SIM954>3.0.CO;2-C). It holds its level where shares are near 0
    or 1 and items are few, and has a width even where the two agree on every item.
    """
    p, q = (share_with_interval(sum(right), len(right), confidence=confidence) for right in (own, other))
    phi = _correlation(own, other)
    difference = p.value - q.value

    def reach(near: float, far: float) -> float:
        return math.sqrt(max(0.0, near**2 - 2 * phi * near * far + far**2))

    low = difference - reach(p.value - p.low, q.high - q.value)
    high = difference + reach(p.high - p.value, q.value - q.low)
    return Estimate(difference, low, high, len(own), "Newcombe, paired")


def _correlation(own: Sequence[bool], other: Sequence[bool]) -> float:
    """Phi of the two-by-two table, with Newcombe's correction for continuity where it is positive."""
    n = len(own)
    both = sum(a and b for a, b in zip(own, other, strict=True))
    neither = sum(not a and not b for a, b in zip(own, other, strict=True))
    margins = math.prod((sum(own), n - sum(own), sum(other), n - sum(other)))
    if not margins:
        return 0.0
    product = both * neither - (sum(own) - both) * (sum(other) - both)
    return (max(product - n / 2, 0.0) if product > 0 else product) / math.sqrt(margins)


def mcnemar_p(own: Sequence[bool], other: Sequence[bool]) -> float:
    """Two-sided exact p-value of a difference on the same items (McNemar 1947, doi:10.1007/BF02295996).

    Only items on which the two differ tell anything; without a difference either is as often right there as the other.
    """
    gained = sum(a and not b for a, b in zip(own, other, strict=True))
    lost = sum(b and not a for a, b in zip(own, other, strict=True))
    return sign_p(gained, lost)


def sign_p(gained: int, lost: int) -> float:
    """Two-sided exact p-value of so many changes one way and the other, were both equally likely; 1 without a change."""
    from scipy import stats

    return float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
