"""Every statistic agrees with a second way to compute it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from ethos.rank_correlation import correlation_with_interval, rank_agreement, rank_correlation
from ethos.statistics import holm, mean_with_interval, pooled_with_interval, sign_flip_p, t_interval, wilson

SKEWED = np.random.default_rng(0).exponential(size=40)


def widened(confidence: float, n: int) -> float:
    """The level that Hesterberg (2015) gives a bootstrap of n values, so that its tails are those of t."""
    return 2 * stats.norm.cdf(math.sqrt(n / (n - 1)) * stats.t.ppf((1 + confidence) / 2, n - 1)) - 1


def bca(sample: np.ndarray, confidence: float, resamples: int) -> tuple[float, float]:
    """Efron's formulas, written out, at the widened level."""
    confidence = widened(confidence, len(sample))
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
    assert (found.value, found.n, found.method) == (pytest.approx(SKEWED.mean()), 40, "BCa bootstrap, widened")
    error = SKEWED.std(ddof=1) / math.sqrt(40)
    assert (found.low, found.high) == pytest.approx(bca(SKEWED, confidence, 20_000), abs=0.05 * error)


def test_the_interval_is_scipys_at_the_widened_level():
    found = mean_with_interval(SKEWED, confidence=0.95, resamples=999, seed=3)
    level = widened(0.95, 40)
    assert 0.95 < level < 0.97
    scipys = stats.bootstrap(
        (SKEWED,), np.mean, confidence_level=level, n_resamples=999, method="BCa", rng=np.random.default_rng(3)
    )
    assert (found.low, found.high) == pytest.approx(tuple(scipys.confidence_interval), rel=1e-12)


def test_the_interval_is_the_same_for_the_same_seed_only():
    first, again, other = (mean_with_interval(SKEWED, confidence=0.95, resamples=199, seed=seed) for seed in (5, 5, 6))
    assert first == again != other


def test_one_value_or_two_have_no_interval_and_three_to_five_students():
    for values in ([2.5], [2.0, 3.0]):
        found = mean_with_interval(values, confidence=0.95, resamples=99, seed=0)
        assert (found.value, found.low, found.high, found.method) == (2.5, None, None, "none")
    for n in (3, 5):
        found, t = (
            mean_with_interval(SKEWED[:n], confidence=0.9, resamples=99, seed=0),
            t_interval(SKEWED[:n], confidence=0.9),
        )
        assert (found.low, found.high, found.method) == (t.low, t.high, "Student's t")


@pytest.mark.parametrize("n", [3, 12])
def test_equal_values_have_no_interval_unless_they_are_shares(n):
    """That all of a few came out alike is no proof that all would."""
    found = mean_with_interval([0.1] * n, confidence=0.95, resamples=99, seed=0)
    assert (found.value, found.low, found.high, found.n) == (pytest.approx(0.1), None, None, n)
    for value in (0.0, 1.0):
        share = mean_with_interval([value] * n, confidence=0.95, resamples=99, seed=0, share=True)
        assert share == wilson(value, n, confidence=0.95) and 0 < share.high - share.low < 1


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


def test_the_interval_of_a_rank_correlation_is_that_of_fishers_transformation():
    draw = np.random.default_rng(6)
    first = np.arange(28.0)
    second = first + draw.normal(0, 12, size=28)
    found = correlation_with_interval(first, second, confidence=0.95)
    value = stats.spearmanr(first, second).statistic
    reach = stats.norm.ppf(0.975) * math.sqrt(1 + value**2 / 2) / 5
    assert found.value == pytest.approx(value)
    assert np.arctanh([found.low, found.high]) == pytest.approx([np.arctanh(value) - reach, np.arctanh(value) + reach])
    assert correlation_with_interval(first, first, confidence=0.95).low is None
    assert correlation_with_interval(first, np.ones(28), confidence=0.95) is None


def mean_of_all(rows: np.ndarray) -> float:
    return float(rows[:, 0].mean())


def test_the_interval_of_a_pooled_statistic_draws_groups_and_not_rows():
    """Copies of a row are no news: the interval of means of pairs is that of the values alone, and not narrower."""
    twice = [np.full((2, 1), value) for value in SKEWED]
    found = pooled_with_interval(twice, mean_of_all, confidence=0.95, resamples=9999, seed=0)
    alone = mean_with_interval(SKEWED, confidence=0.95, resamples=9999, seed=0)
    assert (found.value, found.n, found.method) == (pytest.approx(alone.value), 40, "BCa bootstrap, widened")
    error = SKEWED.std(ddof=1) / math.sqrt(40)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.05 * error)


def test_a_pooled_statistic_that_is_no_number_is_none_and_of_one_group_has_no_interval():
    options = {"confidence": 0.95, "resamples": 99, "seed": 0}
    assert pooled_with_interval([], mean_of_all, **options) is None
    assert pooled_with_interval([np.ones((2, 1))] * 3, lambda rows: math.nan, **options) is None
    found = pooled_with_interval([np.array([[1.0], [2.0]])], mean_of_all, **options)
    assert (found.value, found.low, found.n) == (1.5, None, 1)
