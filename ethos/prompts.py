"""The texts that are sent to models: templates, lists and texts with fields in `prompts/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel

from ethos.yaml_file import YamlFile

FOLDER = Path(__file__).resolve().parent.parent / "prompts"


@cache
def _environment() -> Environment:
    # Plain text for a model, not HTML: nothing is escaped. A missing variable is an error, not an empty string.
    return Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def render_prompt(name: str, /, **values: object) -> str:
    """Fill the template `prompts/{name}.jinja`."""
    return _environment().get_template(f"{name}.jinja").render(**values).strip()


def prompt_lines(name: str) -> list[str]:
    """The lines of the list `prompts/{name}.txt`, empty ones left out."""
    return [line.strip() for line in (FOLDER / f"{name}.txt").read_text().splitlines() if line.strip()]


def prompt_data(name: str, model: type[BaseModel]) -> Any:
    """The texts with fields in `prompts/{name}.yaml`, as this model has them. Raises BadInput naming line and field."""
    return YamlFile(FOLDER / f"{name}.yaml").parse(model)
