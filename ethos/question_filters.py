"""Why a generated question is not used, and how long a question is."""

from __future__ import annotations

import re

from ethos.constitution import Trait
from ethos.folding import fold
from ethos.giving_away import gives_away
from ethos.near_duplicates import NearDuplicates
from ethos.phrases import ASSISTANT_TALK, DECLINES_TO_ANSWER

# Scripts that write no spaces are counted by character.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+(?:[’'-]\w+)*")
# Fewer words than three carry no task. A message with background is a paragraph; what is longer than 200 words ran away.
_FEWEST, _MOST = 3, 200
# Words of a message of one line and of one of two or three sentences, at most; what is longer is a paragraph.
_SHORT, _MEDIUM = 20, 50
# The rest of a list on the line of one item: `Who won?8. I lost.` A number with decimals before the full stop is a sum.
_NEXT_ITEM = re.compile(r"(?<!\d)[.!?…][\"”’]?[ \t]*\d{1,3}[.)][ \t]*[^\W\d]")


def count_words(text: str) -> int:
    return len(_WORD.findall(text))


def length_of(text: str) -> str:
    """`short` (one line, up to 20 words), `medium` (two or three sentences, up to 50 words) or `long`."""
    words = count_words(text)
    return "short" if words <= _SHORT else "medium" if words <= _MEDIUM else "long"


class QuestionFilter:
    """Tells why a generated question of one trait is not used. It depends on that trait alone: an edit of another moves nothing.

    name: the constitution's. near_duplicate: the similarity from which two questions of the trait are one.
    """

    def __init__(self, trait: Trait, name: str, near_duplicate: float):
        self.trait, self.name = trait, name
        self._seen: set[str] = set()
        self._near = NearDuplicates(near_duplicate)
        for question in trait.questions:
            self.keep(question)

    def keep(self, question: str) -> None:
        """Count a question among those that others must not repeat."""
        self._seen.add(fold(question))
        self._near.add(question)

    def reason(self, question: str) -> str | None:
        """Why a question is not used, the first that holds, or None.

        `duplicate`, `too_short` or `too_long` (3 to 200 words), `several` (a list on one line), `assistant_talk` (an
        assistant speaks, or it is about the list itself), `refusal`, `gives_away` (see `ethos.giving_away`),
        `near_duplicate`. All phrases are English; a question in another language is as good as any.
        """
        words = count_words(question)
        if fold(question) in self._seen:
            return "duplicate"
        if not _FEWEST <= words <= _MOST:
            return "too_short" if words < _FEWEST else "too_long"
        if _NEXT_ITEM.search(question):
            return "several"
        if ASSISTANT_TALK.search(question):
            return "assistant_talk"
        # People too are unable to do things; then they ask.
        if DECLINES_TO_ANSWER.search(question) and "?" not in question:
            return "refusal"
        if gives_away(question, self.trait, self.name):
            return "gives_away"
        return "near_duplicate" if self._near.of(question) else None
