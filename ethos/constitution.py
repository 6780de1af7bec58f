"""A constitution: the character of an assistant as first-person traits, in YAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ethos.errors import BadInput
from ethos.folding import fold
from ethos.yaml_file import FieldError, YamlFile

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trait(_Part):
    """One trait. Its questions are messages that draw it out without asking for it.

    questions: written by hand. generated_questions: written by a model before the run, as those that were imported; None where
    there are none. Of both together there is at least one.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    text: Text
    clarification: Text | None = None
    questions: tuple[Text, ...]
    generated_questions: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None

    @property
    def all_questions(self) -> tuple[str, ...]:
        """Those written by hand first."""
        return (*self.questions, *(self.generated_questions or ()))

    @model_validator(mode="after")
    def _has_a_question(self) -> Trait:
        if not self.all_questions:
            raise FieldError("is empty; write at least one question, better five", "questions")
        return self


class Constitution(_Part):
    """`cues`: words that a text in this character uses more often; a style measure that no stage trains on. None is fine."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    description: Text
    cues: tuple[Text, ...] = ()
    traits: tuple[Trait, ...] = Field(min_length=1)

    def canonical(self) -> dict[str, Any]:
        """The parsed content, free of comments, key order and layout."""
        return self.model_dump(mode="json", exclude_none=True)

    def trait(self, trait_id: str) -> Trait:
        return next(trait for trait in self.traits if trait.id == trait_id)


def load_constitution(path: str | Path) -> Constitution:
    """Read and check a constitution.

    Raises BadInput naming file, line and field: broken YAML, unknown or missing keys, a name that is not the file's, a
    trait id or a question given twice.
    """
    file = YamlFile(path)
    constitution: Constitution = file.parse(Constitution)
    for error in _contradictions(constitution, file):
        raise error
    return constitution


def errors_in(path: str | Path) -> list[BadInput]:
    """All for which a file is not a usable constitution, in the order of its lines; none if it is."""
    try:
        file = YamlFile(path)
    except BadInput as error:
        return [error]
    return file.errors(Constitution) or list(_contradictions(file.parse(Constitution), file))


def _contradictions(constitution: Constitution, file: YamlFile) -> Iterator[BadInput]:
    """What is wrong though each field by itself is right."""
    if constitution.name != file.path.stem:
        yield file.error(f"is {constitution.name!r} in a file named {file.path.name!r}; make them equal", ["name"])
    ids: dict[str, int] = {}
    questions: dict[str, str] = {}
    for number, trait in enumerate(constitution.traits):
        if trait.id in ids:
            yield file.error(
                f"{trait.id!r} is already the id of trait {ids[trait.id] + 1}; rename one", ["traits", number, "id"]
            )
        ids[trait.id] = number
        for place, question in placed_questions(trait):
            folded = fold(question)
            if folded in questions:
                yield file.error(f"asked already under {questions[folded]!r}; keep one", ["traits", number, *place])
            questions[folded] = trait.id


def placed_questions(trait: Trait) -> Iterator[tuple[tuple[str, int], str]]:
    """All questions of a trait, each with its place: the field, and its number in it from 0."""
    for field in ("questions", "generated_questions"):
        for number, question in enumerate(getattr(trait, field) or ()):
            yield (field, number), question
