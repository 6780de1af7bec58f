"""When a message gives a trait away, so that a response that shows the trait proves nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from ethos.constitution import Trait
from ethos.phrases import ASKS_FOR_STYLE
from ethos.prompts import prompt_lines
from ethos.words import content_stems, content_words, stem

# Words of a message that has room for one thing only.
_FEW = 5


def gives_away(message: str, trait: Trait, name: str, recurring: Collection[str] = ()) -> str | None:
    """What in a message gives its trait away, or None.

    By two words of the trait, or one that the constitution comes back to; by a few words that are about nothing else (`Use a
    metaphor.`); by the character's name; by asking for a style.
    name: the constitution's. recurring: stems of the words that it comes back to.
    """
    told = distinctive(f"{trait.text} {trait.id}")
    shared = [word for word in content_words(message) if stem(word) in told]
    stems = set(map(stem, shared))
    about_nothing_else = stems and len(message.split()) <= _FEW and distinctive(message) <= stems
    if len(stems) > 1 or not stems.isdisjoint(recurring) or about_nothing_else:
        return f"uses {_quoted(shared)}, as its trait does"
    if names := [word for word in content_words(message) if _names(name, word)]:
        return f"names the character with {_quoted(names)}"
    if found := ASKS_FOR_STYLE.search(message):
        return f"asks for a style ({found[0].strip(' .!?;:,')!r})"
    return None


def distinctive(text: str) -> frozenset[str]:
    """The stems of the words that everyday questions don't use."""
    return content_stems(text) - _everyday()


@cache
def _everyday() -> frozenset[str]:
    """Words that everyday questions use, which tell nothing of a trait."""
    return content_stems(" ".join(prompt_lines("general_questions")))


def _names(name: str, word: str) -> bool:
    """Whether a word is a persona's name or one of its family, as `humorous` of `humor` and `poetic` of `poeticism`."""
    for part in distinctive(name):
        short, long = sorted((part, stem(word)), key=len)
        if short == long or (len(short) >= 5 and long.startswith(short[:6])):
            return True
    return False


def _quoted(words: Sequence[str]) -> str:
    return listed([repr(word) for word in dict.fromkeys(words)])


def listed(words: Sequence[str]) -> str:
    """`one`, `one and two`, `one, two and three`."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)
