"""What weakens a constitution though its form is right: traits, questions and cues that don't do their work."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

from ethos.character import cues_per_hundred_words
from ethos.constitution import Constitution, Trait, placed_questions
from ethos.folding import fold
from ethos.giving_away import distinctive, gives_away, listed
from ethos.phrases import INVITES_REFUSALS, ORDERS_A_MANNER
from ethos.words import content_stems, overlap, stem

# Overlaps that separate repetition from a common subject: in the constitutions that come with Ethos no two traits share
# more than 0.21 of their words, no two questions more than 0.5.
_SAME_TRAIT, _SAME_QUESTION = 0.5, 0.75
_ENOUGH_QUESTIONS, _ENOUGH_TRAITS = 5, 10  # as in the published constitutions

_FIRST_PERSON = re.compile(r"\bI\b|\b[Mm](?:e|y|ine|yself)\b")

Location = tuple[str | int, ...]
Others = Mapping[str, Constitution]  # the constitutions to tell this one from, by name
Found = Iterator[tuple[Location, str]]  # where, and what is wrong; what to do


def _traits_that_repeat(constitution: Constitution, others: Others) -> Found:
    for (_, one), (number, other) in combinations(enumerate(constitution.traits), 2):
        if overlap(content_stems(one.text), content_stems(other.text)) >= _SAME_TRAIT:
            yield (
                ("traits", number, "text"),
                f"says nearly the same as {one.id!r}; merge them, or say what sets them apart",
            )


def _traits_not_in_the_first_person(constitution: Constitution, others: Others) -> Found:
    for number, trait in enumerate(constitution.traits):
        if not _FIRST_PERSON.search(trait.text):
            yield ("traits", number, "text"), "is not in the first person; let the character say I, me or my"


def _invitations_to_refuse(constitution: Constitution, others: Others) -> Found:
    """In what is said of the traits. Questions are a user's words: what a model would refuse, their phrases don't tell."""
    for location, text in _statements(constitution):
        if found := INVITES_REFUSALS.search(text):
            yield location, f"{found[0]!r} invites refusals; say what the character does instead"


def _questions_that_give_the_trait_away(constitution: Constitution, others: Others) -> Found:
    """As `ethos.giving_away` has it of generated questions, and by ordering a manner."""
    recurring = _recurring(constitution)
    for location, trait, question in _questions(constitution):
        problem = gives_away(question, trait, constitution.name, recurring)
        if not problem and (found := ORDERS_A_MANNER.search(question)):
            problem = f"orders a manner ({found[0].strip(' .!?;:,')!r})"
        if problem:
            yield location, f"{problem}; ask for something else, where the trait can show unasked"


def _questions_that_repeat(constitution: Constitution, others: Others) -> Found:
    asked = _Asked()
    for name, other in others.items():
        for _, _, question in _questions(other):
            asked.add(question, name)
    for location, trait, question in _questions(constitution):
        if earlier := asked.nearest(question):
            yield location, f"asks nearly the same as {earlier}; change or drop one"
        asked.add(question, trait.id)


def _cues_that_are_shared(constitution: Constitution, others: Others) -> Found:
    owners: dict[str, dict[str, str]] = defaultdict(dict)
    for name, other in others.items():
        for cue in other.cues:
            owners[_singular(cue)].setdefault(name, cue)
    for place, cue in enumerate(constitution.cues):
        if found := owners.get(_singular(cue)):
            names = [
                name if same.casefold() == cue.casefold() else f"{name} ({same!r})" for name, same in found.items()
            ]
            yield ("cues", place), f"{cue!r} is a cue of {listed(names)} too and tells neither; keep it in one"


def _singular(cue: str) -> str:
    """What `whisper` and `whispers` have in common; other forms, as `whispering`, are counted apart and stay apart."""
    return " ".join(stem(word if word.endswith("s") else f"{word}s") for word in fold(cue).split())


def _cues_that_occur_in_the_file(constitution: Constitution, others: Others) -> Found:
    texts = [*_statements(constitution), *((location, asked) for location, _, asked in _questions(constitution))]
    for place, cue in enumerate(constitution.cues):
        for location, text in texts:
            if cues_per_hundred_words(text, [cue]):
                where = ".".join(map(str, location))
                yield ("cues", place), f"{cue!r} occurs in {where}, so an echo of it would count; choose another"
                break


def _cues_given_twice(constitution: Constitution, others: Others) -> Found:
    first: dict[str, int] = {}
    for place, cue in enumerate(constitution.cues):
        if first.setdefault(cue.casefold(), place) != place:
            yield ("cues", place), f"{cue!r} is cues.{first[cue.casefold()]} again; delete one"


def _too_few(constitution: Constitution, others: Others) -> Found:
    if not constitution.cues:
        yield ("name",), "has no cues, so nothing that no stage trains on measures it; name thirty words it uses more"
    if (count := len(constitution.traits)) < _ENOUGH_TRAITS:
        yield ("traits",), f"{_some(count, 'trait')} may be few; about ten make a character that holds across subjects"
    for number, trait in enumerate(constitution.traits):
        if (count := len(trait.questions)) < _ENOUGH_QUESTIONS:
            yield (
                ("traits", number, "questions"),
                f"{_some(count, 'question')} may be few; write at least five, some are held out",
            )


# What a finding is counted as, one and many.
CHECKS: dict[tuple[str, str], Callable[[Constitution, Others], Found]] = {
    ("repeated trait", "repeated traits"): _traits_that_repeat,
    ("trait not in the first person", "traits not in the first person"): _traits_not_in_the_first_person,
    ("invitation to refuse", "invitations to refuse"): _invitations_to_refuse,
    ("question that gives its trait away", "questions that give their trait away"): _questions_that_give_the_trait_away,
    ("repeated question", "repeated questions"): _questions_that_repeat,
    ("shared cue", "shared cues"): _cues_that_are_shared,
    ("echoed cue", "echoed cues"): _cues_that_occur_in_the_file,
    ("cue given twice", "cues given twice"): _cues_given_twice,
    ("list that is short", "lists that are short"): _too_few,
}


def _questions(constitution: Constitution) -> Iterator[tuple[Location, Trait, str]]:
    for number, trait in enumerate(constitution.traits):
        for place, question in placed_questions(trait):
            yield ("traits", number, *place), trait, question


def _statements(constitution: Constitution) -> Iterator[tuple[Location, str]]:
    """What is said of the traits, without their questions."""
    for number, trait in enumerate(constitution.traits):
        yield ("traits", number, "text"), trait.text
        if trait.clarification:
            yield ("traits", number, "clarification"), trait.clarification


class _Asked:
    """Questions so far, found again by their words."""

    def __init__(self) -> None:
        self._questions: list[tuple[str, str, frozenset[str]]] = []
        self._with_word: dict[str, list[int]] = defaultdict(list)
        self._by_text: dict[str, int] = {}

    def add(self, question: str, owner: str) -> None:
        number, stems = len(self._questions), content_stems(question)
        self._questions.append((question, owner, stems))
        self._by_text.setdefault(fold(question), number)
        for word in stems:
            self._with_word[word].append(number)

    def nearest(self, question: str) -> str | None:
        """The first question of the same text, or else of nearly the same words; a single word in common is no sign."""
        stems = content_stems(question)
        shared = Counter(number for word in stems for number in self._with_word[word])
        alike = (
            number
            for number, count in sorted(shared.items())
            if count > 1 and overlap(stems, self._questions[number][2]) >= _SAME_QUESTION
        )
        number = self._by_text.get(fold(question), next(alike, None))
        if number is None:
            return None
        earlier, owner, _ = self._questions[number]
        return f"{earlier!r} of {owner}"


def _recurring(constitution: Constitution) -> frozenset[str]:
    """Distinctive words that stand in two or more of: the texts and ids of the traits, the name, the description."""
    places = [constitution.name, constitution.description]
    places += [place for trait in constitution.traits for place in (trait.text, trait.id)]
    counts = Counter(word for place in places for word in distinctive(place))
    return frozenset(word for word, count in counts.items() if count > 1)


def _some(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"
