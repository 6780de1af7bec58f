"""The ledger of a job: which entries of the store its results stand on, found there or put there by it.

An entry is a line: `completion MODEL KEY` (MODEL: the folder of the model's answers), `training KEY`, `model FOLDER`,
`prompts FOLDER` or `tasks FOLDER`.
Archives take these entries along, and `ethos store drop` keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ethos.errors import BadInput
from ethos.files import whole_file

_LINE = re.compile(r"completion [0-9a-f]{16} [0-9a-f]{64}|training [0-9a-f]{64}|(?:model|prompts|tasks) [^/]+")
_used: set[str] = set()


def completion_line(model: str, key: str) -> str:
    """The entry of an answer. model: the name of its model's folder of answers."""
    return f"completion {model} {key}"


def training_line(key: str) -> str:
    """The entry of a training."""
    return f"training {key}"


def model_line(folder: Path) -> str:
    """The entry of a prepared model."""
    return f"model {folder.name}"


def prompts_line(folder: Path) -> str:
    """The entry of a prepared set of messages."""
    return f"prompts {folder.name}"


def tasks_line(folder: Path) -> str:
    """The entry of prepared tasks."""
    return f"tasks {folder.name}"


def note_used(entries: Iterable[str]) -> None:
    """Note that the results of this process stand on these entries."""
    _used.update(entries)


def write_ledger(path: Path) -> None:
    """Write what this process has used; equal use gives equal bytes."""
    with whole_file(path) as beside, open(beside, "w") as file:
        file.writelines(f"{entry}\n" for entry in sorted(_used))


def read_ledger(path: Path) -> set[str]:
    """The entries that a job used. Raises BadInput for a line that is none."""
    entries = set()
    with open(path, errors="replace") as file:
        for number, line in enumerate(file, 1):
            entry = line.rstrip("\n")
            if not _LINE.fullmatch(entry):
                raise BadInput("is no entry of the store; delete the file and run again", path=path, line=number)
            entries.add(entry)
    return entries
