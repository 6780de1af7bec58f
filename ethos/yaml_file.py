"""YAML that knows where each of its fields stands, so that an error can name the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ethos.errors import BadInput, what_is_wrong


class FieldError(ValueError):
    """What a check of several fields raises, to name the one to mend by its location below the section."""

    def __init__(self, message: str, *location: str | int):
        super().__init__(message)
        self.location = location


class _Loader(yaml.SafeLoader):
    """Tells the line of a value that looks like a date and is none, too."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None


class YamlFile:
    """A parsed YAML file: its `value`, and the line of any field in it."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise BadInput("does not exist; check the name in the config", path=path) from None
        except UnicodeDecodeError:
            raise BadInput("is not UTF-8 text; save it as UTF-8", path=path) from None
        try:
            self._root = yaml.compose(text, Loader=_Loader)
            self._check_nodes(self._root, 1, {})
            self.value = yaml.load(text, Loader=_Loader)
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise BadInput("holds a control character; delete it", path=path, line=line) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else None
            raise BadInput(
                f"broken YAML, {error.problem}; mend the syntax (quotes, indentation, colons)", path=path, line=line
            ) from None
        if not isinstance(self.value, dict):
            raise BadInput("must be a mapping of field names to values", path=path, line=1)

    def _check_nodes(self, node: yaml.Node | None, line: int, complete: dict[int, bool]) -> None:
        """Refuse a key that a mapping has twice, and an alias within what it stands for.

        line: of what is told to be wrong with the node itself. complete: of the nodes met so far, whether all in them was met.
        """
        if complete.get(id(node)):
            return
        if id(node) in complete:
            raise BadInput("an alias (*) stands within what it stands for; write it out", path=self.path, line=line)
        complete[id(node)] = False
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                line = key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode):  # others are refused, with their line, when the value is made
                    if key.value in seen:
                        raise BadInput("is given twice; keep one", path=self.path, line=line, field=key.value)
                    seen.add(key.value)
                    self._check_nodes(value, line, complete)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._check_nodes(item, node.start_mark.line + 1, complete)
        complete[id(node)] = True

    def line_of(self, location: Sequence[str | int]) -> int:
        """The line (from 1) of the field at `location`, or of the deepest part of it that exists."""
        node, line = self._root, 1
        for step in location:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                line = node.start_mark.line + 1
            else:
                break
        return line

    def error(self, message: str, location: Sequence[str | int]) -> BadInput:
        field = ".".join(str(step) for step in location)
        return BadInput(message, path=self.path, line=self.line_of(location), field=field)

    def parse(self, model: type[BaseModel]) -> Any:
        """Validate against a pydantic model; the first error becomes the one line."""
        return parse_value(model, self.value, self.error)

    def errors(self, model: type[BaseModel]) -> list[BadInput]:
        """All errors of validation, by line; none if the file is right."""
        try:
            model.model_validate(self.value)
        except ValidationError as error:
            problems = [_problem(model, found) for found in error.errors(include_url=False)]
            problems.sort(key=lambda problem: self.line_of(problem[1]))
            # A list whose items are wrong is said to be too short as well; the items say more.
            deeper = [tuple(place) for _, place in problems]
            return [
                self.error(message, place)
                for message, place in problems
                if not any(len(other) > len(place) and other[: len(place)] == tuple(place) for other in deeper)
            ]
        return []


def parse_value(model: type[BaseModel], value: Any, error_at=None) -> Any:
    """Validate a value; `error_at(message, location)` makes the error (default: names the field alone).

    An unknown key is told before a missing one: it may be the missing one misspelt.
    """
    error_at = error_at or (lambda message, location: BadInput(message, field=".".join(map(str, location))))
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        first = next((found for found in errors if found["type"] == "extra_forbidden"), errors[0])
        raise error_at(*_problem(model, first)) from None


def _problem(model: type[BaseModel], found: Mapping[str, Any]) -> tuple[str, list[str | int]]:
    """What is wrong and where, from an error of pydantic's."""
    own = ("function-", "[key]")  # steps of pydantic's, not of the file
    location = [step for step in found["loc"] if not (isinstance(step, str) and step.startswith(own))]
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, FieldError):
        location += cause.location
    if found["type"] == "extra_forbidden":
        known = _known_fields(model, location[:-1])
        near = get_close_matches(str(location[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
        return f"unknown key; {hint}", location
    return what_is_wrong(found), location


def _known_fields(model: Any, location: Sequence[str | int]) -> list[str]:
    """The field names that a model accepts at a location inside it."""
    for step in location:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            break
        if step in model.model_fields:
            model = model.model_fields[step].annotation
        while getattr(model, "__args__", None):  # list[X], dict[str, X], X | None
            model = next(
                (arg for arg in reversed(model.__args__) if isinstance(arg, type) and issubclass(arg, BaseModel)), None
            )
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
