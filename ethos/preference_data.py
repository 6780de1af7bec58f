"""Preferences as the trainers read them, and what a preference model is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ethos.engine import request_key


def dpo_rows(pairs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of tables.PAIRS as prompt, chosen and rejected messages; no system prompt, the character must be learned."""
    return [
        {
            "prompt": [{"role": "user", "content": pair["question"]}],
            "chosen": [{"role": "assistant", "content": pair["chosen"]}],
            "rejected": [{"role": "assistant", "content": pair["rejected"]}],
        }
        for pair in pairs
    ]


def chosen_rows(examples: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of tables.EXAMPLES as prompt and completion messages of the chosen response; no system prompt either."""
    return [
        {
            "prompt": [{"role": "user", "content": row["question"]}],
            "completion": [{"role": "assistant", "content": row["chosen"]}],
        }
        for row in examples
    ]


def conversation(question: str, response: str) -> list[dict[str, str]]:
    """What the preference model reads: no system prompt, so that it must see the trait in the response itself."""
    return [{"role": "user", "content": question}, {"role": "assistant", "content": response}]


@dataclass(frozen=True)
class RewardRequest:
    """Ask a preference model for the reward of a response."""

    question: str
    response: str

    def key(self, model: str) -> str:
        return request_key("reward", model, conversation(self.question, self.response))


@dataclass(frozen=True)
class Reward:
    """`value`: in logits; only differences mean something. `tokens`: read of the text."""

    value: float
    tokens: int
