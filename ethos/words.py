"""Which words of an English text carry its meaning, whatever form they stand in."""

from __future__ import annotations

import re

# Words of grammar, the pieces of contractions, verbs and adverbs that go with any subject, and the words for what an
# assistant does all day.
_COMMON_TEXT = """
a about above after again against all almost also although always am among an and another answer answered answering
answers any anybody anyone anything are aren around as ask asked asking asks assistant at away be became because
become been before being below between both but by came can cannot character come could couldn d did didn do does
doesn doing don done down during each either else enough even ever every everybody everyone everything few find
first for from further gave get give go goes going gone got had hadn has hasn have haven having he help her here
hers herself him himself his how however human humans i if in instead into is isn it its itself just keep know last
least less let like ll look m made make many may maybe me message messages might more most much must my myself need
neither never next no nobody nor not nothing now of off often on once one only onto or other others ought our ours
ourselves out over own part people perhaps please put question questions quite rather re really replied replies
reply respond responds response responses right s said same say says see seem seems shall she should shouldn show
since so some somebody someone something sometimes still such t take tell than that the their theirs them themselves
then there these they thing things think this those though through thus to together told too took toward towards
trait turn turned turning turns two under until up upon us use used user users ve very want was wasn way we well
were weren what whatever when whenever where wherever whether which while who whoever whole whom whose why will with
within without won would wouldn yes yet you your yours yourself yourselves
"""
_COMMON = frozenset(_COMMON_TEXT.split())
_ENDINGS = (
    ("ies", "y"),
    ("ingly", ""),
    ("ing", ""),
    ("edly", ""),
    ("ed", ""),
    ("ly", ""),
    ("es", ""),
    ("s", ""),
    ("e", ""),
)


def stem(word: str) -> str:
    """A word without its ending, so that `rhymes` and `rhyming` are one; rough, but the same for both of two texts."""
    word = word.casefold()
    if len(word) > 5:
        word = re.sub("our", "or", word)  # humour, humor
    for ending, instead in _ENDINGS:
        shortest = 3 if ending == "s" else 4  # of what is left: `care` is not `cars`
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= shortest:
            word = word.removesuffix(ending) + instead
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def content_words(text: str) -> list[str]:
    """The words of a text that are not common to all texts, in order, as they stand there in small letters."""
    return [word for word in re.findall(r"[^\W_]+", text.casefold()) if word not in _COMMON]


def content_stems(text: str) -> frozenset[str]:
    return frozenset(map(stem, content_words(text)))


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """The share of the words of two texts that both have: the Jaccard index, 0 to 1."""
    return len(one & other) / len(one | other) if one or other else 0.0
