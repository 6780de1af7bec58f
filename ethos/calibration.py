"""Calibration: whether a preference model is right as often as its rewards claim.

A difference d of two rewards claims that the better one wins with probability 1 / (1 + exp(-d)) (Bradley & Terry 1952).
Which of a pair is named first means nothing, so a claim counts as the probability of the response with the higher
reward, 0.5 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BINS = 5  # of equal width, 0.1 each
_DRAWS = 999


def claims(differences: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """What is claimed of each pair, 0.5 to 1, and whether that came true: 1, 0, or 0.5 where the rewards are equal.

    differences: reward of what the ranker prefers minus that of the other, logits.
    """
    values = np.asarray(differences, dtype=float)
    return 1 / (1 + np.exp(-np.abs(values))), np.heaviside(values, 0.5)


def _bins(claimed: np.ndarray) -> np.ndarray:
    return np.minimum(((claimed - 0.5) * 2 * BINS).astype(int), BINS - 1)


def _error(claimed: np.ndarray, right: np.ndarray) -> float:
    return float(np.abs(np.bincount(_bins(claimed), claimed - right, minlength=BINS)).sum() / len(claimed))


def calibration_error(differences: Sequence[float]) -> float:
    """Expected calibration error (Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602): how far claim and truth lie apart in a
    bin, averaged over bins by their pairs; 0 is best. It can't fall below zero, so few pairs alone make it larger."""
    return _error(*claims(differences))


def calibration_error_by_chance(differences: Sequence[float], *, seed: int) -> float:
    """The error that the same claims would have on average if they were exactly true: what it must be compared with."""
    claimed, _ = claims(differences)
    draw = np.random.default_rng(seed)
    return float(np.mean([_error(claimed, draw.random(len(claimed)) < claimed) for _ in range(_DRAWS)]))


def reliability_bins(differences: Sequence[float]) -> list[dict[str, float]]:
    """The bins that hold any pair: bounds, number of pairs, mean claim, share right."""
    claimed, right = claims(differences)
    place = _bins(claimed)
    return [
        {
            "low": 0.5 + number / (2 * BINS),
            "high": 0.5 + (number + 1) / (2 * BINS),
            "n": int((place == number).sum()),
            "claimed": float(claimed[place == number].mean()),
            "right": float(right[place == number].mean()),
        }
        for number in range(BINS)
        if (place == number).any()
    ]
