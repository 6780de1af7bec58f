"""Constitutions in the published formats of Open Character Training, made into ours with nothing lost.

A hand-written file is a JSON list of {"trait", "questions", "clarification"}; one that a model has added to is JSON lines
of the same with "additional_questions". Maiya et al. (2025), arXiv 2511.01689.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from ethos.constitution import Constitution
from ethos.errors import BadInput
from ethos.folding import fold
from ethos.words import content_words
from ethos.yaml_file import parse_value


class PublishedTrait(BaseModel):
    """A trait as it was published; what is missing may also be null, as pandas writes it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    trait: str
    clarification: str | None = None
    questions: list[str] | None = Field(None)
    additional_questions: list[str] | None = Field(None)


class Entry(NamedTuple):
    """A trait and where it stands; `line` only in a file of JSON lines."""

    trait: PublishedTrait
    path: Path
    line: int | None
    number: int

    def error(self, message: str, *location: str | int) -> BadInput:
        place = ".".join(map(str, ("traits", self.number, *location)))
        return BadInput(message, path=self.path, line=self.line, field=place)


def read_published(path: Path) -> list[Entry]:
    """Read either format. Raises BadInput naming file, line and field: no JSON, an unknown key, a value of a wrong type."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("is not UTF-8 text; save it as UTF-8", path=path) from None
    if text.lstrip().startswith("["):
        values = [(None, value) for value in _parsed(text, path, line=1)]
    else:
        lines = enumerate(text.split("\n"), 1)
        values = [(number, _parsed(line, path, number)) for number, line in lines if line.strip()]
    entries = []
    for number, (line, value) in enumerate(values):
        place = Entry(PublishedTrait(trait=""), path, line, number)
        trait = parse_value(PublishedTrait, value, lambda message, location, at=place: at.error(message, *location))
        entries.append(place._replace(trait=trait))
    if not entries:
        raise BadInput("holds no traits; give a JSON list or JSON lines", path=path)
    return entries


def _parsed(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        message = f"is not JSON ({error.msg}); mend it, or give a JSON list or JSON lines"
        raise BadInput(message, path=path, line=line + error.lineno - 1) from None


@dataclass
class _Gathered:
    """A trait of ours in the making."""

    entry: Entry
    id: str
    written: list[str] = field(default_factory=list)
    generated: list[str] = field(default_factory=list)


class Imported(NamedTuple):
    """left_out: a line for each entry that was empty or a repetition, with its place."""

    constitution: Constitution
    left_out: list[str]


def constitution_from(entries: Sequence[Entry], name: str, description: str, cues: Collection[str]) -> Imported:
    """A constitution with all traits and questions of a published file, in their order.

    What our schema has no place for is left out and told: what is empty, and a question that was asked before (case, spacing
    and punctuation aside), under another trait too, since a message is asked once and its responses ranked by one trait.
    A trait that is repeated hands its questions to its first occurrence.
    Raises BadInput for a trait without text or without questions.
    """
    traits: dict[tuple[str, str], _Gathered] = {}
    asked: dict[str, str] = {}
    left_out: list[str] = []
    for entry in entries:
        published = entry.trait
        questions = [
            (kind, place, question)
            for kind in ("questions", "additional_questions")
            for place, question in enumerate(getattr(published, kind) or [])
        ]
        if not published.trait:
            if published.clarification or any(question for _, _, question in questions):
                raise entry.error("is empty, though there is more to it; write the trait, or delete the rest", "trait")
            left_out.append(str(entry.error("is empty; left out")))
            continue
        content = (published.trait, published.clarification or "")
        if content in traits:
            first = traits[content].entry.number
            left_out.append(str(entry.error(f"is traits.{first} again; its questions are added there", "trait")))
        else:
            taken = {trait.id for trait in traits.values()}
            traits[content] = _Gathered(entry, trait_id(published.trait, taken))
        trait = traits[content]
        for kind, place, question in questions:
            folded = fold(question)
            if not question:
                left_out.append(str(entry.error("is empty; left out", kind, place)))
            elif folded in asked:
                left_out.append(str(entry.error(f"asked already under {asked[folded]!r}; left out", kind, place)))
            else:
                asked[folded] = trait.id
                (trait.written if kind == "questions" else trait.generated).append(question)
    if not traits:
        raise entries[0].error("is empty, and so are all others; give at least one trait")
    for trait in traits.values():
        if not trait.written + trait.generated:
            raise trait.entry.error("has no questions of its own; write at least one, better five", "questions")
    content = {
        "name": name,
        "description": description,
        "cues": tuple(cues),
        "traits": tuple(_fields(trait) for trait in traits.values()),
    }
    return Imported(parse_value(Constitution, content), left_out)


def _fields(trait: _Gathered) -> Mapping[str, Any]:
    return {
        "id": trait.id,
        "text": trait.entry.trait.trait,
        "clarification": trait.entry.trait.clarification or None,
        "questions": tuple(trait.written),
        "generated_questions": tuple(trait.generated) or None,
    }


def trait_id(text: str, taken: Collection[str]) -> str:
    """The first three words of meaning in snake case, `trait` where no word can be spelt so; numbered if taken."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = [word for word in content_words(ascii_text) if re.match("[a-z]", word)]
    plain = "_".join(words[:3])[:40].rstrip("_") or "trait"
    unique, number = plain, 2
    while unique in taken:
        unique, number = f"{plain}_{number}", number + 1
    return unique
