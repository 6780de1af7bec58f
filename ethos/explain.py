"""Why a job runs again, in words: what its parameters were when it last ran, and what they are now.

A parameter is on record as JSON: `settings`, `constitution`, `prompts` or `code`, and under it what the job was given. All
that changed is then found by laying the old records beside the new ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ethos.files import canonical_json

_ABSENT = object()


class Parameter(str):
    """A parameter of a rule: its text goes into the command, its record is what Snakemake compares.

    Snakemake keeps the `repr` of each parameter of the last run; here that says what the parameter is about.
    """

    def __new__(cls, text: str, **record: Any) -> Parameter:
        made = super().__new__(cls, text)
        made.record = canonical_json(record)
        return made

    def __repr__(self) -> str:
        return self.record


def nested(place: str, value: Any) -> dict[str, Any]:
    """`rankings.method` and a value as the mapping that a settings file would hold."""
    for name in reversed(place.split(".")):
        value = {name: value}
    return value


def explain(old: Iterable[str], new: Iterable[str]) -> list[str]:
    """What differs, a sentence each. old, new: records of parameters that are not among the others.

    Raises ValueError for what is no record.
    """
    before, after = _together(old), _together(new)
    constitutions = before.get("constitution", {}), after.get("constitution", {})
    return [
        *(
            line
            for name in sorted({*constitutions[0], *constitutions[1]})
            for line in _constitution(*(side.get(name, {}) for side in constitutions))
        ),
        *_settings(*(_leaves(side.get("settings", {})) for side in (before, after))),
        *(f"prompts/{name} changed" for name in _changed(before.get("prompts", {}), after.get("prompts", {}))),
        *_code(_changed(before.get("code", {}), after.get("code", {}))),
    ]


def edited_traits(old: Iterable[str], new: Iterable[str]) -> frozenset[str] | None:
    """The traits that differ; None where something else does too, as a setting or code. old, new: as for `explain`."""
    before, after = _together(old), _together(new)
    if {*before, *after} - {"constitution"}:
        return None
    traits: set[str] = set()
    for name in {*before.get("constitution", {}), *after.get("constitution", {})}:
        sides = (tree.get("constitution", {}).get(name, {}).get("traits", []) for tree in (before, after))
        was, now = ({trait["id"]: trait for trait in side} for side in sides)
        traits |= set(_changed(was, now))
    return frozenset(traits)


def speak_in_words() -> None:
    """Let `snakemake -n` give reasons in these words.

    Snakemake prints the raw parameters, and has no setting for that. Where its class is gone, or a record cannot be
    read (one of an earlier Ethos, say), its own text stays.
    """
    try:
        from snakemake.persistence import ParamsChange
    except ImportError:
        return
    raw = ParamsChange.__str__

    def words(change: ParamsChange) -> str:
        try:
            return "; ".join(explain(change.only_old, change.only_new)) or raw(change)
        except (AttributeError, KeyError, TypeError, ValueError):
            return raw(change)

    ParamsChange.__str__ = words


def _together(records: Iterable[str]) -> dict[str, Any]:
    """All records as one tree."""
    tree: dict[str, Any] = {}
    for record in sorted(records):
        value = json.loads(record)
        if not isinstance(value, dict):
            raise ValueError(f"{record} is no record of a parameter")
        _lay_over(tree, value)
    return tree


def _lay_over(tree: dict[str, Any], other: Mapping[str, Any]) -> None:
    for name, value in other.items():
        if isinstance(value, dict) and isinstance(tree.get(name), dict):
            _lay_over(tree[name], value)
        else:
            tree[name] = value


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names whose values differ, those that are on one side only included."""
    return sorted(name for name in {*before, *after} if before.get(name, _ABSENT) != after.get(name, _ABSENT))


def _leaves(tree: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """Settings by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= _leaves(value, f"{place}{name}.")
        else:
            found[f"{place}{name}"] = value
    return found


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    lines = []
    for name in _changed(before, after):
        if name not in after:
            lines.append(f"{name}: no longer asked for")
        elif name not in before:
            lines.append(f"{name}: {_spelt(after[name])}, not asked for before")
        else:
            lines.append(f"{name}: {_spelt(before[name])} -> {_spelt(after[name])}")
    return lines


def _spelt(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _code(files: Sequence[str]) -> list[str]:
    return [f"code: {', '.join(files)}"] if files else []


def _constitution(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    lines = [f"{name} changed" for name in _changed(before, after) if name != "traits"]
    old, new = ({trait["id"]: trait for trait in side.get("traits", [])} for side in (before, after))
    lines += [f"trait {name} removed" for name in old if name not in new]
    lines += [f"trait {name} added" for name in new if name not in old]
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        lines.append("order of traits changed")
    for name in kept:
        lines += _trait(name, old[name], new[name])
    return lines


def _trait(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    lines = [f"trait {name}: {field} changed" for field in _changed(before, after) if field != "questions"]
    old, new = before["questions"], after["questions"]
    if added := [question for question in new if question not in old]:
        lines.append(f"{_questions(added)} added to trait {name}")
    if removed := [question for question in old if question not in new]:
        lines.append(f"{_questions(removed)} removed from trait {name}")
    if old != new and not added and not removed:
        lines.append(f"trait {name}: order of questions changed")
    return lines


def _questions(questions: Sequence[str]) -> str:
    return "question" if len(questions) == 1 else f"{len(questions)} questions"
