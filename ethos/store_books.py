"""What the store holds, what in it is not as it was written, and what no result needs any more."""

from __future__ import annotations

import glob
import os
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ethos.errors import BadInput
from ethos.files import read_json, whole_file
from ethos.ledger import completion_line, model_line, prompts_line, read_ledger, tasks_line, training_line
from ethos.segments import entry_of, is_sound, key_of, lines_of, segments_in
from ethos.store import (
    COMPLETIONS,
    MODELS,
    PROMPTS,
    TASKS,
    TRAININGS,
    TrainingStore,
    file_damage,
    model_key,
    model_names,
    remove_folder,
    training_damage,
)

_DAMAGED = "(torn or damaged)"


class Row(NamedTuple):
    """A row of the books. room: the store's folder. stage: who asked first, or what was trained."""

    room: str
    model: str
    stage: str


@dataclass
class Amount:
    entries: int = 0
    size: int = 0  # bytes

    def add(self, size: int) -> None:
        self.entries += 1
        self.size += size


class Finding(NamedTuple):
    """place: file and line. A finding that is no damage was to be expected, and costs nothing that was paid for."""

    place: str
    what: str
    is_damage: bool = True


def holdings(store: Path) -> dict[Row, Amount]:
    """All entries of the store."""
    books: dict[Row, Amount] = defaultdict(Amount)
    for folder in _folders(store, COMPLETIONS):
        name = _model_name(folder)
        for segment in segments_in(folder):
            for _, line in lines_of(segment):
                books[_row_of(line, name)].add(len(line))
    for row, _, folder in _whole_entries(store):
        books[row].add(_size(folder))
    return books


def check(store: Path) -> Iterator[Finding]:
    """Every line and every file that is not as it was written."""
    for folder in _folders(store, COMPLETIONS):
        if _facts(folder) is None:
            yield Finding(f"{folder}/model.json", "is missing or changed; only people read it")
        for segment in segments_in(folder):
            yield from _check_segment(segment)
    for folder in _folders(store, TRAININGS):
        for what in training_damage(folder):
            yield Finding(f"{folder}", f"{what}; it will be trained again")
    for folder in _folders(store, MODELS):
        for what in _model_damage(folder):
            yield Finding(f"{folder}", f"{what}; delete the folder and run again")


def needed_entries(results: Iterable[Path]) -> set[str]:
    """What the ledgers of these results name. Raises BadInput for a folder without any."""
    needed: set[str] = set()
    for folder in results:
        ledgers = glob.glob("**/used/*.txt", root_dir=folder, recursive=True)
        if not ledgers:
            raise BadInput(
                "holds no ledger of a job (used/*.txt), so nothing is known of what it needs; run the workflow first",
                path=folder,
            )
        for ledger in ledgers:
            needed |= read_ledger(folder / ledger)
    return needed


def drop(store: Path, needed: Collection[str], *, before: float, really: bool) -> dict[Row, Amount]:
    """Remove the entries that are not among the needed, and what killed jobs left. Returns what goes.

    before: a time; what was modified later stays. really: else only say what would go.
    """
    books: dict[Row, Amount] = defaultdict(Amount)
    for folder in _folders(store, COMPLETIONS):
        for segment in segments_in(folder):
            if segment.stat().st_mtime < before:
                _drop_from_segment(segment, needed, books, really=really)
        if really:
            _remove_if_empty(folder, before)
    for row, entry, folder in _whole_entries(store):
        if entry not in needed and folder.stat().st_mtime < before:
            books[row].add(_size(folder))
            if really:
                remove_folder(folder)
    for path in _left_behind(store):
        if path.lstat().st_mtime < before:
            books[Row(path.relative_to(store).parts[0], "(left by killed jobs)", "")].add(_size(path))
            if really:
                _remove(path)
    return books


def _folders(store: Path, room: str) -> list[Path]:
    return sorted(path for path in (store / room).glob("[!.]*") if path.is_dir())


def _left_behind(store: Path) -> list[Path]:
    """What was written beside, and never got its name."""
    return [*store.glob(f"{COMPLETIONS}/*/.*"), *store.glob(f"{TRAININGS}/.*"), *store.glob(f"{MODELS}/.*")]


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if not file.is_dir())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


# Answers


def _facts(folder: Path) -> dict[str, Any] | None:
    """What a folder of answers says of its model; None where that is not its model."""
    with suppress(BadInput, OSError, KeyError, TypeError, AttributeError):
        facts = read_json(folder / "model.json")
        if model_key(facts)[:16] == folder.name:
            return facts
    return None


def _model_name(folder: Path) -> str:
    facts = _facts(folder)
    return f"{facts['name'] if facts else '(unknown)'} ({folder.name})"


def _row_of(line: bytes, model: str) -> Row:
    return Row(COMPLETIONS, model, entry_of(line).stage if is_sound(line) else _DAMAGED)


def _check_segment(segment: Path) -> Iterator[Finding]:
    for number, (_, line) in enumerate(lines_of(segment), 1):
        if is_sound(line):
            continue
        if line.endswith(b"\n"):
            yield Finding(f"{segment}:{number}", "is not as it was written; its answer will be asked for again")
        else:
            yield Finding(f"{segment}:{number}", "torn by a killed job; skipped", is_damage=False)


def _drop_from_segment(segment: Path, needed: Collection[str], books: dict[Row, Amount], *, really: bool) -> None:
    name = _model_name(segment.parent)

    def stays(line: bytes) -> bool:
        return is_sound(line) and completion_line(segment.parent.name, key_of(line).decode()) in needed

    kept = dropped = 0
    for _, line in lines_of(segment):
        if stays(line):
            kept += 1
        else:
            dropped += 1
            books[_row_of(line, name)].add(len(line))
    if not really or not dropped:
        return
    if not kept:
        segment.unlink()
        return
    modified = segment.stat()
    with whole_file(segment) as beside, open(beside, "wb") as file:
        file.writelines(line for _, line in lines_of(segment) if stays(line))
    os.utime(segment, ns=(modified.st_atime_ns, modified.st_mtime_ns))  # it holds nothing new


def _remove_if_empty(folder: Path, before: float) -> None:
    facts = folder / "model.json"
    if [path.name for path in folder.iterdir()] == [facts.name] and facts.stat().st_mtime < before:
        facts.unlink()
        with suppress(OSError):  # a job has begun to write here
            folder.rmdir()


# Trainings and prepared models


def _whole_entries(store: Path) -> Iterator[tuple[Row, str, Path]]:
    """Trainings, prepared models, messages and tasks, which come and go as a folder: row, line of the ledger, folder."""
    names = model_names(store)
    for folder in _folders(store, TRAININGS):
        row = Row(TRAININGS, "(unknown)", _DAMAGED)
        with suppress(BadInput, OSError, KeyError, TypeError):
            ingredients = read_json(folder / TrainingStore.ABOUT)["ingredients"]
            row = Row(TRAININGS, names.get(ingredients["base"], ingredients["base"][:16]), ingredients["kind"])
        yield row, training_line(folder.name), folder
    for folder in _folders(store, MODELS):
        yield Row(MODELS, folder.name, ""), model_line(folder), folder
    for folder in _folders(store, PROMPTS):
        yield Row(PROMPTS, folder.name, ""), prompts_line(folder), folder
    for folder in _folders(store, TASKS):
        yield Row(TASKS, folder.name, ""), tasks_line(folder), folder


def _model_damage(folder: Path) -> list[str]:
    try:
        return file_damage(folder, read_json(folder / "identity.json")["files"])
    except FileNotFoundError:
        return ["identity.json is missing"]
    except (BadInput, TypeError, KeyError, AttributeError):
        return ["identity.json can't be read"]
