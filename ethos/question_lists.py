"""Lists of messages that a model is asked for: varied by length and kind, begun with a trait's own, read item by item."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from textwrap import dedent

from ethos.constitution import Trait
from ethos.engine import Request, Sampling, chat
from ethos.prompts import prompt_lines, render_prompt
from ethos.question_filters import length_of
from ethos.seeds import derive_seed
from ethos.sentences import has_ended

_NUMBERED = re.compile(r" {0,3}\d{1,3}[.)](?:\s+(.*))?$")
_QUOTED = re.compile(r"[\"“]([^\"“”]*)[\"”]", re.DOTALL)
LENGTHS = ("short", "medium", "long")  # as the lines of prompts/question_lengths.txt


def parse_list(text: str) -> list[str]:
    """The items of a numbered list. One that has no end is dropped, since it may be cut off.

    An item runs on over the lines below it, up to an empty line that nothing indented follows: what comes then is talk
    about the list.
    """
    items: list[list[str]] = []
    open_item = after_gap = False
    for line in text.splitlines():
        if match := _NUMBERED.match(line):
            items.append([match.group(1) or ""])
            open_item, after_gap = True, False
        elif not line.strip():
            after_gap = True
        elif open_item and (not after_gap or line[0].isspace()):
            items[-1] += [""] * after_gap + [line]
            after_gap = False
        else:
            open_item = False
    texts = ["\n".join([first, dedent("\n".join(rest))]).strip() for first, *rest in items]
    texts = [match.group(1).strip() if (match := _QUOTED.fullmatch(text)) else text for text in texts]
    return [text for text in texts if has_ended(text)]


def asked_variety(trait: str, attempt: int, seed: int) -> tuple[str, str]:
    """The length that a list is asked for (one of LENGTHS), and the sentence that asks for a kind of message.

    Each trait begins elsewhere and goes through all lengths and all kinds in turn.
    """
    start = derive_seed(seed, "variety", trait)
    kinds = prompt_lines("question_kinds")
    turn = start // len(LENGTHS) + attempt
    return LENGTHS[(start + attempt) % len(LENGTHS)], kinds[turn % len(kinds)]


def list_request(
    trait: Trait, examples: Sequence[str], *, count: int, sampling: Sampling, seed: int, attempt: int
) -> Request:
    """Ask for `count` messages more. The examples open the list, in an order of its own, and the model goes on.

    Those of the length that is asked for come last, next to where the model begins.
    """
    request_seed = derive_seed(seed, "questions", trait.id, attempt)
    length, kind = asked_variety(trait.id, attempt, seed)
    given = list(examples)
    random.Random(request_seed).shuffle(given)
    given.sort(key=lambda example: length_of(example) == length)
    begun = "".join(f"{number}. {example}\n" for number, example in enumerate(given, 1))
    prompt = render_prompt(
        "generate_questions",
        count=len(given) + count,
        length=dict(zip(LENGTHS, prompt_lines("question_lengths"), strict=True))[length],
        kind=kind,
        trait=trait.text,
        clarification=trait.clarification or "",
    )
    return Request(chat(user=prompt), sampling, request_seed, prefill=f"{begun}{len(given) + 1}.")


def first_items(request: Request, text: str) -> list[str]:
    """The items of the list that answers a request, without those that the request began with."""
    return parse_list(request.prefill.rpartition("\n")[2] + text)
