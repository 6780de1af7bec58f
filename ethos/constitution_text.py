"""A constitution as YAML text that people can read and go on editing."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import yaml

from ethos.constitution import Constitution

_WIDTH = 104  # of a line, as in the files of `constitutions/`


class _Prose(str):
    """Text in sentences: folded over several lines if it is long or has lines of its own, else in quotation marks."""


class _Dumper(yaml.SafeDumper):
    """Indents the items of a list below its key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _represent_prose(dumper: yaml.SafeDumper, prose: _Prose) -> yaml.Node:
    # A tab, an odd line break or an indented line is exact only in quotation marks, where PyYAML spells out emoji.
    foldable = re.sub(r"\n(?! )", "", prose).isprintable()
    style = ">" if foldable and (len(prose) > 90 or "\n" in prose or max(prose) > "\uffff") else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", prose, style)


_Dumper.add_representer(_Prose, _represent_prose)


def _yaml(value: Any, indent: int = 0) -> str:
    text = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=_WIDTH - indent)
    return textwrap.indent(text, " " * indent)


def constitution_text(constitution: Constitution) -> str:
    """The file's text."""
    head = {
        "name": constitution.name,
        "description": _Prose(constitution.description),
        **({"cues": [*map(_Prose, constitution.cues)]} if constitution.cues else {}),
    }
    parts = [_yaml(head), "traits:\n"]
    for trait in constitution.traits:
        said = {name: _Prose(text) for name in ("text", "clarification") if (text := getattr(trait, name))}
        parts.append(_yaml([{"id": trait.id, **said}], indent=2))
        for name in ("questions", "generated_questions"):
            if (questions := getattr(trait, name)) is not None:
                parts.append(_yaml({name: [*map(_Prose, questions)]}, indent=4))
    return "".join(parts)
