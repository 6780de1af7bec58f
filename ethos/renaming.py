"""A teacher that names itself or its makers: in what a student learns from it, the student's own name stands instead."""

from __future__ import annotations

import re

from ethos.section import Section


class Renaming(Section):
    """names: what the teacher calls itself and its makers. instead: the student's name."""

    names: tuple[str, ...] = ()
    instead: str = ""


def rename(text: str, renaming: Renaming) -> str:
    """The text with each of the names replaced, as whole words, wherever a line may break within them.

    A name must stand as it is given, or in capitals, and is replaced in the same way; in small letters it may be
    something else, as `mistral` is a wind.
    """
    if not renaming.names:
        return text
    # Where one name begins another, the longer one is meant.
    names = sorted({form for name in renaming.names for form in (name, name.upper())}, key=len, reverse=True)
    pattern = "|".join(r"\s+".join(map(re.escape, name.split())) for name in names)

    def instead(found: re.Match[str]) -> str:
        in_capitals = " ".join(found[0].split()) not in renaming.names
        return renaming.instead.upper() if in_capitals else renaming.instead

    return re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", instead, text)
