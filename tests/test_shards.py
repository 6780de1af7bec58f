"""Shards answer all that a stage asks, each its own share; then the stage finds every answer and writes the same bytes."""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from itertools import product
from pathlib import Path

import pytest

from ethos.arms import ARM_FILES
from ethos.shards import SHARDED, Shard
from ethos.tables import QUESTIONS, table_from, write_table
from tests.conftest import ROOT
from tests.stages import Stages, prepare

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


@pytest.fixture(scope="module")
def cell(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a student, questions, and all that makes the arms."""
    import numpy as np
    import torch

    from ethos.loading import load_model
    from ethos.steering import SteeringVector
    from tests.shared_run import random_adapter

    folder = tmp_path_factory.mktemp("cell")
    student = prepare(tiny_model, folder / "student", "tiny").parent
    rows = [
        {"question_id": f"q{day}", "trait": "savours_sound", "text": f"How do I plan day {day}?", "source": "general"}
        | {"split": "held_out" if day < 4 else "train"}
        for day in range(6)
    ]
    write_table(folder / "questions.parquet", table_from(rows, QUESTIONS))
    for number, (arm, file) in enumerate(ARM_FILES.items()):
        (folder / arm).mkdir()
        if arm == "steered":
            direction = np.random.default_rng(0).normal(size=64).astype(np.float32)
            SteeringVector(1, 2.0, direction).save(folder / arm / file)
        else:
            random_adapter(load_model(student, torch.float32), folder / arm, number, task_type="CAUSAL_LM")
    return folder


SHORT = {"max_new_tokens": 12, "repetition_penalty": 1.0}
TALK = {"reflections_per_prompt": 1, "free_interactions": 2, "guided_interactions": 2, "turns": 4, "cut_off": "trim"}
MATCHES = {"conditions": ["like"], "traits": 4, "matches_per_trait": 2, "sampling": SHORT, "verdict": "judge"}


def options_of(stage: str, cell: Path) -> tuple[list[object], tuple[str, ...]]:
    """The options of a stage's command, and the names of its results."""
    shared = ["--constitution", CONSTITUTION, "--student", cell / "student" / "identity.json"]
    asked = ["--questions", cell / "questions.parquet"]
    arms = [cell / arm / file for arm, file in ARM_FILES.items()]
    if stage == "generate_introspection":
        settings = json.dumps(TALK | {"sampling": SHORT, "turn_sampling": SHORT})
        distilled = cell / "distilled" / "adapter_model.safetensors"
        return [*shared, "--distilled", distilled, "--settings", settings], ("reflections", "interactions", "counts")
    if stage == "sample_arms":
        return [*shared, *asked, *arms, "--settings", json.dumps({"sampling": SHORT})], ("samples",)
    judge = ["--judge", cell / "student" / "identity.json", "--judge-name", "tiny", "--place", "demo", "tiny", "x"]
    settings = json.dumps(MATCHES | {"verdict_sampling": SHORT})
    return [*shared, *asked, *judge, *arms, "--settings", settings], ("matches", "metrics")


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["generate_introspection", "sample_arms", "evaluate_preferences"])
def test_after_its_shards_a_stage_asks_nothing_and_writes_the_same_bytes(
    stage: str, cell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    options, written = options_of(stage, cell)
    whole, divided = (Stages(tmp_path / name, monkeypatch) for name in ("whole", "divided"))
    expected = whole.run(stage, *options, written=written)
    for number in (3, 1, 2):
        left = divided.run(stage, *options, "--shard", f"{number}-of-3", written=written, to=f"{number}-")
        assert [name for name, path in left.items() if path.exists()] == ["used"]
    answered = divided.calls()
    found = divided.run(stage, *options, written=written)
    assert divided.calls() == answered == whole.calls()
    assert {name: path.read_bytes() for name, path in found.items()} == {
        name: path.read_bytes() for name, path in expected.items()
    }
