"""Reasoning models think before they answer; the thinking is parsed off, kept apart and never trained on."""

from __future__ import annotations


def split_thinking(text: str, opening: str, closing: str, *, opened: bool = False) -> tuple[str, str]:
    """A reply as (thinking, answer); a reply without thinking is an answer as it is.

    opened: the prompt ended with the opening tag, so that the reply begins in the middle of a thought. Thinking that
    never closes leaves no answer.
    """
    if not opened:
        begun = text.lstrip()
        if not begun.startswith(opening):
            return "", text
        text = begun.removeprefix(opening)
    thinking, closed, answer = text.partition(closing)
    return thinking.strip(), answer.lstrip() if closed else ""
