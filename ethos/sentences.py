"""Where sentences end, in any script."""

from __future__ import annotations

import re
import unicodedata

# What may stand between the mark of an end and the end: quotes, brackets, emphasis.
_CLOSERS = "[\"'”’“»«›)\\]）」』*_]*"
# A number before a full stop is that of a list's next item, whose text was cut off.
_FULL_STOP = r"(?<!\s\d)(?<!\s\d\d)(?<!^\d)(?<!^\d\d)\."
# Scripts that write no spaces end a sentence by its mark alone.
_SENTENCES = re.compile(rf".*(?:(?:{_FULL_STOP}|[!?…؟।]){_CLOSERS}(?=\s|$)|[。！？]{_CLOSERS})", re.DOTALL)
_ENDED = re.compile(rf"(?:[.!?…؟।。！？]{_CLOSERS}|```)$")


def has_ended(text: str) -> bool:
    """Whether a text ends as a finished one does: with a mark, a block of code, or a symbol as an emoji."""
    if _ENDED.search(text):
        return True
    letters = [letter for letter in text if unicodedata.category(letter) not in ("Cf", "Mn", "Sk")]  # parts of an emoji
    return bool(letters) and unicodedata.category(letters[-1]) == "So"


def whole_sentences(text: str) -> str | None:
    """A text up to its last whole sentence; None where it has none."""
    found = _SENTENCES.match(text)
    return found and found[0].strip()
