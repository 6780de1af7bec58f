"""Strengths of items from matches between two of them: Bradley-Terry, Elo, and the test of whether an item moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ethos.newton import newton
from ethos.proportions import sign_p

PRIOR = 0.1  # weight of the squared strengths
ELO_START = 1000.0  # the mean of all ratings, before and after
_ELO_SCALE = 400.0  # points at which the stronger wins ten times for each time it loses (Elo 1978)


@dataclass(frozen=True)
class Matches:
    """first, second: the items that met, int [matches]. outcomes: 1 where the first won, 0 where the second did, 0.5 for a tie,
    NaN for a match that does not count, float [matches].
    """

    items: int
    first: np.ndarray
    second: np.ndarray
    outcomes: np.ndarray

    def wins(self, draw: np.ndarray | None = None) -> np.ndarray:
        """How often each item beat each other, [items, items]; a tie is half a win for both.

        draw: places of the matches that count, as often as they stand there; all matches once if not given.
        """
        first, second, won = self.first, self.second, self.outcomes
        if draw is not None:
            first, second, won = first[draw], second[draw], won[draw]
        cells = np.concatenate([first * self.items + second, second * self.items + first])
        halves = np.nan_to_num(np.concatenate([won, 1 - won]))
        return np.bincount(cells, halves, self.items**2).reshape(self.items, self.items)


def strengths(wins: np.ndarray, *, prior: float = PRIOR) -> np.ndarray:
    """Bradley-Terry strengths by penalised maximum likelihood (Bradley & Terry 1952, doi:10.2307/2334029).

    wins: how often each item beat each other, [items, items]. prior: weight of the squared strengths, which keeps items that
    won or lost everything finite. Returns logits, mean 0.
    """
    met, size = wins + wins.T, len(wins)

    def slopes(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chance = 1 / (1 + np.exp(logits[None, :] - logits[:, None]))
        weight = met * chance * (1 - chance)
        information = np.diag(weight.sum(1) + 2 * prior) - weight
        return (wins - met * chance).sum(1) - 2 * prior * logits, information

    found = newton(slopes, np.ptp, size)
    # Equal records must be equal strengths, not differ by what rounding left.
    return np.round(found - found.mean(), 6)


def bradley_terry(
    items: int, wins: Sequence[tuple[int, int]], ties: Sequence[tuple[int, int]] = (), *, prior: float = PRIOR
) -> np.ndarray:
    """`strengths` from lists. wins: (winner, loser) each. ties: each counts as half a win for both."""
    pairs = np.array([*wins, *ties], dtype=int).reshape(-1, 2)
    outcomes = np.array([1.0] * len(wins) + [0.5] * len(ties))
    return strengths(Matches(items, pairs[:, 0], pairs[:, 1], outcomes).wins(), prior=prior)


@dataclass(frozen=True)
class Fit:
    """Bradley-Terry strengths of matches, and what their errors follow from.

    strengths: logits [items]. residuals: outcomes minus what the strengths expect, 0 for a match that does not count, [matches].
    spreads: expected standard deviation of the outcomes, likewise. information: of the penalised likelihood, [items, items].
    """

    matches: Matches
    strengths: np.ndarray
    residuals: np.ndarray
    spreads: np.ndarray
    information: np.ndarray

    @property
    def n(self) -> int:
        return int(np.isfinite(self.matches.outcomes).sum())


def fit(matches: Matches) -> Fit:
    found, counts = strengths(matches.wins()), np.isfinite(matches.outcomes)
    chance = 1 / (1 + np.exp(found[matches.second] - found[matches.first]))
    weight = counts * chance * (1 - chance)
    # A tie is no coin that fell on one side: where many are, outcomes vary less than wins and losses would.
    decided = 1 - (matches.outcomes == 0.5).sum() / max(1, counts.sum())
    return Fit(
        matches,
        found,
        np.where(counts, matches.outcomes - chance, 0.0),
        np.sqrt(weight * decided),
        _who_met(matches, weight) + 2 * PRIOR * np.eye(matches.items),
    )


def _who_met(matches: Matches, weight: np.ndarray) -> np.ndarray:
    """The information that matches of these weights [matches] hold of the strengths, [items, items]."""
    met = np.bincount(matches.first * matches.items + matches.second, weight, matches.items**2)
    met = met.reshape(matches.items, matches.items)
    met = met + met.T
    return np.diag(met.sum(1)) - met


def strength_covariance(one: Fit, other: Fit) -> np.ndarray:
    """How the errors of the strengths of two arms go together that play the same matches, [items, items].

    The normal approximation of the posterior (Laplace): each match moves both, as far as their residuals correlate over
    all matches; so does the prior, of variance 1 / (2 PRIOR), which is common to both. Of one with itself, the covariance
    of its strengths.
    """
    alike = one.residuals @ other.residuals
    alike /= max(math.sqrt((one.residuals @ one.residuals) * (other.residuals @ other.residuals)), np.finfo(float).tiny)
    moved = alike * _who_met(one.matches, one.spreads * other.spreads) + 2 * PRIOR * np.eye(one.matches.items)
    errors = np.linalg.solve(one.information, np.linalg.solve(other.information, moved.T).T)
    return errors - errors.mean(0) - errors.mean(1)[:, None] + errors.mean()


def elo(matches: Matches, orders: np.ndarray, *, k: float) -> np.ndarray:
    """Elo ratings after the matches were played in each of several orders (Elo 1978, The Rating of Chessplayers).

    orders: places of the matches, int [orders, played]; a match may stand there more than once. k: points that a match
    is worth at most. Returns [orders, items]. A rating depends on the order, so it is the mean over many that means something.
    """
    ratings = np.full((len(orders), matches.items), ELO_START)
    each = np.arange(len(orders))
    for played in orders.T:
        first, second = matches.first[played], matches.second[played]
        expected = 1 / (1 + 10 ** ((ratings[each, second] - ratings[each, first]) / _ELO_SCALE))
        change = np.nan_to_num(k * (matches.outcomes[played] - expected))
        ratings[each, first] += change
        ratings[each, second] -= change
    return ratings


def moved_p(own: Matches, other: Matches) -> tuple[list[float], list[int]]:
    """Of each item, the p-value that it won as often in the one as in the other, and the matches that came out differently.

    The two hold the same matches, played twice. An exact sign test over those in which the item did better or worse, two-sided:
    how often one side has at least so many if each difference has either sign with the same chance (McNemar 1947,
    doi:10.1007/BF02295996). It is the permutation test that swaps the two players of any match.
    """
    better = np.sign(np.nan_to_num(own.outcomes - other.outcomes))
    found, changed = [], []
    for item in range(own.items):
        signs = np.concatenate([better[own.first == item], -better[own.second == item]])
        rose, fell = int((signs > 0).sum()), int((signs < 0).sum())
        found.append(sign_p(rose, fell))
        changed.append(rose + fell)
    return found, changed
