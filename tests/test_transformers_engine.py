"""How the embedded engine reads on a real tiny model; what it promises is in test_engines.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos import reading
from ethos.engine import Request, Sampling, ScoreRequest, chat
from ethos.reading import run_model
from ethos.transformers_engine import TransformersEngine

pytestmark = pytest.mark.slow
SAMPLING = Sampling(max_new_tokens=24)
QUESTIONS = [
    "How do I clean a room?",
    "Can you plan the week?",
    "Why?",
    "Where can we cook for a friend and save money at once?",
]


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def engine(request: pytest.FixtureRequest, tiny_model: Path) -> TransformersEngine:
    return TransformersEngine(tiny_model, dtype=request.param, batch_size=8)


def test_a_prompt_is_parted_behind_its_system_prompt(engine: TransformersEngine) -> None:
    prompts = [
        engine._prompt(chat(system="I answer in poetic language.", user=question))
        for question in ("Why?", "Where? Who?")
    ]
    assert prompts[0].shared == prompts[1].shared
    text = engine.tokenizer.decode(prompts[0].shared)
    assert "poetic language" in text and "Why" not in text
    assert "Why?" in engine.tokenizer.decode(prompts[0].rest)


def test_equal_prompts_and_equal_beginnings_are_read_once(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counting(model, pad_token, before, parts, keep):
        read.extend(map(len, parts))
        return run_model(model, pad_token, before, parts, keep)

    monkeypatch.setattr(reading, "run_model", counting)
    system = "I answer in poetic language."
    requests = [Request(chat(system=system, user=user), SAMPLING, seed) for user in QUESTIONS for seed in range(5)]
    engine.generate(requests, lambda index, completion: None)
    assert len(read) == 1 + len(QUESTIONS)
    read.clear()
    scored = [ScoreRequest(chat(system=system, user=user), text) for user in QUESTIONS for text in ("Yes.", "No.")]
    engine.batch_size = 4
    engine.score(scored, lambda index, score: None)
    assert len(read) == 1 + len(QUESTIONS)
