"""Thinking is parsed off, whatever state it was left in."""

from __future__ import annotations

import pytest

from ethos.thinking import split_thinking


@pytest.mark.parametrize(
    ("text", "opened", "expected"),
    [
        ("A plain answer.", False, ("", "A plain answer.")),
        ("<think>First this.</think>\n\nThe answer.", False, ("First this.", "The answer.")),
        ("\n<think>\n</think>\nThe answer.", False, ("", "The answer.")),
        ("<think>Never done", False, ("Never done", "")),
        ("First this.</think>The answer.", True, ("First this.", "The answer.")),
        ("Cut off in the middle", True, ("Cut off in the middle", "")),
        ("I <think> not.</think>", False, ("", "I <think> not.</think>")),
        ("<think>a</think>b</think>c", False, ("a", "b</think>c")),
    ],
)
def test_a_reply_parts_into_thinking_and_answer(text: str, opened: bool, expected: tuple[str, str]) -> None:
    assert split_thinking(text, "<think>", "</think>", opened=opened) == expected
