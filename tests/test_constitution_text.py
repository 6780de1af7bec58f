"""A constitution that is written out and read again is the same, and a person can read it."""

from __future__ import annotations

import random

import pytest
import yaml

from ethos.constitution import Constitution, load_constitution
from ethos.constitution_text import constitution_text

LONG = (
    "I take my time, and I say so when a message could be read in two ways, because a guess costs more than a question."
)
PIECES = [
    *[
        "a",
        "word",
        "longer word",
        "  ",
        " ",
        "\n",
        "\n\n",
        "\n ",
        "\t",
        "\r",
        ":",
        "#",
        "- ",
        "'",
        '"',
        "é",
        "日本",
        "😀",
    ],
    *["\u2028", "\x85", "\xa0", "\ufeff", "\x07", "\\", "%", "{", "|", ">", "null", "1", "a" * 120],
]


def constitution(**trait: str | tuple[str, ...]) -> Constitution:
    fields = {"id": "waits", "text": LONG, "questions": ("What is the time?",), **trait}
    return Constitution.model_validate({"name": "calm", "description": "Calm.", "cues": ("no",), "traits": (fields,)})


def test_the_text_is_laid_out_for_people(tmp_path):
    calm = constitution(
        clarification="Not for ever.",
        questions=("Quick: tea or café?", "😀", LONG),
        generated_questions=("What's “this”?",),
    )
    text = constitution_text(calm)
    assert (
        text
        == """\
name: calm
description: "Calm."
cues:
  - "no"
traits:
  - id: waits
    text: >-
      I take my time, and I say so when a message could be read in two ways, because a guess costs more than
      a question.
    clarification: "Not for ever."
    questions:
      - "Quick: tea or café?"
      - >-
        😀
      - >-
        I take my time, and I say so when a message could be read in two ways, because a guess costs more
        than a question.
    generated_questions:
      - "What's “this”?"
"""
    )
    path = tmp_path / "calm.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_constitution(path) == calm


@pytest.mark.parametrize("written", [0, 1, 2])
def test_any_text_is_read_again_as_it_was(written):
    generator = random.Random(written)
    for _ in range(100):
        texts = ["".join(generator.choices(PIECES, k=generator.randint(1, 30))).strip() or "x" for _ in range(5)]
        asked = {
            "questions": tuple(texts[2 : 2 + written]),
            "generated_questions": tuple(texts[2 + written : 4]) or None,
        }
        odd = constitution(text=texts[0], clarification=texts[1], **asked)
        odd = odd.model_copy(update={"cues": (texts[4],), "description": texts[0]})
        assert Constitution.model_validate(yaml.safe_load(constitution_text(odd))) == odd
