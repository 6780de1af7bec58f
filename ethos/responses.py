"""Sampling responses to questions, and the reasons for which one is not used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ethos.engine import Completion, Message, Request
from ethos.filters import IN_CHARACTER, PLAIN, first_reason
from ethos.seeds import derive_seed
from ethos.sentences import has_ended, whole_sentences
from ethos.stage_settings import InCharacter
from ethos.stored_engine import StoredEngine


def usable_text(completion: Completion, *, cut_off: str, max_tokens: int | None = None) -> tuple[str, str | None]:
    """The response, and why it is not used or None, whatever it says; ethos/filters.py judges that.

    `too_long` (the prompt leaves no room for a response, or that has more than `max_tokens`), `empty`, `cut_off` (at the
    token limit), `unfinished` (no end, see `ethos.sentences`).
    cut_off: `drop` a response that reached the token limit, or `trim` it to its last whole sentence.
    """
    text = completion.text.strip()
    if completion.finish_reason == "too_long":
        return text, "too_long"
    if not text:
        return text, "cut_off" if completion.finish_reason == "length" else "empty"  # cut off while still thinking
    if max_tokens is not None and completion.completion_tokens > max_tokens:
        return text, "too_long"
    if completion.finish_reason == "length":
        whole = whole_sentences(text) if cut_off == "trim" else None
        return (whole, None) if whole else (text, "cut_off")
    return text, None if has_ended(text) else "unfinished"


def sample_responses(
    engine: StoredEngine,
    questions: Sequence[Mapping[str, Any]],
    messages: Callable[[Mapping[str, Any]], tuple[Message, ...]],
    *,
    author: str,
    count: int,
    settings: InCharacter,
    seed: int,
    told: Callable[[Mapping[str, Any]], Sequence[str]] = lambda question: (),
) -> list[dict[str, Any]]:
    """Sample `count` responses to each question.

    questions: rows of tables.QUESTIONS. messages: what the model is sent for a question. author: `in_character` or
    `plain`. told: the traits that stand in the messages. Returns rows of tables.RESPONSES; filtered ones are in it, with
    their reason.
    """
    checks = PLAIN if author == "plain" else IN_CHARACTER
    asked = [(question, sample) for question in questions for sample in range(count)]
    completions = engine.generate(
        [
            Request(messages(question), settings.sampling, derive_seed(seed, author, question["question_id"], sample))
            for question, sample in asked
        ]
    )
    rows = []
    for (question, sample), completion in zip(asked, completions, strict=True):
        text, reason = usable_text(completion, cut_off=settings.cut_off, max_tokens=settings.max_tokens)
        reason = reason or first_reason(text, checks, settings.filters, question=question["text"], told=told(question))
        rows.append(
            {
                "question_id": question["question_id"],
                "trait": question["trait"],
                "question": question["text"],
                "split": question["split"],
                "author": author,
                "sample": sample,
                "response": text,
                "finish_reason": completion.finish_reason,
                "tokens": completion.completion_tokens,
                "thinking": completion.thinking or None,
                "filtered": reason,
            }
        )
    return rows


def count_reasons(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many rows are kept, and how many were filtered for each reason."""
    counts = {"kept": 0}
    for row in rows:
        reason = row["filtered"] or "kept"
        counts[reason] = counts.get(reason, 0) + 1
    return counts
