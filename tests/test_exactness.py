"""On the demo's real model: a completion and a score depend on their request alone, in bfloat16 and in float32."""

from __future__ import annotations

import random

import pytest

from ethos.engine import Completion, Message, Request, Sampling, Score, ScoreRequest, chat
from ethos.prompts import prompt_lines
from ethos.transformers_engine import TransformersEngine
from tests.demo_model import demo_model

pytestmark = pytest.mark.slow
SAMPLING = Sampling(max_new_tokens=24)
SYSTEM = "I speak in images.\n\nI would rather ask a question than give an answer that nobody needs."


def requests() -> list[Request]:
    """Plain, in character and in the middle of a conversation; short and long; some prompts several times."""
    rows = []
    for number, text in enumerate(prompt_lines("general_questions")[:6]):
        talk = (
            Message("user", text),
            Message("assistant", "Well, " * number + "what do you think?"),
            Message("user", text),
        )
        for messages in (chat(user=text), chat(system=SYSTEM, user=text), (Message("system", SYSTEM), *talk)):
            rows += [Request(messages, SAMPLING, seed) for seed in range(1 + number % 3)]
    return rows


@pytest.fixture(scope="module", params=["bfloat16", pytest.param("float32", marks=pytest.mark.long)])
def engine(request: pytest.FixtureRequest) -> TransformersEngine:
    return TransformersEngine(demo_model(), dtype=request.param)


def answers(method, rows: list, order: list[int]) -> list:
    found: dict[int, Completion | Score] = {}
    method([rows[place] for place in order], lambda index, answer: found.__setitem__(order[index], answer))
    return [found[place] for place in sorted(order)]


def test_completions_and_scores_do_not_depend_on_order_batch_size_or_companions(engine: TransformersEngine) -> None:
    asked = requests()
    scored = [ScoreRequest(row.messages, "The dawn is a slow letter" + " to you" * (row.seed * 5)) for row in asked]
    order = list(range(len(asked)))
    engine.batch_size = 32
    completions, scores = answers(engine.generate, asked, order), answers(engine.score, scored, order)
    assert len({completion.text for completion in completions}) > len(asked) * 0.9
    shuffled = random.Random(0).sample(order, len(order))
    for size, part in ((32, shuffled), (9, shuffled), (3, shuffled[:5]), (8, shuffled[:1])):
        engine.batch_size = size
        places = sorted(part)
        assert answers(engine.generate, asked, part) == [completions[place] for place in places], size
        assert answers(engine.score, scored, part) == [scores[place] for place in places], size
