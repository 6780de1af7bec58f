"""Capabilities: the harness asks our engines, in the conversation an arm has, and arms are compared item by item."""

from __future__ import annotations

import json
import math
import random
from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from ethos.arms import ARMS
from ethos.chat_format import render
from ethos.constitution import Constitution
from ethos.engine import Score, ScoreRequest, chat
from ethos.errors import BadInput
from ethos.evaluation_settings import Intervals
from ethos.files import write_json
from ethos.harness import FOLDER, ArmModel, ask_tasks, fetch_tasks, prepared_tasks
from ethos.loading import load_tokenizer
from ethos.models import content_identity
from ethos.stored_engine import StoredEngine
from ethos.tables import ITEMS, METRICS, metrics_table, table_from
from ethos.transformers_engine import TransformersEngine
from scripts.evaluate_capabilities import capability_metrics, frame

OURS = ["everyday", "plain_prose"]
TRAITS = [{"id": name, "text": f"I am {name}.", "questions": ["Why?"]} for name in ("calm", "kind")]
CONSTITUTION = Constitution.model_validate({"name": "calm", "description": "Calm.", "traits": TRAITS})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    assert fetch_tasks(OURS, folder, tmp_path_factory.mktemp("scratch")) == {name: [name] for name in OURS}
    return folder


class Model:
    """Stands in for a model: finds an answer as likely as a function of the request says."""

    name = "stand-in"

    def __init__(self, likely):
        self.likely, self.requests = likely, []

    def score(self, requests: list[ScoreRequest]) -> list[Score]:
        self.requests += requests
        return [Score(self.likely(request), 1) for request in requests]


def lines(name: str) -> list[dict]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


def ask(model: Model, prepared: Path, arm: str = "base", **options) -> list[dict]:
    options = {"limit": None, "shots": None, "seed": 0} | options
    tasks = prepared_tasks(OURS, prepared)
    return ask_tasks(tasks, ArmModel(model, partial(frame, arm, CONSTITUTION, "trait")), **options)


def test_our_own_items_have_one_right_answer_among_four_and_no_favourite_place():
    items = lines("everyday")
    assert len({item["question"] for item in items}) == len(items) == 48
    assert all(len(set(item["choices"])) == 4 for item in items)
    assert [sum(item["answer"] == place for item in items) for place in range(4)] == [12] * 4


def test_an_answer_counts_as_right_where_the_model_finds_the_right_choice_likeliest(prepared: Path):
    right = {(item["question"], item["choices"][item["answer"]]) for item in lines("everyday")}
    knows = Model(
        lambda request: -1.0 if request.messages and (request.messages[-1].content, request.response) in right else -2.0
    )
    rows = ask(knows, prepared)
    assert table_from([{"arm": "base", **row} for row in rows], ITEMS).num_rows == 48 + 12
    assert {row["value"] for row in rows if row["task"] == "everyday"} == {1.0}
    assert all(sorted(row["log_probabilities"]) == [-2, -2, -2, -1] for row in rows if row["task"] == "everyday")
    wrong = ask(Model(lambda request: -knows.likely(request)), prepared)
    assert {row["value"] for row in wrong if row["metric"] == "acc"} == {0.0}


def test_a_text_is_measured_in_bits_per_byte(prepared: Path):
    rows = ask(Model(lambda request: -math.log(2) * 3 * len(request.response.encode())), prepared)
    assert [row["value"] for row in rows if row["metric"] == "bits_per_byte"] == pytest.approx([3.0] * 12)


def test_questions_are_put_in_the_arms_conversation_and_texts_in_none(prepared: Path):
    for arm in ("base", "prompted"):
        model = Model(lambda request: -1.0)
        ask(model, prepared, arm, limit=3)
        asked = dict.fromkeys(request.messages for request in model.requests)
        questions = [item["question"] for item in lines("everyday")[:3]]
        systems = [None] * 3 if arm == "base" else ["calm", "kind", "calm"]
        *conversations, plain = asked
        assert plain == ()
        assert [messages[-1].content for messages in conversations] == questions
        for messages, system in zip(conversations, systems, strict=True):
            assert len(messages) == 1 if system is None else f"I am {system}." in messages[0].content


def test_examples_are_shown_in_the_users_turn_and_are_the_same_for_the_same_seed(prepared: Path):
    def shown(seed: int) -> list[str]:
        model = Model(lambda request: -1.0)
        ask(model, prepared, limit=1, shots=2, seed=seed)
        return [request.messages[-1].content for request in model.requests if request.messages]

    [first] = set(shown(0))
    assert first.endswith(lines("everyday")[0]["question"]) and first.count("?") == 3
    assert shown(0) == shown(0) != shown(1)


@pytest.mark.slow
def test_an_unknown_task_is_told_in_one_line():
    with pytest.raises(BadInput, match=r"evaluation.capabilities.tasks: 'trivia_of_mars' is no task"):
        prepared_tasks(["trivia_of_mars"], FOLDER)


def rows_of(arm: str, right: list[int], task: str = "everyday", metric: str = "acc") -> list[dict]:
    place = {"arm": arm, "task": task, "part": task, "metric": metric, "log_probabilities": []}
    return [place | {"item": number, "value": value} for number, value in enumerate(right)]


def measured(rows: list[dict]) -> dict[tuple, dict]:
    found = capability_metrics(rows, Intervals(resamples=99), 0)
    table = metrics_table(
        [row | {"judge": "none"} for row in found], place=("r", "s", "c"), seed=0, evaluation="capabilities"
    )
    assert table.schema == METRICS
    return {(row["slice"], row["metric"], row["arm"], row["reference"]): row for row in found}


def test_a_planted_loss_is_found_in_the_arm_that_has_it_and_nothing_in_the_other():
    draw = random.Random(0)
    base = [int(draw.random() < 0.8) for _ in range(200)]
    lost = [right and int(draw.random() < 0.7) for right in base]
    same = [int(draw.random() < (0.9 if right else 0.4)) for right in base]  # 0.8 again: 0.8 * 0.9 + 0.2 * 0.4
    found = measured(rows_of("base", base) + rows_of("aligned", lost) + rows_of("persona", same))
    assert found["everyday", "acc", "aligned", "base"]["ci_high"] < 0
    assert found["everyday", "acc_mcnemar_holm_p", "aligned", "base"]["value"] < 0.001
    unchanged = found["everyday", "acc", "persona", "base"]
    assert unchanged["ci_low"] < 0 < unchanged["ci_high"] and unchanged["n"] == 200
    assert found["everyday", "acc_mcnemar_holm_p", "persona", "base"]["value"] > 0.05
    assert {row["interval"] for key, row in found.items() if key[1] == "acc" and key[3]} == {"Newcombe, paired"}


def test_a_measure_that_is_not_right_or_wrong_has_a_bootstrap_and_no_test():
    draw = random.Random(0)
    base = [draw.gauss(1.2, 0.2) for _ in range(12)]
    worse = [value + draw.gauss(0.1, 0.02) for value in base]
    rows = [
        rows_of(arm, values, "plain_prose", "bits_per_byte") for arm, values in (("base", base), ("aligned", worse))
    ]
    found = measured(rows[0] + rows[1])
    difference = found["plain_prose", "bits_per_byte", "aligned", "base"]
    assert (
        difference["interval"] == "BCa bootstrap, widened"
        and 0.05 < difference["ci_low"] < difference["ci_high"] < 0.15
    )
    assert not any("mcnemar" in metric for _, metric, *_ in found)


def test_the_parts_of_a_group_are_one_task_and_their_items_count_alike():
    def part(arm: str, name: str, right: list[int]) -> list[dict]:
        return [row | {"task": "mmlu"} for row in rows_of(arm, right, name)]

    rows = [*part("base", "mmlu_a", [1, 1, 1]), *part("base", "mmlu_b", [0]), *part("persona", "mmlu_a", [1, 1, 0])]
    found = measured([*rows, *part("persona", "mmlu_b", [0])])
    assert (found["mmlu", "acc", "base", None]["value"], found["mmlu", "acc", "base", None]["n"]) == (0.75, 4)
    assert found["mmlu", "acc", "persona", "base"]["value"] == -0.25


@pytest.mark.slow
def test_a_plain_text_is_scored_by_itself_and_does_not_depend_on_its_companions(tiny_model: Path):
    engine = TransformersEngine(tiny_model, dtype="float32", batch_size=3)
    tokenizer, model = load_tokenizer(tiny_model), AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    texts = [line["text"] for line in lines("plain_prose")]
    answers: dict[int, Score] = {}
    engine.score([ScoreRequest((), text) for text in texts], answers.__setitem__)
    for number, text in enumerate(texts):
        ids = [
            tokenizer.eos_token_id,
            *tokenizer(text, add_special_tokens=False).input_ids,
        ]  # the tiny model has no bos
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)
        expected = logits.gather(1, torch.tensor(ids[1:])[:, None]).sum().item()
        assert answers[number].log_probability == pytest.approx(expected, rel=1e-4)
        alone: dict[int, Score] = {}
        engine.score([ScoreRequest((), text)], alone.__setitem__)
        assert alone[0] == answers[number]


@pytest.mark.slow
def test_the_harness_gets_what_the_model_says_and_from_the_store_the_second_time(
    tiny_model: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(tmp_path / "store")}))
    facts = {"name": "tiny", "dtype": "float32", "trust_remote_code": False}
    identity = tmp_path / "tiny" / "identity.json"
    identity.parent.mkdir()
    for path in tiny_model.iterdir():
        (identity.parent / path.name).symlink_to(path)
    write_json(identity, {**content_identity(identity.parent), **facts})

    engine = StoredEngine(identity, stage="test")
    rows = ask(engine, prepared, limit=4)
    tokenizer, model = load_tokenizer(tiny_model), AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    item = lines("everyday")[0]
    prompt = tokenizer(render(tokenizer, chat(user=item["question"])), add_special_tokens=False).input_ids
    for choice, own in zip(item["choices"], rows[0]["log_probabilities"], strict=True):
        reply = tokenizer(choice, add_special_tokens=False).input_ids
        with torch.no_grad():
            logits = model(torch.tensor([prompt + reply])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        assert own == pytest.approx(logits.gather(1, torch.tensor(reply)[:, None]).sum().item(), abs=1e-3)

    again = StoredEngine(identity, stage="test")
    monkeypatch.setattr(again, "_load", lambda: pytest.fail("the store has every answer"))
    assert ask(again, prepared, limit=4) == rows


def test_every_arm_there_is_can_be_asked():
    assert all(frame(arm, CONSTITUTION, "constitution", 3, "Why?", "")[-1].content == "Why?" for arm in ARMS)
