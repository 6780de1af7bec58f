"""Calibration agrees with its definition, and a model that claims what is true is found to."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ethos.calibration import calibration_error, calibration_error_by_chance, reliability_bins


def claim(probability: float) -> float:
    """The difference of rewards that claims it."""
    return math.log(probability / (1 - probability))


def test_the_error_is_the_gap_of_each_bin_weighed_by_its_pairs():
    """Three pairs of four right where 0.95 was claimed, one of two where 0.65 was."""
    differences = [claim(0.95)] * 3 + [-claim(0.95)] + [claim(0.65), -claim(0.65)]
    assert calibration_error(differences) == pytest.approx((4 * 0.2 + 2 * 0.15) / 6)
    low, high = reliability_bins(differences)
    assert (low["n"], low["claimed"], low["right"]) == (2, pytest.approx(0.65), 0.5)
    assert (high["n"], high["claimed"], high["right"]) == (4, pytest.approx(0.95), 0.75)
    assert [(bin["low"], bin["high"]) for bin in (low, high)] == [
        (pytest.approx(0.6), pytest.approx(0.7)),
        (pytest.approx(0.9), pytest.approx(1.0)),
    ]


def test_a_claim_and_its_opposite_fall_into_one_bin_and_certainty_into_the_last():
    assert [(bin["n"], bin["right"]) for bin in reliability_bins([2.0, -2.0, 50.0])] == [(2, 0.5), (1, 1.0)]


def test_equal_rewards_claim_nothing_and_are_half_right():
    assert reliability_bins([0.0, 0.0]) == [{"low": 0.5, "high": 0.6, "n": 2, "claimed": 0.5, "right": 0.5}]
    assert calibration_error([0.0]) == 0


def test_nothing_has_no_bins():
    assert reliability_bins([]) == []


def test_true_claims_have_the_error_that_chance_gives_them_and_false_ones_a_larger():
    draw = np.random.default_rng(0)
    sizes = draw.normal(size=300) * 1.5
    true = np.where(draw.random(300) < 1 / (1 + np.exp(-np.abs(sizes))), np.abs(sizes), -np.abs(sizes))
    by_chance = calibration_error_by_chance(true, seed=0)
    assert abs(calibration_error(true) - by_chance) < 0.03
    assert calibration_error(np.abs(sizes)) > 3 * by_chance
    assert calibration_error_by_chance(true, seed=0) == by_chance


def test_what_chance_gives_one_bin_is_the_mean_absolute_error_of_a_binomial():
    """For 4 pairs that claim p: E|k / 4 - p| over k of 4."""
    p, n = 0.7, 4
    expected = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) * abs(k / n - p) for k in range(n + 1))
    assert calibration_error_by_chance([claim(p)] * n, seed=0) == pytest.approx(expected, abs=0.02)
