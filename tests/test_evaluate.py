"""Arms are compared question by question."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ethos.arms import ARMS, sample_arm
from ethos.constitution import Constitution
from ethos.engine import Completion, Request, Score, ScoreRequest
from ethos.evaluation_settings import ArmSampling, Intervals
from ethos.measures import compare_arms, distinct_share, measure_samples
from ethos.tables import MEASURES, SAMPLES, table_from

INTERVALS = Intervals(resamples=99)
TRAITS = [{"id": name, "text": f"I am {name}.", "questions": ["Why?"]} for name in ("calm", "kind")]
CONSTITUTION = Constitution.model_validate({"name": "calm", "description": "Calm.", "cues": ["hush"], "traits": TRAITS})


class Model:
    """Stands in for the model: says a text of a request, scores by a function of one."""

    def __init__(
        self,
        say: Callable[[Request], str] = lambda request: "Fine.",
        mean: Callable[[ScoreRequest], float] = lambda request: 0.0,
    ):
        self.say, self.mean, self.requests = say, mean, []

    def generate(self, requests: list[Request]) -> list[Completion]:
        self.requests += requests
        return [Completion(self.say(request), "stop", 1, 3) for request in requests]

    def score(self, requests: list[ScoreRequest]) -> list[Score]:
        tokens = [len(request.response.split()) for request in requests]
        return [Score(self.mean(request) * count, count) for request, count in zip(requests, tokens, strict=True)]


@pytest.mark.parametrize(
    ("response", "n", "share"),
    [
        ("a b c d", 2, 1.0),
        ("a b a b", 2, 2 / 3),
        ("A b a B", 2, 2 / 3),
        ("la la la la la", 4, 0.5),
        ("one two three", 4, None),
        ("", 2, None),
        ("one two three four", 4, 1.0),
    ],
)
def test_the_distinct_share_counts_each_sequence_once(response, n, share):
    assert distinct_share(response, n) == share


def sample(arm: str, response: str, question: str = "q", trait: str = "calm", number: int = 0) -> dict:
    return {
        "arm": arm,
        "question_id": question,
        "trait": trait,
        "question": "Why?",
        "sample": number,
        "response": response,
        "tokens": 8,
    }


def test_every_measure_of_a_sample_is_what_its_name_says():
    model = Model(mean=lambda request: -1.0 if request.messages[0].role == "system" else -1.75)
    rows = measure_samples([sample("base", "hush a b c a b c a b c")], CONSTITUTION, model, [0.25], "trait")
    assert table_from(rows, MEASURES).num_rows == 7
    assert {row["metric"]: row["value"] for row in rows} == pytest.approx(
        {
            "likelihood_ratio": 0.75,
            "preference_model_score": 0.25,
            "cue_rate": 10.0,
            "log_perplexity": 1.75,
            "repetition": 1 - 4 / 7,
            "distinct_2": 4 / 9,
            "length": 8.0,
        }
    )


def test_what_an_empty_response_has_not_is_null_and_not_zero():
    rows = measure_samples([sample("base", "")], CONSTITUTION, Model(), [0.5], "trait")
    null = {row["metric"] for row in rows if row["value"] is None}
    assert null == {"likelihood_ratio", "log_perplexity", "repetition", "distinct_2"}


def test_without_cues_there_is_no_cue_rate_and_no_comparison_of_it():
    bare = CONSTITUTION.model_copy(update={"cues": ()})
    rows = measure_samples([sample("base", "hush")], bare, Model(), [0.5], "trait")
    assert [row["value"] for row in rows if row["metric"] == "cue_rate"] == [None]
    assert "cue_rate" not in {row["metric"] for row in compare_arms(rows, INTERVALS, 0)}


def measures(
    arm: str, values: dict[tuple[str, str], list[float | None]], metric: str = "likelihood_ratio"
) -> list[dict]:
    return [
        {"arm": arm, "question_id": question, "trait": trait, "sample": number, "metric": metric, "value": value}
        for (question, trait), own in values.items()
        for number, value in enumerate(own)
    ]


def compared(rows: list[dict], seed: int = 0) -> dict[tuple, tuple]:
    found = compare_arms(rows, INTERVALS, seed)
    assert len({(row["arm"], row["reference"], row["metric"], row["slice"]) for row in found}) == len(found)
    return {(row["arm"], row["reference"], row["slice"]): (row["value"], row["n"]) for row in found}


def test_arms_are_compared_by_question_and_not_by_place():
    base = measures("base", {("q1", "calm"): [1.0], ("q2", "kind"): [10.0], ("q3", "kind"): [5.0]})
    persona = measures("persona", {("q2", "kind"): [12.0], ("q1", "calm"): [1.5], ("q4", "calm"): [99.0]})
    found = compared(base + persona)
    assert found["persona", "base", "all"] == (1.25, 2)
    assert found["persona", "base", "calm"] == (0.5, 1)
    assert found["persona", "base", "kind"] == (2.0, 1)
    assert found["persona", None, "all"] == (37.5, 3)


def test_the_samples_of_a_question_are_averaged_before_questions_are():
    found = compared(measures("base", {("q1", "calm"): [0.0, 0.0, 3.0], ("q2", "calm"): [5.0]}))
    assert found["base", None, "all"] == (3.0, 2)


def test_a_paired_interval_is_of_the_differences():
    """The arms differ by about one everywhere, however much the questions do: next to no width."""
    base = {(f"q{number}", "calm"): [float(number**2)] for number in range(10)}
    persona = {key: [value + 1 + 0.01 * (value % 3)] for key, [value] in base.items()}
    rows = compare_arms(measures("base", base) + measures("persona", persona), INTERVALS, 0)
    [row] = [row for row in rows if row["reference"] == "base" and row["slice"] == "all"]
    assert 1 <= row["ci_low"] < row["value"] < row["ci_high"] <= 1.02


def test_each_arm_has_the_references_that_say_something_about_it():
    found = compared([row for arm in ARMS for row in measures(arm, {("q1", "calm"): [1.0], ("q2", "calm"): [2.0]})])
    references = {arm: {reference for other, reference, _ in found if other == arm} for arm in ARMS}
    untrained = {arm: {None, "base"} for arm in ("prompted", "steered", "shuffled")}
    assert references == {"base": {None}, **untrained} | {
        arm: {None, "base", "shuffled"} for arm in ("distilled", "persona", "aligned")
    }


def test_null_measures_are_left_out():
    rows = measures("base", {("q1", "calm"): [None, 2.0], ("q2", "calm"): [None], ("q3", "kind"): [4.0]})
    assert compared(rows)["base", None, "all"] == (3.0, 2)
    assert compared(measures("base", {("q1", "calm"): [None]})) == {}


def test_fluency_is_told_by_trait_too():
    rows = measures("base", {("q1", "calm"): [1.0], ("q2", "kind"): [3.0]}, "length")
    assert compared(rows) == {
        ("base", None, "all"): (2.0, 2),
        ("base", None, "calm"): (1.0, 1),
        ("base", None, "kind"): (3.0, 1),
    }


def test_a_seed_gives_the_same_intervals_each_time():
    draw = np.random.default_rng(0)
    rows = measures("base", {(f"q{number}", "calm"): [draw.normal()] for number in range(8)})
    assert compare_arms(rows, INTERVALS, 1) == compare_arms(rows, INTERVALS, 1) != compare_arms(rows, INTERVALS, 2)


def test_every_arm_is_asked_a_question_with_the_same_seed():
    questions = [{"question_id": name, "trait": "calm", "text": f"{name}?"} for name in ("q1", "q2")]
    seeds = {}
    for arm in ARMS:
        model = Model()
        rows = sample_arm(arm, model, questions, CONSTITUTION, ArmSampling(responses_per_question=2), "trait", 0)
        assert table_from(rows, SAMPLES).num_rows == 4
        seeds[arm] = [request.seed for request in model.requests]
    assert len(set(seeds["base"])) == 4
    assert all(own == seeds["base"] for own in seeds.values())
