"""Shards answer all that a stage asks, each its own share; then the stage finds every answer and writes the same bytes."""

from __future__ import annotations

import inspect
import json
import random
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from ethos.arms import ARM_FILES, ARMS
from ethos.engine import Completion, Request, Score, ScoreRequest
from ethos.files import write_json
from ethos.shards import SHARDED, Shard
from ethos.steering import SteeringVector
from ethos.stored_engine import StoredEngine
from ethos.tables import PERSONA_SAMPLES, QUESTIONS, SAMPLES, table_from, write_table
from tests.bench_scale import WORDS
from tests.conftest import ROOT
from tests.stages import Stages

COUNTS = range(1, 10)
CONSTITUTION = ROOT / "constitutions" / "poeticism.yaml"


@pytest.mark.parametrize("size", [0, 1, 5, 8, 23])
@pytest.mark.parametrize("count", COUNTS)
def test_every_item_falls_to_one_shard_and_shares_are_even(size: int, count: int):
    shares = [Shard(number, count).of(range(size)) for number in range(1, count + 1)]
    assert sorted(item for share in shares for item in share) == list(range(size))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("count", COUNTS)
def test_every_item_of_every_group_falls_to_one_shard_and_a_shard_has_few_groups(count: int):
    groups, items = "abcdefg", range(11)
    shares = [Shard(number, count).of_each(groups, items) for number in range(1, count + 1)]
    said = [(group, item) for share in shares for group, own in share for item in own]
    assert said == list(product(groups, items))
    sizes = [sum(len(own) for _, own in share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert sum(map(len, shares)) <= len(groups) + count - 1


def test_the_only_shard_is_the_whole():
    assert not Shard().is_part and Shard.parse("1-of-1") == Shard()
    assert Shard().of([3, 1, 2]) == [3, 1, 2]
    assert Shard().of_each("ab", [1, 2]) == [("a", [1, 2]), ("b", [1, 2])]


@pytest.mark.parametrize("text", ["", "2", "2/3", "0-of-3", "4-of-3", "2-of-3-of-4", "-1-of-2"])
def test_what_is_no_shard_is_refused_by_name(text: str):
    with pytest.raises(ValueError, match="is no shard; the second of three is 2-of-3"):
        Shard.parse(text)


@pytest.mark.parametrize("stage", SHARDED)
def test_every_stage_that_is_divided_takes_a_shard(stage: str):
    main = import_module(f"scripts.{stage}").main
    assert "shard" in inspect.signature(main.callback).parameters
    assert {"shard"} <= {option.name for option in main.params}


class StandIn:
    """Answers at once, by the model and the request alone, as every engine does; some answers are verdicts."""

    def __init__(self, model: str):
        self.model = model

    def generate(self, requests: Sequence[Request], on_answer: Callable[[int, Completion], None]) -> None:
        for index, request in enumerate(requests):
            draw = random.Random(request.key(self.model))
            sentence = " ".join(draw.choices(WORDS, k=9)).capitalize() + "."
            on_answer(index, Completion(draw.choice([sentence, "<answer>1</answer>"]), "stop", 100, 9))

    def score(self, requests: Sequence[ScoreRequest], on_answer: Callable[[int, Score], None]) -> None:
        for index, request in enumerate(requests):
            on_answer(index, Score(random.Random(request.key(self.model)).uniform(-90, -30), 9))


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student and what makes its arms, by their identities alone; questions, and answers of the arms."""
    monkeypatch.setattr(StoredEngine, "_load", lambda self: StandIn(self.key))
    (folder := tmp_path / "cell").mkdir()
    facts = {"name": "tiny", "content": "weights", "dtype": "float32", "trust_remote_code": False}
    write_json(folder / "student" / "identity.json", facts)
    for arm, file in ARM_FILES.items():
        (folder / arm).mkdir()
        if arm == "steered":
            SteeringVector(1, 2.0, np.ones(64, dtype=np.float32)).save(folder / arm / file)
        else:
            (folder / arm / file).write_text(arm)
    rows = [
        {"question_id": f"q{day}", "trait": "savours_sound", "text": f"How do I plan day {day}?", "source": "general"}
        | {"split": "held_out" if day < 4 else "train"}
        for day in range(6)
    ]
    write_table(folder / "questions.parquet", table_from(rows, QUESTIONS))
    said = {"finish_reason": "stop", "tokens": 9, "thinking": None}
    samples = [
        {"arm": arm, "question_id": row["question_id"], "trait": row["trait"], "question": row["text"], "sample": 0}
        | {"response": f"As {arm} I plan it.", **said}
        for arm in ARMS
        for row in rows[:3]
    ]
    write_table(folder / "samples.parquet", table_from(samples, SAMPLES))
    chat = [
        {"constitution": "poeticism", "arm": "base", "trait": row["trait"], "split": "held_out", "form": "chat"}
        | {"question": row["text"], "asked": row["text"], "response": "I plan it.", **said}
        for row in rows[:3]
    ]
    write_table(folder / "chat.parquet", table_from(chat, PERSONA_SAMPLES))
    return folder


TALK = {"reflections_per_prompt": 1, "free_interactions": 2, "guided_interactions": 2, "turns": 4}
MATCHES = {"conditions": ["like"], "traits": 4, "matches_per_trait": 2, "verdict": "judge", "resamples": 50}
FEW = {"resamples": 99}
UNSEEN = {"training_questions": 2, "held_out_questions": 2}
IN_WORKFLOW = ("generate_responses", "rank_responses")  # tests/workflow/test_shards.py


def options_of(stage: str, cell: Path) -> tuple[dict[str, object], tuple[str, ...]]:
    """The options of a stage's command beside the constitution, and the names of its results."""
    student = cell / "student" / "identity.json"
    arms = {"student": student, "": [cell / arm / file for arm, file in ARM_FILES.items()]}
    asked = arms | {"questions": cell / "questions.parquet"}
    unseen = asked | {"near-duplicate": 0.7}
    judged = {"judge": student, "judge-name": "tiny", "place": ["demo", "tiny", "x"]}
    match stage:
        case "generate_teacher_responses":
            own = {"questions": cell / "questions.parquet", "teacher": student}
            return own, ("responses", "counts")
        case "generate_introspection":
            own = {"student": student, "distilled": cell / "distilled" / ARM_FILES["distilled"], "settings": TALK}
            return own, ("reflections", "interactions", "counts")
        case "sample_arms":
            return asked, ("samples",)
        case "evaluate_preferences":
            return unseen | judged | {"settings": MATCHES}, ("matches", "metrics")
        case "evaluate_capabilities":
            from ethos.harness import fetch_tasks

            write_json(cell / "tasks" / "tasks.json", fetch_tasks(["everyday"], cell / "tasks", cell / "scratch"))
            settings = {"tasks": ["everyday"], "limit": 3, "shots": 0}
            own = {"tasks": cell / "tasks" / "tasks.json", "settings": settings, "intervals": FEW}
            return arms | own | {"place": judged["place"]}, ("items", "metrics")
        case "evaluate_coherence":
            own = {"samples": cell / "samples.parquet", "settings": {"arm": "persona"}, "intervals": FEW}
            return judged | own, ("comparisons", "metrics")
        case "sample_prefill":
            return arms | {"chat": cell / "chat.parquet", "settings": UNSEEN}, ("samples",)
    own = {"sample_robustness": {"robustness": {"suffixes": 2}}, "sample_generalisation": {"generalisation": {}}}
    return unseen | {"settings": UNSEEN} | own.get(stage, {}), ("samples",)


def command_line(options: Mapping[str, object]) -> list[object]:
    """Settings are mappings; what stands under no name are arguments."""
    words: list[object] = []
    for name, value in options.items():
        values = [json.dumps(value)] if isinstance(value, dict) else value if isinstance(value, list) else [value]
        words += [*([f"--{name}"] if name else []), *values]
    return words


@pytest.mark.parametrize("stage", [stage for stage in SHARDED if stage not in IN_WORKFLOW])
def test_after_its_shards_a_stage_asks_nothing_and_writes_the_same_bytes(
    stage: str, cell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    given, written = options_of(stage, cell)
    options = command_line({"constitution": CONSTITUTION, **given})
    whole, divided = (Stages(tmp_path / name, monkeypatch) for name in ("whole", "divided"))
    expected = whole.run(stage, *options, written=written)
    for number in (3, 1, 2):
        left = divided.run(stage, *options, "--shard", f"{number}-of-3", written=written, to=f"{number}-")
        assert [name for name, path in left.items() if path.exists()] == ["used"]
    answered = divided.calls()
    found = divided.run(stage, *options, written=written)
    assert divided.calls() == answered == whole.calls() != {}
    assert {name: path.read_bytes() for name, path in found.items()} == {
        name: path.read_bytes() for name, path in expected.items()
    }
