"""Other rankers are compared with the run's own question by question, on a few questions drawn once."""

from __future__ import annotations

import pytest

from ethos.evaluation_settings import Intervals
from scripts.compare_rankers import agreement, draw_questions

INTERVALS = Intervals(resamples=199)


def ranking(questions: list[str]) -> tuple[list[dict], list[dict]]:
    """Rankings of two responses to each question, and all three responses."""
    responses = [
        {"question_id": question, "author": "in_character", "sample": sample, "response": f"{question}{sample}"}
        for question in questions
        for sample in range(3)
    ]
    ranked = [
        {name: row[name] for name in ("question_id", "author", "sample")} | {"score": float(row["sample"]), "rank": 1}
        for row in responses
        if row["sample"] < 2
    ]
    return ranked, responses


def test_what_was_ranked_is_compared_and_nothing_else():
    groups, scores = draw_questions(*ranking(["a", "b"]), most=9, seed=0)
    assert sorted(groups) == ["a", "b"]
    assert [row["response"] for row in groups["a"]] == ["a0", "a1"] and scores["a"] == [0.0, 1.0]


def test_one_more_question_displaces_at_most_one_and_another_seed_draws_others():
    questions = [f"q{number}" for number in range(40)]
    drawn = [set(draw_questions(*ranking(own), most=10, seed=3)[0]) for own in (questions, [*questions, "new"])]
    assert len(drawn[0]) == len(drawn[1]) == 10 and len(drawn[0] - drawn[1]) <= 1
    assert set(draw_questions(*ranking(questions), most=10, seed=4)[0]) != drawn[0]


def test_agreement_is_the_mean_of_tau_over_the_questions_that_have_one():
    own = {"same": [3, 2, 1], "opposite": [3, 2, 1], "one swap": [3, 2, 1], "tied": [3, 2, 1]}
    other = {"same": [9, 5, 2], "opposite": [1, 2, 3], "one swap": [2, 3, 1], "tied": [1, 1, 1]}
    found = agreement(own, other, INTERVALS, seed=0)
    assert found["value"] == pytest.approx((1 - 1 + 1 / 3) / 3)
    assert (found["n"], found["tied"], found["interval"]) == (3, 1, "Student's t")
    assert found["ci_low"] < found["value"] < found["ci_high"]


def test_rankers_of_which_one_orders_nothing_have_no_agreement():
    found = agreement({"q": [1, 2]}, {"q": [0, 0]}, INTERVALS, seed=0)
    assert found == {"value": None, "ci_low": None, "ci_high": None, "interval": "none", "n": 0, "tied": 1}
