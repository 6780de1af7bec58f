"""The texts that are sent to models: templates and lists in `prompts/`."""

from __future__ import annotations

from pathlib import Path

from ethos.templates import text_templates

FOLDER = Path(__file__).resolve().parent.parent / "prompts"


def render_prompt(name: str, /, **values: object) -> str:
    """Fill the template `prompts/{name}.jinja`."""
    return text_templates(FOLDER).get_template(f"{name}.jinja").render(**values).strip()


def prompt_lines(name: str) -> list[str]:
    """The lines of the list `prompts/{name}.txt`, empty ones left out."""
    return [line.strip() for line in (FOLDER / f"{name}.txt").read_text().splitlines() if line.strip()]
