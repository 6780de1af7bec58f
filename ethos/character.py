"""Being in character: what the system prompt holds, and how well a response shows it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ethos.constitution import Constitution
from ethos.engine import Message, Score, ScoreRequest, chat
from ethos.prompts import render_prompt
from ethos.stored_engine import StoredEngine


def told_traits(constitution: Constitution, trait_id: str, scope: str) -> list[str]:
    """What a model in character is told for a question of this trait. scope: `trait` (its own trait) or `constitution` (all)."""
    traits = [constitution.trait(trait_id)] if scope == "trait" else constitution.traits
    return [trait.text for trait in traits]


def character_prompt(constitution: Constitution, trait_id: str, scope: str) -> str:
    """The system prompt for a question of this trait. scope: as for `told_traits`."""
    return render_prompt("character", traits=told_traits(constitution, trait_id, scope))


def in_character(constitution: Constitution, trait_id: str, question: str, scope: str) -> tuple[Message, ...]:
    return chat(system=character_prompt(constitution, trait_id, scope), user=question)


def score_in_and_out(
    engine: StoredEngine, constitution: Constitution, rows: Sequence[tuple[str, str, str]], scope: str
) -> list[tuple[Score, Score]]:
    """Scores of each response with the traits in the system prompt, and without a system prompt.

    rows: (trait id, question, response). The likelihood ratio is the difference of the two means: how much more likely
    the response is, in nats per token, from a model that was told the traits.
    """
    told = [
        ScoreRequest(in_character(constitution, trait, question, scope), response) for trait, question, response in rows
    ]
    plain = [ScoreRequest(chat(user=question), response) for _, question, response in rows]
    scores = engine.score([*told, *plain])
    return list(zip(scores[: len(rows)], scores[len(rows) :], strict=True))


def cues_per_hundred_words(response: str, cues: Sequence[str]) -> float | None:
    """The constitution's cues in a response, per hundred words; whole words, case and line breaks ignored.

    0 for an empty response, None if there are no cues.
    """
    if not cues:
        return None
    words = len(response.split())
    pattern = r"\b(?:" + "|".join(r"\s+".join(map(re.escape, cue.split())) for cue in cues) + r")\b"
    return 100 * len(re.findall(pattern, response, flags=re.IGNORECASE)) / words if words else 0.0
