"""The store: completions and trainings kept by content, so that the same work is never done twice.

Completions live in append-only segments, one writer each and no locks, so it is safe on NFS and Lustre; where two
segments hold a key, the first (by name) wins. A training is a folder that appears whole, by renaming. Deleting the
store costs time, never correctness.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from ethos.files import canonical_json, sha256_of_text, whole_folder

_FLUSH_EVERY = 16  # answers; what a killed job can lose


class CompletionStore:
    """Answers of models by the key of their request."""

    def __init__(self, folder: Path):
        self.folder = folder / "completions"

    def find(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The stored answers among these keys."""
        wanted = set(keys)
        found: dict[str, dict[str, Any]] = {}
        for segment in sorted(self.folder.glob("*.jsonl")):
            with open(segment, "rb") as lines:
                for line in lines:
                    entry = self._entry(line)
                    if entry is not None and entry["key"] in wanted:
                        found.setdefault(entry["key"], entry["answer"])
        return found

    @staticmethod
    def _entry(line: bytes) -> dict[str, Any] | None:
        """A stored entry, or None for a line that a killed writer left torn."""
        try:
            return orjson.loads(line)
        except orjson.JSONDecodeError:
            return None

    def writer(self, *, model: str, stage: str) -> SegmentWriter:
        return SegmentWriter(self.folder, model=model, stage=stage)


class SegmentWriter:
    """Appends answers to a segment of its own; use as a context manager."""

    def __init__(self, folder: Path, *, model: str, stage: str):
        self.path = folder / f"{uuid.uuid4().hex}.jsonl"
        self.common = {"model": model, "stage": stage}
        self.waiting: list[bytes] = []
        self.file = None

    def __enter__(self) -> SegmentWriter:
        return self

    def add(self, key: str, answer: dict[str, Any]) -> None:
        self.waiting.append(orjson.dumps({"key": key, **self.common, "answer": answer}))
        if len(self.waiting) >= _FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        if not self.waiting:
            return
        if self.file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.file = open(self.path, "xb")  # noqa: SIM115 - it stays open until the block of this writer ends
        self.file.write(b"\n".join(self.waiting) + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.waiting.clear()

    def __exit__(self, *_: object) -> None:
        self.flush()
        if self.file is not None:
            self.file.close()


class TrainingStore:
    """Finished trainings by what went into them."""

    def __init__(self, folder: Path):
        self.folder = folder / "trainings"

    def train_once(self, ingredients: dict[str, Any], train: Callable[[Path], None], output: Path) -> bool:
        """Put the files of a training into `output`, training only if it was never done.

        ingredients: all that the result depends on, as JSON. train: writes its files into the folder that it is given.
        Returns whether it trained.
        """
        kept = self.folder / sha256_of_text(canonical_json(ingredients))
        trained = not kept.is_dir()
        if trained:
            with whole_folder(kept) as folder:
                train(folder)
        output.mkdir(parents=True, exist_ok=True)
        for path in sorted(kept.iterdir()):
            beside = output / f".{path.name}.new"
            shutil.copyfile(path, beside)
            os.replace(beside, output / path.name)
        return trained
