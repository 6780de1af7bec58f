"""The store: answers of models and trainings kept by content, so that the same work is never done twice.

Answers live in append-only segments, one writer each and no locks, so it is safe on NFS and Lustre; where two segments
hold a key, the first (by name) wins. A training is a folder that appears whole, by renaming. What is torn or damaged
counts as missing. Deleting the store costs time, never correctness.
"""

from __future__ import annotations

import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from ethos.budget import Meter
from ethos.errors import BadInput
from ethos.execution import device, execution
from ethos.files import canonical_json, files_in, read_json, sha256_of_file, sha256_of_text, whole_folder, write_json
from ethos.ledger import note_used, training_line
from ethos.segments import Place, SegmentWriter, entry_of, is_sound, key_of, lines_of, segments_in

log = logging.getLogger("ethos.store")

# The store's folders.
COMPLETIONS, TRAININGS, MODELS, PROMPTS, TASKS = "completions", "trainings", "models", "prompts", "tasks"


class CompletionStore:
    """The answers of one model: completions, scores or rewards by the key of their request.

    folder: of this model. facts: what the model is, in words; written beside its answers.

    It sees what was there when it was first asked, and what it wrote itself.
    """

    def __init__(self, folder: Path, facts: dict[str, Any]):
        self.folder, self.facts = folder, facts
        self._places: dict[bytes, Place] | None = None

    def find(self, keys: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Those of the keys that have an answer, with it, in the order of the files."""
        index = self._index()
        wanted = sorted(index[key] for key in {key.encode() for key in keys} if key in index)
        for segment, places in groupby(wanted, key=lambda place: place[0]):
            with suppress(FileNotFoundError), open(segment, "rb", buffering=0) as file:  # dropped since
                for _, offset, length in places:
                    line = os.pread(file.fileno(), length, offset)
                    if is_sound(line) and index.get(key_of(line)) == (segment, offset, length):  # not rewritten since
                        entry = entry_of(line)
                        yield entry.key, entry.answer

    def writer(self, *, stage: str, machine: str = "") -> SegmentWriter:
        """A writer of new answers. stage: who asks for them. machine: what computes them; empty for an endpoint."""
        index = self._index()
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "model.json").exists():
            write_json(self.folder / "model.json", self.facts)
        return SegmentWriter(self.folder, stage=stage, machine=machine, on_written=index.__setitem__)

    def _index(self) -> dict[bytes, Place]:
        """Where the answers stand; read once, without reading the answers."""
        if self._places is None:
            self._places = {}
            for segment in segments_in(self.folder):
                for offset, line in lines_of(segment):
                    if is_sound(line):
                        self._places.setdefault(key_of(line), (str(segment), offset, len(line)))
        return self._places


_opened: dict[Path, CompletionStore] = {}


def open_completions(store: Path, facts: dict[str, Any]) -> CompletionStore:
    """The answers of a model; a process reads its index once, whoever asks. facts: see `model_key`."""
    folder = store.absolute() / COMPLETIONS / model_key(facts)[:16]
    return _opened.setdefault(folder, CompletionStore(folder, facts))


def model_key(facts: dict[str, Any]) -> str:
    """The key of a model. facts: all that its answers depend on besides the request; its `name` is for people."""
    return sha256_of_text(canonical_json({name: value for name, value in facts.items() if name != "name"}))


def training_key(ingredients: dict[str, Any]) -> str:
    """The name of a training, made from all that its result depends on, as JSON."""
    return sha256_of_text(canonical_json(ingredients))


class TrainingStore:
    """Finished trainings by what went into them."""

    ABOUT = "about.json"  # ingredients, hashes of the files, seconds, machine; stays in the store

    def __init__(self, folder: Path):
        self.store, self.folder = folder, folder / TRAININGS

    def train_once(self, ingredients: dict[str, Any], train: Callable[[Path], None], output: Path) -> bool:
        """Put the files of a training into `output`, training only if it was never done.

        ingredients: all that the result depends on, as JSON; `kind` says in a word what is trained. train: writes its
        files into the folder that it is given. Returns whether it trained.
        """
        key = training_key(ingredients)
        kept = self.folder / key
        if kept.is_dir() and (damage := training_damage(kept)):
            log.warning(f"{kept}: {damage[0]}; removed, and trained again")
            remove_folder(kept)
        trained = not kept.is_dir()
        if trained:
            with whole_folder(kept) as folder:
                self._train(ingredients, train, folder, stage=output.name)
        note_used([training_line(key)])
        for name in read_json(kept / self.ABOUT)["files"]:
            written = output / name
            written.parent.mkdir(parents=True, exist_ok=True)
            beside = written.with_name(f".{written.name}.new")
            shutil.copyfile(kept / name, beside)
            os.replace(beside, written)
        return trained

    def _train(self, ingredients: dict[str, Any], train: Callable[[Path], None], folder: Path, *, stage: str) -> None:
        model = model_names(self.store).get(ingredients["base"], ingredients["base"][:16])
        processes = execution().training.of(ingredients["kind"])
        kind = f"{ingredients['kind']} training"
        meter = Meter(self.store, kind, stage, model, device(), processes=processes)
        with meter.running():
            train(folder)
            meter.count()
        files = {name: sha256_of_file(folder / name) for name in files_in(folder)}
        about = {"kind": ingredients["kind"], "ingredients": ingredients, "files": files}
        measured = {name: getattr(meter.work, name) for name in ("seconds", "device", "machine", "processes")}
        write_json(folder / self.ABOUT, about | measured)


def training_damage(kept: Path) -> list[str]:
    """What is wrong with a kept training, in words; nothing, as a rule."""
    try:
        about = read_json(kept / TrainingStore.ABOUT)
        if training_key(about["ingredients"]) != kept.name:
            return [f"{TrainingStore.ABOUT} is of another training"]
        return file_damage(kept, about["files"])
    except FileNotFoundError:
        return [f"{TrainingStore.ABOUT} is missing"]
    except (BadInput, TypeError, KeyError, AttributeError):
        return [f"{TrainingStore.ABOUT} can't be read"]


def file_damage(folder: Path, files: dict[str, str]) -> list[str]:
    """The files that are missing, or not as they were written. files: SHA-256 by name."""
    found = []
    for name, expected in sorted(files.items()):
        try:
            if sha256_of_file(folder / name) != expected:
                found.append(f"{name} is not as it was written")
        except FileNotFoundError:
            found.append(f"{name} is missing")
    return found


def remove_folder(folder: Path) -> None:
    """Remove a folder of the store; it goes at once, so that nobody finds half of it."""
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):  # another job was first
        os.replace(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)


def answered_models(store: Path) -> set[str]:
    """The names of the models that have answers; a damaged `model.json` is left out."""
    names = set()
    for folder in {path.parent for path in (store / COMPLETIONS).glob("[!.]*/*.jsonl")}:
        with suppress(BadInput, OSError, KeyError, TypeError):
            names.add(read_json(folder / "model.json")["name"])
    return names


def model_names(store: Path) -> dict[str, str]:
    """The names of the prepared models, by the hash of their content; a damaged identity is left out."""
    names = {}
    for path in sorted((store / MODELS).glob("[!.]*/identity.json")):
        with suppress(BadInput, KeyError, TypeError):
            identity = read_json(path)
            names[identity["content"]] = identity["name"]
    return names
