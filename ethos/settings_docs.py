"""The settings' JSON schema and documentation, made from the typed settings so that they can't drift apart."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ethos.settings import Settings

_HEAD = """# Settings

Every field of a run's file (`config.yaml`, or the one named by `--configfile`), with its default. Defaults are the
published values where there are any (arXiv 2511.01689), so a run's file states only what differs. An unknown key is
refused. This page is written by `make docs` from `ethos/settings.py`; an editor that knows JSON schemas can check a
file against `docs/config.schema.json`. Where Snakemake says that a file is not valid YAML, `ethos plan --configfile FILE`
names the line.
"""


def config_schema() -> str:
    return json.dumps(Settings.model_json_schema(), indent=1, sort_keys=True) + "\n"


def config_docs() -> str:
    """A Markdown page: a table for each section, in the order of the settings."""
    return "\n".join([_HEAD, *_section("", Settings)]).rstrip() + "\n"


def _section(path: str, model: type[BaseModel], defaults: BaseModel | None = None) -> list[str]:
    """The table of a section and those of its subsections. defaults: the section's own, where it has any."""
    lines = [f"## `{path}`" if path else "## Top level", ""]
    if path and model.__doc__:
        lines += [" ".join(model.__doc__.strip().split("\n\n")[0].split()), ""]
    lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
    nested: list[tuple[str, type[BaseModel], BaseModel | None]] = []
    for name, field in model.model_fields.items():
        default = getattr(defaults, name) if defaults is not None else field.default
        inner = _inner_model(field.annotation)
        if inner:
            place = f"{path}.{name}" if path else name
            many = {dict: ".{name}", list: "[]"}.get(get_origin(field.annotation), "")
            nested.append((f"{place}{many}", inner, None if many else default))
        lines.append(
            f"| `{name}` | {_type_text(field.annotation)} | {_default_text(default)} | {_escape(field.description or '')} |"
        )
    lines.append("")
    for place, inner, own in nested:
        lines += _section(place, inner, own)
    return lines


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds, itself, where it is given, or as the values of a mapping or list."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next((inner for part in get_args(annotation) if (inner := _inner_model(part))), None)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (dict, list):
        return _inner_model(get_args(annotation)[-1])
    return None


def _type_text(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_text(get_args(annotation)[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if origin in (Union, types.UnionType):
        return " or ".join(_type_text(part) for part in get_args(annotation))
    if origin is list:
        return f"list of {_type_text(get_args(annotation)[0])}"
    if origin is dict:
        return "mapping"
    if annotation is type(None):
        return "nothing"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return {str: "text", int: "integer", float: "number", bool: "yes or no"}.get(annotation, "text")


def _default_text(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, BaseModel):
        return "see below"
    return "none" if default is None else f"`{json.dumps(default)}`"


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


def write_docs(folder: Path) -> list[Path]:
    """Write both files; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {folder / "config.schema.json": config_schema(), folder / "config.md": config_docs()}
    for path, text in written.items():
        path.write_text(text)
    return list(written)
