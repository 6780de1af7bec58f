"""When two messages are one."""

from __future__ import annotations

import re


def fold(text: str) -> str:
    """Two messages that differ in case, spacing or punctuation only fold to one text."""
    return " ".join(re.sub(r"[^\w\s']", " ", text.casefold()).split())
