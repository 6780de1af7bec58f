"""A verdict is what the numbers say: a yes needs them, and says which."""

from __future__ import annotations

import math
import random

import pytest

from ethos.settings import Report
from ethos.verdicts import judge_arm, signed
from tests.fake_metrics import estimate, fake_metrics

METRICS_OF_A_SEED = fake_metrics({"student": "s", "constitution": "c", "seed": 0}, random.Random(7))


@pytest.mark.parametrize(
    ("arm", "expected"),
    [
        ("persona", [True] * 6),
        # above zero, but not above the control; cue words fall; perplexity 3.7 times base's; repetition up 0.14
        ("aligned", [True, False, False, False, False, False]),
    ],
)
def test_verdicts_follow_the_numbers(arm, expected):
    assert [verdict.holds for verdict in judge_arm(METRICS_OF_A_SEED, arm, Report())] == expected


def test_numbers_that_are_missing_are_never_a_yes():
    row = estimate(0.3, 0.1, arm="persona", metric="likelihood_ratio", reference="base", ci_low=None, ci_high=None)
    assert [verdict.holds for verdict in judge_arm([row], "persona", Report())] == [None] * 6


def test_a_margin_is_a_ratio_of_perplexities():
    """Up to the end of the interval, wherever the value is."""
    margin, place = math.log(Report().max_perplexity_ratio), {"metric": "log_perplexity", "reference": "base"}
    for end, holds in ((margin - 1e-9, True), (margin + 1e-9, False)):
        row = estimate(end - 0.1, 0.1, arm="persona", **place)
        assert judge_arm([row], "persona", Report())[4].holds is holds


def test_the_whole_interval_of_the_rise_in_repetition_lies_within_the_margin():
    margin, place = Report().max_repetition_increase, {"metric": "repetition", "reference": "base"}
    for end, holds in ((margin - 1e-9, True), (margin + 1e-9, False)):
        row = estimate(end - 0.1, 0.1, arm="persona", **place)
        assert judge_arm([row], "persona", Report())[5].holds is holds


@pytest.mark.parametrize(("metric", "place"), [("log_perplexity", 4), ("repetition", 5)])
@pytest.mark.parametrize("value", [-1.0, 99.0])
def test_without_an_interval_no_margin_can_be_told(metric, place, value):
    row = estimate(value, 0.1, arm="persona", metric=metric, reference="base", ci_low=None, ci_high=None, n=1)
    assert judge_arm([row], "persona", Report())[place].holds is None


@pytest.mark.parametrize(("value", "holds"), [(0.0, True), (0.2, False)])
def test_a_rise_in_repetition_that_is_equal_everywhere_is_judged_as_it_is(value, holds):
    row = estimate(value, 0.1, arm="persona", metric="repetition", reference="base", ci_low=None, ci_high=None, n=30)
    found = judge_arm([row], "persona", Report())[5]
    assert found.holds is holds and f"{value:.3f} in each of n = 30" in found.numbers


def test_above_the_control_means_the_whole_interval():
    place = {"metric": "likelihood_ratio", "reference": "base"}
    control = estimate(0.0, 0.1, arm="shuffled", **place)  # up to 0.1
    for low, holds in ((0.1001, True), (0.0999, False)):
        arm = estimate(low + 0.05, 0.05, arm="persona", **place)
        assert judge_arm([arm, control], "persona", Report())[1].holds is holds


def test_a_number_that_rounds_to_zero_has_no_sign():
    assert [signed(value, 2) for value in (-0.004, 0.004, -0.5, 0.5, None)] == ["0.00", "0.00", "−0.50", "+0.50", "–"]
