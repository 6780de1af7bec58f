"""Templates of plain text: prompts for models, cards in Markdown. HTML has an environment of its own, which escapes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


@cache
def text_templates(folder: Path) -> Environment:
    """The templates in a folder. Nothing is escaped, and a missing variable is an error, not an empty string."""
    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
