"""Shares are compared on the same items, with intervals and a test that hold for few items."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ethos.proportions import mcnemar_p, paired_difference, share_with_interval


def pairs(both: int, own: int, other: int, neither: int) -> tuple[list[bool], list[bool]]:
    """Answers of two by how many items both got right, one alone, the other alone, and neither."""
    table = [(True, True)] * both + [(True, False)] * own + [(False, True)] * other + [(False, False)] * neither
    return [first for first, _ in table], [second for _, second in table]


def test_a_share_has_wilsons_interval():
    """Against the closed form, for 81 of 263 as in Newcombe (1998), where it is 0.2553 to 0.3662."""
    found = share_with_interval(81, 263, confidence=0.95)
    p, n, z = 81 / 263, 263, stats.norm.ppf(0.975)
    middle, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert (found.value, found.n) == (p, n)
    assert (found.low, found.high) == pytest.approx([(middle + s * half) / (1 + z**2 / n) for s in (-1, 1)])
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_a_share_lies_in_its_interval_and_that_between_0_and_1():
    found = [share_with_interval(hits, n, confidence=0.95) for n in (1, 5, 20, 60, 114) for hits in range(n + 1)]
    assert all(0 <= each.low <= each.value <= each.high <= 1 for each in found)


def test_a_paired_difference_has_newcombes_interval():
    """The worked example of Fagerland, Lydersen & Laake (2014, doi:10.1002/sim.6148): 1, 1, 7, 12 gives -0.507 to -0.026."""
    found = paired_difference(*pairs(1, 1, 7, 12), confidence=0.95)
    assert (found.value, found.n) == (pytest.approx(-6 / 21), 21)
    assert (found.low, found.high) == pytest.approx((-0.507, -0.026), abs=5e-4)


def test_a_paired_difference_is_turned_round_by_turning_the_arms_round():
    one, other = (paired_difference(*pairs(*table), confidence=0.9) for table in ((20, 9, 4, 7), (20, 4, 9, 7)))
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


def test_arms_that_agree_on_every_item_differ_by_nothing_but_not_for_sure():
    found = paired_difference(*pairs(30, 0, 0, 10), confidence=0.95)
    assert found.low < found.value == 0 < found.high
    everything = paired_difference(*pairs(40, 0, 0, 0), confidence=0.95)
    assert everything.low < 0 < everything.high


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    draw = np.random.default_rng(0)
    chances = np.array([0.55, 0.06, 0.14, 0.25])  # both, own, other, neither: a true difference of -0.08
    covered = 0
    for _ in range(400):
        found = paired_difference(*pairs(*draw.multinomial(50, chances)), confidence=0.95)
        covered += found.low <= -0.08 <= found.high
    assert stats.binomtest(covered, 400, 0.95).pvalue > 0.001


def test_mcnemars_test_is_the_sign_test_of_the_items_on_which_two_differ():
    assert mcnemar_p(*pairs(1, 1, 7, 12)) == pytest.approx(2 * (1 + 8) / 2**8)
    assert mcnemar_p(*pairs(500, 1, 7, 900)) == mcnemar_p(*pairs(1, 1, 7, 12))
    assert mcnemar_p(*pairs(3, 0, 0, 2)) == 1


def test_a_planted_loss_is_found_and_none_is_found_where_there_is_none():
    assert mcnemar_p(*pairs(60, 2, 25, 13)) < 0.001
    assert mcnemar_p(*pairs(60, 13, 14, 13)) > 0.5
