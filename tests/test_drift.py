"""Arms of one character are measured by the traits of another, on questions that trained none of them."""

from __future__ import annotations

import numpy as np
import pytest

from ethos.arms import ARMS
from ethos.constitution import Constitution
from ethos.engine import Completion, Request, Score, ScoreRequest
from ethos.evaluation_settings import ArmSampling, Intervals
from ethos.near_duplicates import NearDuplicates
from scripts.evaluate_drift import answer, drift_metrics, questions_to_ask

INTERVALS = Intervals(resamples=199)


def constitution(name: str, traits: int, questions: int, cue: str) -> Constitution:
    return Constitution.model_validate(
        {
            "name": name,
            "description": "Some.",
            "cues": [cue],
            "traits": [
                {
                    "id": f"{name}_{t}",
                    "text": f"I am {name} {t}.",
                    "questions": [f"{name} {t} {q}?" for q in range(questions)],
                }
                for t in range(traits)
            ],
        }
    )


OWN, OTHER = constitution("calm", 3, 1, "hush"), constitution("loud", 4, 5, "boom")
QUESTIONS = questions_to_ask(OTHER, OWN, NearDuplicates(0.7), None)


class Arm:
    """Says one text; as base, finds texts with a cue as much likelier in the other's character as planted."""

    def __init__(self, text: str = "", planted: float = 0.0):
        self.text, self.planted, self.requests = text, planted, []
        self.noise = np.random.default_rng(0)

    def generate(self, requests: list[Request]) -> list[Completion]:
        self.requests += requests
        return [Completion(self.text, "stop", 1, 3) for _ in requests]

    def score(self, requests: list[ScoreRequest]) -> list[Score]:
        told = [request.messages[0].role == "system" and "loud" in request.messages[0].content for request in requests]
        noise = self.noise.normal(scale=0.02, size=len(requests))
        return [
            Score(10 * (-2 + more + (self.planted if tells and "boom" in request.response else 0)), 10)
            for request, tells, more in zip(requests, told, noise, strict=True)
        ]


def test_questions_are_those_of_the_file_without_what_trained_or_nearly_did():
    assert len(QUESTIONS) == 20 == len({question["question_id"] for question in QUESTIONS})
    assert {question["trait"] for question in QUESTIONS} == {f"loud_{t}" for t in range(4)}
    few = questions_to_ask(OTHER, OWN, NearDuplicates(0.7), 2)
    assert [question["text"] for question in few[:3]] == ["loud 0 0?", "loud 0 1?", "loud 1 0?"] and len(few) == 8
    texts = ("How do I descale a kettle?", "What is a haiku?", "Why do cats purr?")
    said = OTHER.model_copy(update={"traits": (OTHER.traits[0].model_copy(update={"questions": texts}),)})
    trained = NearDuplicates(0.7)
    for text in ("How can I descale a kettle?", "WHAT IS A HAIKU"):
        trained.add(text)
    assert [question["text"] for question in questions_to_ask(said, OWN, trained, None)] == ["Why do cats purr?"]


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_answers_in_its_own_character_and_is_measured_by_the_others_traits(arm):
    engine = Arm("boom")
    rows = answer(arm, engine, QUESTIONS, OWN, ArmSampling(), "trait", seed=0)
    assert [row["trait"] for row in rows] == [question["trait"] for question in QUESTIONS]
    systems = [
        message.content for request in engine.requests for message in request.messages if message.role == "system"
    ]
    assert systems == ([f"I am calm {number % 3}." for number in range(20)] if arm == "prompted" else [])


def drift(persona: str, planted: float) -> dict[tuple, dict]:
    texts = {"base": "a plain word", "persona": persona}
    said = [
        row
        for arm, text in texts.items()
        for row in answer(arm, Arm(text), QUESTIONS, OWN, ArmSampling(), "trait", seed=0)
    ]
    rows = drift_metrics(said, OTHER, Arm(planted=planted), ["persona"], INTERVALS, "trait", 0)
    assert {row["slice"] for row in rows} == {"loud"}
    return {(row["metric"], row["arm"], row["reference"]): row for row in rows}


def test_a_step_towards_the_other_character_is_found_by_both_measures():
    found = drift("a boom or two boom", planted=0.5)
    ratio, cues = found["likelihood_ratio", "persona", "base"], found["cue_rate", "persona", "base"]
    assert 0.4 < ratio["ci_low"] < ratio["value"] < ratio["ci_high"] < 0.6 and ratio["n"] == 20
    assert cues["value"] == pytest.approx(40)
    assert set(metric for metric, *_ in found) == {"likelihood_ratio", "cue_rate"}


def test_where_nothing_moved_nothing_is_found():
    found = drift("another word here", planted=0.5)
    ratio = found["likelihood_ratio", "persona", "base"]
    assert ratio["ci_low"] < 0 < ratio["ci_high"]
    assert found["cue_rate", "persona", "base"]["value"] == 0
