"""The texts that are sent to models: templates, lists and texts with fields in `prompts/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ethos.templates import text_templates
from ethos.yaml_file import YamlFile

FOLDER = Path(__file__).resolve().parent.parent / "prompts"


def render_prompt(name: str, /, **values: object) -> str:
    """Fill the template `prompts/{name}.jinja`."""
    return text_templates(FOLDER).get_template(f"{name}.jinja").render(**values).strip()


def prompt_lines(name: str) -> list[str]:
    """The lines of the list `prompts/{name}.txt`, empty ones left out."""
    return [line.strip() for line in (FOLDER / f"{name}.txt").read_text().splitlines() if line.strip()]


def prompt_data(name: str, model: type[BaseModel]) -> Any:
    """The texts with fields in `prompts/{name}.yaml`, as this model has them. Raises BadInput naming line and field."""
    return YamlFile(FOLDER / f"{name}.yaml").parse(model)
