"""Collecting questions with a writer that stands in for the model, so that a test says what it answers."""

from __future__ import annotations

from collections.abc import Callable

from ethos.constitution import Constitution
from ethos.engine import Completion, Request
from ethos.stage_settings import Questions
from scripts.generate_questions import generate_questions

WRITTEN = ["How do I boil an egg?", "What is the time in Rome?"]


class Writer:
    """Stands in for the model: answers each request with a text."""

    def __init__(self, answer: Callable[[Request], str]):
        self.answer, self.rounds = answer, []

    def generate(self, requests: list[Request]) -> list[Completion]:
        if requests:
            self.rounds.append(list(requests))
        return [Completion(self.answer(request), "stop", 1, 1) for request in requests]


def constitution(generated: dict[str, list[str]] | None = None, **questions: list[str]) -> Constitution:
    """generated: questions of a trait that a model wrote."""
    traits = [
        {"id": name, "text": f"I am {name}.", "questions": asked, "generated_questions": (generated or {}).get(name)}
        for name, asked in questions.items()
    ]
    return Constitution.model_validate({"name": "calm", "description": "Calm.", "cues": ["hush"], "traits": traits})


def collect(
    character: Constitution, writer: Writer, *, messages: tuple[list[str], ...] = (), seed: int = 0, **settings
) -> tuple[list[dict], dict]:
    return generate_questions(character, writer, Questions(**{"general": 0} | settings), seed, messages)


def silent() -> Writer:
    return Writer(lambda request: "")


MANY = [f"What about number {number}?" for number in range(60)]
