"""Every statistic agrees with a second way to compute it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ethos.statistics import (
    holm,
    mean_with_interval,
    pooled_with_interval,
    rank_agreement,
    rank_correlation,
    sign_flip_p,
)

SKEWED = np.random.default_rng(0).exponential(size=40)


def bca(sample: np.ndarray, confidence: float, resamples: int) -> tuple[float, float]:
    """Efron's formulas, written out."""
    draw = np.random.default_rng(1)
    means = sample[draw.integers(len(sample), size=(resamples, len(sample)))].mean(1)
    bias = stats.norm.ppf((means < sample.mean()).mean())
    jackknife = np.array([np.delete(sample, place).mean() for place in range(len(sample))])
    centred = jackknife.mean() - jackknife
    acceleration = (centred**3).sum() / (6 * (centred**2).sum() ** 1.5)
    z = bias + stats.norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = np.quantile(means, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    return low, high


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_interval_of_a_mean_is_that_of_the_written_out_formulas(confidence):
    found = mean_with_interval(SKEWED, confidence=confidence, resamples=20_000, seed=0)
    assert (found.value, found.n, found.method) == (pytest.approx(SKEWED.mean()), 40, "BCa bootstrap")
    error = SKEWED.std(ddof=1) / math.sqrt(40)
    assert (found.low, found.high) == pytest.approx(bca(SKEWED, confidence, 20_000), abs=0.05 * error)


def test_the_interval_is_scipys():
    found = mean_with_interval(SKEWED, confidence=0.95, resamples=999, seed=3)
    scipys = stats.bootstrap(
        (SKEWED,), np.mean, confidence_level=0.95, n_resamples=999, method="BCa", rng=np.random.default_rng(3)
    )
    assert (found.low, found.high) == tuple(scipys.confidence_interval)


def test_the_interval_is_the_same_for_the_same_seed_only():
    first, again, other = (mean_with_interval(SKEWED, confidence=0.95, resamples=199, seed=seed) for seed in (5, 5, 6))
    assert first == again != other


def test_the_interval_holds_the_true_mean_about_as_often_as_it_claims():
    draw = np.random.default_rng(2)
    intervals = [
        mean_with_interval(draw.normal(size=30), confidence=0.9, resamples=399, seed=seed) for seed in range(200)
    ]
    covered = sum(found.low <= 0 <= found.high for found in intervals)
    assert stats.binomtest(covered, 200, 0.88).pvalue > 0.01  # 0.88: a bootstrap of 30 values is a little narrow


def test_one_value_has_no_interval():
    found = mean_with_interval([2.5], confidence=0.95, resamples=99, seed=0)
    assert (found.value, found.low, found.high, found.n, found.method) == (2.5, None, None, 1, "none")


def test_equal_values_have_an_interval_of_no_width():
    found = mean_with_interval([0.1] * 7, confidence=0.95, resamples=99, seed=0)
    assert found.low == found.value == found.high
    assert found.n == 7


@pytest.mark.parametrize("values", [[0, 1], [0, 0, 0, 1], [1e-12, 0, 0], [1e9, 1e9 + 1]])
def test_a_small_sample_has_bounds_around_its_mean_or_none_but_never_nan(values):
    found = mean_with_interval(values, confidence=0.95, resamples=199, seed=0)
    assert found.value == pytest.approx(np.mean(values))
    assert (found.low is None and found.high is None) or found.low <= found.value <= found.high


def test_no_values_are_an_error():
    with pytest.raises(ValueError):
        mean_with_interval([], confidence=0.95, resamples=99, seed=0)


def test_a_p_value_of_random_signs_is_the_share_of_assignments_as_extreme():
    values = [0.3, -0.1, 0.7, 0.2, 0.4]
    means = [abs(np.mean(np.multiply(signs, values))) for signs in itertools.product((1, -1), repeat=5)]
    expected = np.mean([mean >= abs(np.mean(values)) - 1e-12 for mean in means])
    assert sign_flip_p(values, resamples=99, seed=0) == pytest.approx(expected)
    assert sign_flip_p([1.0] * 5, resamples=99, seed=0) == pytest.approx(2 / 32)
    assert sign_flip_p([0.0] * 4, resamples=99, seed=0) == 1


def test_a_p_value_of_many_differences_is_drawn_and_near_that_of_a_t_test():
    values = np.random.default_rng(1).normal(0.25, 1, size=60)
    drawn = sign_flip_p(values, resamples=9999, seed=0)
    assert drawn == sign_flip_p(values, resamples=9999, seed=0) != sign_flip_p(values, resamples=9999, seed=1)
    assert drawn == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.02)


def test_holm_corrects_each_p_value_for_those_not_smaller_and_keeps_their_order():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([0.2]) == [0.2] and holm([]) == []


def test_tau_is_the_one_of_counted_pairs():
    """tau-b from its definition, on scores with many ties."""
    draw = np.random.default_rng(4)
    for _ in range(300):
        first, second = draw.integers(4, size=(2, 5)).tolist()
        pairs = [(a, b) for a in range(5) for b in range(a)]
        signs = [(np.sign(first[a] - first[b]), np.sign(second[a] - second[b])) for a, b in pairs]
        untied = [sum(sign[side] != 0 for sign in signs) for side in (0, 1)]
        found = rank_agreement(first, second)
        if 0 in untied:
            assert found is None
        else:
            assert found == pytest.approx(sum(x * y for x, y in signs) / math.sqrt(untied[0] * untied[1]))


def test_a_rank_correlation_is_scipys():
    draw = np.random.default_rng(5)
    for size in (3, 10, 200):
        first, second = draw.normal(size=size), draw.integers(3, size=size).astype(float)
        if np.ptp(second):
            assert rank_correlation(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    assert math.isnan(rank_correlation(np.arange(4.0), np.ones(4)))


def mean_of_all(rows: np.ndarray) -> float:
    return float(rows[:, 0].mean())


def test_the_interval_of_a_pooled_statistic_draws_groups_and_not_rows():
    """Copies of a row are no news: the interval of means of pairs is that of the values alone, and not narrower."""
    twice = [np.full((2, 1), value) for value in SKEWED]
    found = pooled_with_interval(twice, mean_of_all, confidence=0.95, resamples=9999, seed=0)
    alone = mean_with_interval(SKEWED, confidence=0.95, resamples=9999, seed=0)
    assert (found.value, found.n, found.method) == (pytest.approx(alone.value), 40, "BCa bootstrap")
    error = SKEWED.std(ddof=1) / math.sqrt(40)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.05 * error)


def test_a_pooled_statistic_that_is_no_number_is_none_and_of_one_group_has_no_interval():
    options = {"confidence": 0.95, "resamples": 99, "seed": 0}
    assert pooled_with_interval([], mean_of_all, **options) is None
    assert pooled_with_interval([np.ones((2, 1))] * 3, lambda rows: math.nan, **options) is None
    found = pooled_with_interval([np.array([[1.0], [2.0]])], mean_of_all, **options)
    assert (found.value, found.low, found.n) == (1.5, None, 1)
