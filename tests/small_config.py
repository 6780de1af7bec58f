"""The smallest file of a run, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ethos.errors import BadInput
from ethos.settings import Settings, load_settings

SMALLEST = """\
run: trial
constitutions: [poeticism]
models:
  tiny:
    source: path:build/tiny
students: [tiny]
teacher: tiny
judge: tiny
"""
NEXT_LINE = SMALLEST.count("\n") + 1


def refusal(folder: Path, text: str) -> str:
    """What is said about a file; always one line that begins with the file."""
    path = folder / "run.yaml"
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        load_settings(path)
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(f"{path}:")
    return message.removeprefix(f"{path}:")


def loaded(text: str) -> Settings:
    return Settings.model_validate(yaml.safe_load(SMALLEST + text))
