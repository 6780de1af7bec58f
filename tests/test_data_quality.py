"""A bad trait and a bad question, planted, come first and are named for what they are."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from ethos.data_quality import QUESTION_FIELDS, question_quality, trait_quality
from ethos.run_results import CellResults
from tests.fake_metrics import estimate
from tests.fake_results import build_run, fake_settings, write_report


def question(number: int, trait: str) -> dict[str, Any]:
    text = f"Question {number}?"
    return {"question_id": f"q{number}", "trait": trait, "text": text, "source": "written", "split": "train"}


def response(number: int, filtered: str | None = None, author: str = "in_character", sample: int = 0) -> dict[str, Any]:
    name = f"q{number}"
    return {"question_id": name, "author": author, "sample": sample, "filtered": filtered, "finish_reason": "stop"}


def score(number: int, value: float, author: str = "in_character") -> dict[str, Any]:
    return {"question_id": f"q{number}", "author": author, "score": value}


def cell(**changes: Any) -> CellResults:
    """Four questions of two traits. Of q1 nothing is usable; at q2 plain is ranked above; q3 and q4 are fine."""
    fields = {
        "student": "s",
        "constitution": "c",
        "questions": [question(1, "dull"), question(2, "dull"), question(3, "clear"), question(4, "clear")],
        "question_counts": {"not_used": {"dull": {"missing": 1, "duplicate": 4}}},
        "teacher_counts": {},
        "response_counts": {},
        "rankings": {},
        "rankers": None,
        "responses": [
            *(response(1, "refusal"), response(1, "refusal"), response(1, "empty"), response(1, author="plain")),
            *(response(number) for number in (2, 2, 3, 3, 4, 4)),
        ],
        "teacher_responses": [response(4, "empty")],
        "scores": [
            *(score(2, 0.25), score(2, 0.75), score(2, 1.0, "plain")),
            *(score(3, 2.0), score(3, 4.0), score(3, 1.0, "plain")),
            *(score(4, 1.0), score(4, 2.0), score(4, 0.5, "plain")),
        ],
        "pairs": [{"question_id": name} for name in ("q2", "q3", "q3", "q4")],
        "seeds": [],
    }
    return CellResults(**{**fields, **changes})


def metrics(**effects: float) -> list[dict[str, Any]]:
    place = {"arm": "prompted", "metric": "likelihood_ratio", "reference": "base"}
    return [estimate(value, 0.1, slice=trait, **place) for trait, value in effects.items()]


def test_the_question_that_lost_its_responses_comes_first_and_then_the_one_that_teaches_nothing():
    found = question_quality(cell(), "teacher")
    assert [quality.question_id for quality in found] == ["q1", "q4", "q2", "q3"]
    assert found[0].problems == ["no usable response (refusal)"]
    assert found[2].problems == ["in character no better than plain"]
    assert (found[1].kept, found[1].sampled, dict(found[1].dropped)) == (2, 3, {"empty": 1})
    assert (found[3].gain, found[3].spread, found[3].pairs) == (2.0, 3.0, 2)


def test_what_a_teacher_that_is_the_student_says_again_is_counted_once():
    """It is sent the same requests; without this, a question whose first sample is bad seems worse than it is."""
    written = [response(1, "empty"), response(1, sample=1), response(1, sample=2)]
    again = [response(1, "empty"), response(1, "cut_off", sample=3)]
    parts = {"responses": written, "teacher_responses": again, "scores": [], "pairs": []}
    by_teacher = {
        teacher: next(one for one in question_quality(cell(**parts), teacher) if one.question_id == "q1")
        for teacher in ("s", "another")
    }
    assert (by_teacher["s"].kept, by_teacher["s"].sampled, by_teacher["s"].dropped) == (
        2,
        4,
        {"empty": 1, "cut_off": 1},
    )
    assert (by_teacher["another"].kept, by_teacher["another"].sampled) == (2, 5)


def test_without_plain_responses_the_spread_of_the_scores_orders_the_questions():
    scores = [score(2, 0.5), score(2, 0.75), score(3, 1.0), score(3, 1.0), score(4, 1.0), score(4, 2.0)]
    found = question_quality(cell(scores=scores, teacher_responses=[], pairs=[{"question_id": "q2"}]), "teacher")
    assert [(quality.question_id, quality.gain, quality.spread) for quality in found] == [
        ("q1", None, None),
        ("q3", None, 0.0),
        ("q2", None, 0.25),
        ("q4", None, 1.0),
    ]
    assert found[1].problems == ["gave no preference pair"]


def test_the_trait_that_steers_least_comes_first_with_all_that_is_wrong():
    questions = question_quality(cell(), "teacher")
    dull, clear = trait_quality(cell(), questions, metrics(clear=0.5, dull=0.05))
    assert (dull.trait, clear.trait) == ("dull", "clear")
    assert (dull.questions, dull.kept, dull.sampled, dull.pairs, dull.gain) == (2, 2, 5, 1, -0.5)
    assert dull.problems == [
        "most responses dropped (refusal)",
        "in character no better than plain",
        "1 generated question missing",
        "its text moves the prompted student no further than chance",
    ]
    assert (clear.gain, clear.problems) == (pytest.approx(1.5), [])


def test_a_trait_that_works_when_prompted_and_did_not_train_is_told():
    untrained = estimate(0.02, 0.1, slice="clear", arm="aligned", metric="likelihood_ratio", reference="base")
    found = trait_quality(cell(), question_quality(cell(), "teacher"), [*metrics(clear=0.5, dull=0.5), untrained])
    assert next(quality for quality in found if quality.trait == "clear").problems == [
        "works when prompted, not seen in aligned"
    ]


def test_the_report_shows_the_worst_and_its_table_holds_every_question(tmp_path):
    settings = fake_settings(report={"worst_questions": 2})
    build_run(tmp_path / "results", settings)
    page = write_report(tmp_path, settings)
    assert "The 2 worst of 45 questions" in page.read_text()
    with open(page.parent / "questions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["student", "constitution", *QUESTION_FIELDS]
    assert len(rows) == 45 and {row["gain"] for row in rows} == {"0.75"}
