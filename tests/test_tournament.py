"""Strengths agree with a second way to compute them, and an item that moved is told from one that did not."""

from __future__ import annotations

import math
from dataclasses import replace

import choix
import numpy as np
import pytest
from scipy import optimize, stats

from ethos.statistics import holm
from ethos.tournament import ELO_START, PRIOR, Matches, bradley_terry, elo, moved_p, strength_covariance, strengths
from ethos.tournament import fit as fitted


def fit(items: int, wins: list, ties: list, prior: float) -> np.ndarray:
    """Penalised logistic regression, from the definition: a tie is half a win for both."""

    def loss(strengths: np.ndarray) -> float:
        weighted = [(1.0, a, b) for a, b in wins] + [(0.5, *pair) for a, b in ties for pair in ((a, b), (b, a))]
        return prior * (strengths**2).sum() + sum(
            weight * np.logaddexp(0, strengths[b] - strengths[a]) for weight, a, b in weighted
        )

    found = optimize.minimize(loss, np.zeros(items), method="BFGS", options={"gtol": 1e-8}).x
    return found - found.mean()


@pytest.mark.parametrize("prior", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_strengths_are_those_of_a_penalised_logistic_fit(seed, prior):
    draw = np.random.default_rng(seed)
    pairs = [tuple(int(item) for item in draw.choice(5, size=2, replace=False)) for _ in range(30)]
    wins, ties = pairs[:22], pairs[22:]
    assert bradley_terry(5, wins, ties, prior=prior) == pytest.approx(fit(5, wins, ties, prior), abs=1e-3)


def test_two_items_have_the_log_odds_of_their_wins():
    strengths = bradley_terry(2, [(0, 1)] * 30 + [(1, 0)] * 10, prior=1e-9)
    assert strengths[0] - strengths[1] == pytest.approx(math.log(3), abs=1e-4)


@pytest.mark.parametrize("prior", [0.1, 1.0])
def test_two_items_of_which_one_always_wins_are_where_the_penalty_holds_them(prior):
    """With strengths d/2 and -d/2 the derivative of prior * d**2 / 2 + n * log(1 + exp(-d)) is zero."""
    d = optimize.brentq(lambda d: prior * d - 4 / (1 + math.exp(d)), 0, 50)
    assert bradley_terry(2, [(1, 0)] * 4, prior=prior) == pytest.approx([-d / 2, d / 2], abs=1e-3)


def test_the_errors_of_strengths_are_those_of_the_curvature_at_the_maximum():
    """The penalised likelihood, differentiated twice by finite differences; strengths are told from their mean."""
    played, _ = season(5, 40, seed=1)
    played = replace(played, outcomes=np.ceil(played.outcomes))  # without ties
    own, step = fitted(played), 1e-3

    def loss(logits: np.ndarray) -> float:
        signs = np.where(played.outcomes == 1, 1, -1)
        return np.logaddexp(0, -signs * (logits[played.first] - logits[played.second])).sum() + PRIOR * logits @ logits

    shifts = step * np.eye(5)
    curvature = [
        [sum(i * j * loss(own.strengths + i * one + j * other) for i in (1, -1) for j in (1, -1)) for other in shifts]
        for one in shifts
    ]
    centre = np.eye(5) - 1 / 5
    expected = centre @ np.linalg.inv(np.array(curvature) / (4 * step**2)) @ centre
    assert strength_covariance(own, own) == pytest.approx(expected, abs=1e-4)


def test_errors_are_common_to_arms_that_choose_alike_and_not_to_those_that_do_not():
    """Of 4,000 matches of two items that are equally strong: each arm's difference has the variance 4 / 4,000."""
    draw = np.random.default_rng(0)
    first, second = np.zeros(4000, int), np.ones(4000, int)
    one, other = (fitted(Matches(2, first, second, draw.integers(2, size=4000).astype(float))) for _ in range(2))
    contrast = np.array([1, -1])

    def variance(own, base) -> float:
        together = strength_covariance(own, base)
        whole = strength_covariance(own, own) + strength_covariance(base, base) - together - together.T
        return contrast @ whole @ contrast

    assert variance(one, one) == pytest.approx(0, abs=1e-15)
    assert variance(one, other) == pytest.approx(2 * 4 / 4000, rel=0.05)


def test_ties_are_less_spread_than_wins_and_losses_and_matches_that_do_not_count_tell_nothing():
    first, second = np.zeros(400, int), np.ones(400, int)
    half = np.tile([1.0, 0.0], 200)
    decided, tied, lost = (
        strength_covariance(own, own)[0, 0]
        for own in (
            fitted(Matches(2, first, second, outcomes))
            for outcomes in (
                half,
                np.repeat([0.5, 1.0, 0.0], [200, 100, 100]),
                np.where(np.arange(400) < 200, half, np.nan),
            )
        )
    )
    assert tied == pytest.approx(decided / 2, rel=0.01) and lost == pytest.approx(2 * decided, rel=0.01)


def test_ties_favour_neither_side():
    assert bradley_terry(2, [], [(0, 1)] * 3) == pytest.approx([0, 0], abs=1e-9)
    assert bradley_terry(3, [(0, 2)], [(0, 1), (2, 1)]) == pytest.approx(
        bradley_terry(3, [(0, 2)], [(1, 0), (1, 2)]), abs=1e-9
    )
    assert bradley_terry(3, [(0, 2)], [(0, 1), (1, 2)]) == pytest.approx(
        -bradley_terry(3, [(2, 0)], [(0, 1), (1, 2)]), abs=1e-6
    )


def test_items_of_equal_records_are_exactly_equal():
    """A cycle, and all pairs once each way: rounding must not rank what the matches do not."""
    cycle = [(item, (item + 1) % 7) for item in range(7)]
    each_way = [(a, b) for a in range(5) for b in range(5) if a != b]
    assert bradley_terry(7, cycle).tolist() == [0] * 7
    assert bradley_terry(5, each_way).tolist() == [0] * 5
    winner, *others = bradley_terry(6, [(0, item) for item in range(1, 6)]).tolist()
    assert len(set(others)) == 1 and winner > others[0]


def test_items_that_always_win_stay_finite_and_come_first():
    strengths = bradley_terry(4, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] * 50)
    assert np.isfinite(strengths).all()
    assert list(np.argsort(-strengths)) == [0, 1, 2, 3]
    assert strengths.mean() == pytest.approx(0, abs=1e-12)


def test_without_a_single_verdict_all_are_equal():
    assert bradley_terry(3, []).tolist() == [0, 0, 0]


def season(items: int, matches: int, seed: int, spread: float = 1.5) -> tuple[Matches, np.ndarray]:
    """Matches drawn by true strengths, one in ten of them a tie."""
    draw = np.random.default_rng(seed)
    true = draw.normal(0, spread, items)
    pairs = np.array([draw.choice(items, 2, replace=False) for _ in range(matches)])
    outcomes = (draw.random(matches) < 1 / (1 + np.exp(true[pairs[:, 1]] - true[pairs[:, 0]]))).astype(float)
    outcomes[draw.random(matches) < 0.1] = 0.5
    return Matches(items, pairs[:, 0], pairs[:, 1], outcomes), true


@pytest.mark.parametrize("prior", [0.01, 0.1])
@pytest.mark.parametrize(("items", "matches", "spread"), [(6, 40, 1.5), (12, 600, 1.5), (8, 300, 6.0)])
def test_strengths_are_those_of_choix(items, matches, spread, prior):
    played, _ = season(items, matches, seed=items, spread=spread)
    data = []  # choix has no weights: a win is entered twice, a tie once each way; the penalty is doubled to match
    for first, second, won in zip(played.first.tolist(), played.second.tolist(), played.outcomes, strict=True):
        data += {1.0: [(first, second)] * 2, 0.0: [(second, first)] * 2, 0.5: [(first, second), (second, first)]}[won]
    expected = choix.opt_pairwise(items, data, alpha=2 * prior)
    assert strengths(played.wins(), prior=prior) == pytest.approx(expected - expected.mean(), abs=1e-4)


@pytest.mark.parametrize("prior", [0.1, 1e-6])
def test_records_as_one_sided_as_can_be_are_fitted_too(prior):
    wins = np.triu(np.full((6, 6), 1e5), 1)
    found = strengths(wins, prior=prior)
    assert np.isfinite(found).all() and (np.diff(found) < 0).all()


def test_true_strengths_are_found_again():
    played, true = season(20, 4000, seed=1)
    assert np.corrcoef(strengths(played.wins()), true)[0, 1] > 0.99


def test_a_match_drawn_twice_counts_twice_and_one_that_is_not_counted_not_at_all():
    matches = Matches(3, np.array([0, 1, 2]), np.array([1, 2, 0]), np.array([1.0, 0.5, np.nan]))
    assert matches.wins().tolist() == [[0, 1, 0], [0, 0, 0.5], [0, 0.5, 0]]
    assert matches.wins(np.array([0, 0, 2])).tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 0]]


def rated(outcomes: list[float], k: float = 32) -> np.ndarray:
    """Two players' ratings after these matches, in this order."""
    n = len(outcomes)
    matches = Matches(2, np.zeros(n, int), np.ones(n, int), np.array(outcomes))
    return elo(matches, np.arange(n)[None], k=k)[0]


def test_elo_of_two_players_is_that_of_the_formula_by_hand():
    assert rated([1.0]).tolist() == [ELO_START + 16, ELO_START - 16]  # equals: half of k
    second = 32 * (1 - 1 / (1 + 10 ** (-32 / 400)))
    assert rated([1.0, 1.0]) == pytest.approx([ELO_START + 16 + second, ELO_START - 16 - second])
    upset = 32 / (1 + 10 ** (-32 / 400))
    assert rated([1.0, 0.0]) == pytest.approx([ELO_START + 16 - upset, ELO_START - 16 + upset])
    assert rated([0.5, np.nan, 0.5]).tolist() == [ELO_START, ELO_START]


def test_elo_settles_where_the_expected_score_is_the_actual_one():
    """Three wins to a loss: 400 * log10(3) points apart, whatever k, if k is small."""
    draw = np.random.default_rng(0)
    ratings = rated((draw.random(8_000) < 0.75).astype(float).tolist(), k=2)
    assert ratings[0] - ratings[1] == pytest.approx(400 * math.log10(3), abs=25)


def test_the_mean_over_many_orders_does_not_depend_on_the_order_that_one_rating_depends_on():
    played, _ = season(6, 90, seed=2)
    draw = np.random.default_rng(0)
    orders = draw.permuted(np.tile(np.arange(90), (4000, 1)), axis=1)
    ratings = elo(played, orders, k=32)
    assert ratings.mean(axis=1) == pytest.approx(np.full(4000, ELO_START))
    assert np.ptp(ratings[:, 0]) > 50
    assert ratings[:2000].mean(0) == pytest.approx(ratings[2000:].mean(0), abs=4)
    backwards = Matches(6, played.first[::-1], played.second[::-1], played.outcomes[::-1])
    assert elo(backwards, orders, k=32).mean(0) == pytest.approx(ratings.mean(0), abs=4)


def test_an_item_that_wins_more_than_before_is_found_and_the_others_are_not():
    """Each of the others loses two or three matches more, against that item."""
    played, _ = season(30, 1200, seed=3)
    won = played.outcomes.copy()
    won[played.first == 4], won[played.second == 4] = 1.0, 0.0
    p_values, changed = moved_p(Matches(30, played.first, played.second, won), played)
    assert [item for item, p in enumerate(holm(p_values)) if p < 0.05] == [4]
    assert changed[4] == np.count_nonzero(won != played.outcomes) == sum(changed) / 2


def test_the_p_value_is_the_share_of_swapped_matches_that_are_as_extreme():
    """All ways to swap the two players of each match, written out."""
    first, second = np.zeros(6, int), np.ones(6, int)
    own = Matches(2, first, second, np.array([1, 1, 1, 0.5, 0, 1.0]))
    other = Matches(2, first, second, np.array([0, 0, 0.5, 0, 1, 1.0]))
    signs = np.sign(own.outcomes - other.outcomes)
    totals = [abs((signs * flips).sum()) for flips in np.stack(np.meshgrid(*[[1, -1]] * 6), -1).reshape(-1, 6)]
    expected = np.mean(np.array(totals) >= abs(signs.sum()))
    assert moved_p(own, other) == ([pytest.approx(expected)] * 2, [5, 5])


def test_two_arms_that_choose_alike_are_found_to_differ_as_rarely_as_the_level_says():
    found = 0
    for seed in range(60):
        one, _ = season(6, 60, seed=seed)
        draw = np.random.default_rng(1000 + seed)
        again = Matches(6, one.first, one.second, np.where(draw.random(60) < 0.5, one.outcomes, 1 - one.outcomes))
        found += sum(p < 0.05 for p in moved_p(again, Matches(6, one.first, one.second, 1 - again.outcomes))[0])
    assert stats.binomtest(found, 360, 0.05, alternative="greater").pvalue > 0.01  # discrete, so rather rarer


def test_a_match_that_one_of_the_two_has_not_tells_nothing():
    first, second = np.zeros(3, int), np.ones(3, int)
    own = Matches(2, first, second, np.array([1.0, np.nan, 1.0]))
    other = Matches(2, first, second, np.array([1.0, 0.0, np.nan]))
    assert moved_p(own, other) == ([1.0, 1.0], [0, 0])
