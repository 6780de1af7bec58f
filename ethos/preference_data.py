"""Preference pairs as the trainers read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


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
