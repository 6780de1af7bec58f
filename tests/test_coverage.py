"""Intervals hold the truth about as often as they claim, at the sizes that runs have: by simulation, from a fixed seed."""

from __future__ import annotations

import numpy as np
import pytest

from ethos.statistics import mean_with_interval, t_interval

# Paired differences of what a language model finds likely are near normal; counts of words are skewed.
DRAWS = {
    "normal": lambda draw, n: draw.normal(size=n),
    "skewed": lambda draw, n: draw.gamma(4, size=n) - 4,
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", DRAWS)
def test_a_bootstrap_interval_over_30_questions_holds_the_mean_in_92_to_98_of_100_cases(shape):
    """It is a little too narrow (0.926 and 0.938): the report says so."""
    draw, runs = np.random.default_rng(0), 4000
    found = [
        mean_with_interval(DRAWS[shape](draw, 30), confidence=0.95, resamples=999, seed=run) for run in range(runs)
    ]
    assert 0.92 <= sum(each.low <= 0 <= each.high for each in found) / runs <= 0.98


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_a_t_interval_over_seeds_holds_the_mean_in_92_to_98_of_100_cases(seeds):
    draw, runs = np.random.default_rng(1), 4000
    found = [t_interval(draw.normal(0.3, 0.1, size=seeds), confidence=0.95) for _ in range(runs)]
    assert 0.92 <= sum(each.low <= 0.3 <= each.high for each in found) / runs <= 0.98
