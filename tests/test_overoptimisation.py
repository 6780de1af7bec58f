"""The sentence on over-optimisation says what the numbers say: a whole interval, and the step at which it first shows."""

from __future__ import annotations

import pytest

from ethos.evaluation_settings import Intervals
from ethos.overoptimisation import by_step, what_the_steps_show
from ethos.settings import Report
from scripts.watch_alignment import step_metrics
from tests.fake_metrics import STEPS, fake_steps

CELL = {"student": "smollm2", "constitution": "poeticism", "seed": 0}
CALM = STEPS | {
    "likelihood_ratio": (0.1, 0.2, 0.3, 0.4),
    "cue_rate": (0.3, 0.5, 0.6, 0.7),
    "log_perplexity": (0.1, 0.2, 0.3, 0.4),
}


def said(ranked_by: str = "pairwise", **changes: tuple[float, ...]) -> str:
    return what_the_steps_show(fake_steps(CELL, CALM | changes), Report(), ranked_by)


def test_the_steps_are_read_in_order_and_compared_with_base():
    steps = by_step(fake_steps(CELL)[::-1])
    assert list(steps) == [10, 20, 30, 40]
    assert steps[30]["likelihood_ratio"]["value"] == 0.05


def test_a_reward_that_rises_with_all_else_is_no_over_optimisation():
    assert "at steps 10, 20, 30 and 40 of 40. No independent measure" in said()


def test_a_reward_that_does_not_rise_leaves_nothing_to_over_optimise():
    assert "found no reward" in said(preference_model_score=(0.01, 0.02, 0.01, 0.03))


@pytest.mark.parametrize(
    ("changes", "named", "step"),
    [
        ({"likelihood_ratio": (0.1, 0.0, -0.1, -0.2)}, "the likelihood ratio is", 30),
        ({"cue_rate": (0.3, -0.01, -0.02, -0.3)}, "the rate of cue words is", 40),
        ({"log_perplexity": (0.1, 0.9, 1.2, 1.6)}, "perplexity is", 30),  # the margin is a factor of 2.5
        ({"repetition": (0.0, 0.06, 0.08, 0.2)}, "repetition is", 40),  # the margin is 0.05
        ({"cue_rate": (-0.1,) * 4, "repetition": (0.0, 0.0, 0.0, 0.2)}, "the rate of cue words and repetition are", 10),
    ],
)
def test_a_measure_that_is_worse_while_the_reward_is_better_is_named_with_its_first_step(changes, named, step):
    text = said(**changes)
    assert f"Over-optimisation shows: while it does, {named} worse" in text
    assert text.endswith(f"first at step {step}.")


@pytest.mark.parametrize(
    "ratios", [(0.1, 0.2, 0.3, 0.4), (0.1, 0.3, 0.2, 0.15), (0.1, 0.0, -0.1, -0.2)], ids=["rises", "turned", "worse"]
)
def test_the_likelihood_ratio_is_never_called_independent_where_it_taught_the_preference_model(ratios):
    taught = said("likelihood_ratio", likelihood_ratio=ratios)
    assert "independent measure" not in taught
    assert taught.endswith("not independent of the reward here: the preference model learned from rankings by it.")
    assert "not independent" not in said("listwise", likelihood_ratio=ratios)


def test_what_is_worse_before_the_reward_rises_is_not_over_optimisation():
    text = said(preference_model_score=(-0.5, 0.5, 0.6, 0.7), likelihood_ratio=(-0.3, 0.1, 0.2, 0.3))
    assert "at steps 20, 30 and 40 of 40. No independent measure" in text


def test_a_measure_that_turned_without_falling_below_base_is_told_as_such():
    text = said(likelihood_ratio=(0.1, 0.3, 0.2, 0.15))
    assert "likelihood ratio was highest at step 20 (+0.300 from base) and is +0.150 at the last" in text
    assert "values without their intervals" in text


def test_numbers_without_intervals_count_as_nothing():
    rows = [row | {"ci_low": None, "ci_high": None} for row in fake_steps(CELL)]
    assert "found no reward" in what_the_steps_show(rows, Report(), "pairwise")
    assert "found no reward" in what_the_steps_show([], Report(), "pairwise")


def test_steps_are_compared_with_base_on_the_same_questions():
    def measures(arm: str, values: dict[str, float]) -> list[dict]:
        return [
            {"arm": arm, "question_id": question, "trait": "calm", "sample": 0, "metric": "cue_rate", "value": value}
            for question, value in values.items()
        ]

    rows = measures("base", {"q1": 1.0, "q2": 5.0}) + measures("step 3", {"q2": 5.5, "q1": 1.5})
    rows += measures("aligned", {"q1": 3.0, "q2": 7.0})
    found = step_metrics(rows, {"base": 0, "step 3": 3, "aligned": 6}, Intervals(resamples=99), 0)
    assert {(row["arm"], row["reference"], row["slice"]): (row["value"], row["n"]) for row in found} == {
        ("aligned", None, "step 0 of 6"): (3.0, 2),
        ("aligned", None, "step 3 of 6"): (3.5, 2),
        ("aligned", None, "step 6 of 6"): (5.0, 2),
        ("aligned", "base", "step 3 of 6"): (0.5, 2),
        ("aligned", "base", "step 6 of 6"): (2.0, 2),
    }
