"""Teacher, judge and each student may all be different models, each with a tokenizer of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ethos.tables import QUESTIONS, RANKINGS, RESPONSES, read_table, table_from, write_table
from ethos.work import read_work
from tests.conftest import ROOT
from tests.stages import Stages, prepare

pytestmark = pytest.mark.slow
CHARACTER = ("--constitution", ROOT / "constitutions" / "poeticism.yaml")
SHORT = {"sampling": {"max_new_tokens": 24, "repetition_penalty": 1.0}}
ROLES = ("student", "other", "teacher", "judge")


@pytest.fixture(scope="module")
def models(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`identity.json` by role; but for the first student, hardly trained models of other seeds."""
    from tests.tiny_model import make_tiny_model

    folder = tmp_path_factory.mktemp("models")
    made = {"student": tiny_model, **{role: folder / role for role in ROLES[1:]}}
    for seed, role in enumerate(ROLES[1:], 1):
        make_tiny_model(made[role], steps=2, seed=seed)
    return {role: prepare(made[role], folder / "prepared" / role, role) for role in ROLES}


def test_each_role_is_asked_of_its_own_model(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"How do I plan day {day}?" for day in range(4)]
    rows = [
        {"question_id": f"q{number}", "trait": "savours_sound", "text": text, "source": "general", "split": "train"}
        for number, text in enumerate(texts)
    ]
    write_table(tmp_path / "questions", table_from(rows, QUESTIONS))
    stages = Stages(tmp_path / "stages", monkeypatch)
    asked = (*CHARACTER, "--questions", tmp_path / "questions", "--settings")
    responses, counts = "responses", "counts"
    settings = json.dumps(SHORT | {"per_question": 3})
    said = {
        role: stages.run(
            "generate_responses", *asked, settings, "--student", models[role], written=(responses, counts), to=role
        )[responses]
        for role in ("student", "other")
    }
    said["teacher"] = stages.run(
        "generate_teacher_responses",
        *asked,
        json.dumps(SHORT),
        *("--teacher", models["teacher"]),
        written=(responses, counts),
        to="teacher",
    )[responses]
    told = {role: [row["response"] for row in read_table(path, RESPONSES).to_pylist()] for role, path in said.items()}
    assert not set(told["teacher"]) & {*told["student"], *told["other"]}
    assert told["student"] != told["other"]

    def scores(judge: str) -> list[float]:
        results = stages.run(
            "rank_responses",
            *CHARACTER,
            *("--responses", said["student"], "--judge", models[judge]),
            *("--settings", json.dumps({"method": "likelihood_ratio", "with_plain": True})),
            written=("rankings", "pairs", "agreement"),
            to=f"by {judge} ",
        )
        return [row["score"] for row in read_table(results["rankings"], RANKINGS).to_pylist()]

    assert len(scores("judge")) == len(scores("student")) > 0
    assert scores("judge") != scores("student")
    assert {(work.stage, work.model) for work in read_work(stages.folder / "store")} == {
        ("generate_responses", "student"),
        ("generate_responses", "other"),
        ("generate_teacher_responses", "teacher"),
        ("rank_responses", "judge"),
        ("rank_responses", "student"),
    }
