"""Segments: append-only files of answers with one writer each, whose every line tells whether it is as it was written.

A line is JSON, `{"crc":"…","key":"…","stage":"…","machine":"…","answer":{…}}`; the checksum (CRC-32, hex) is over all that follows
it, the line's end included, so a line that a killed writer tore has none that fits.
"""

from __future__ import annotations

import os
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_HEAD = b'{"crc":"'
_CRC = slice(len(_HEAD), len(_HEAD) + 8)
_KEY = slice(_CRC.stop + len(b'","key":"'), _CRC.stop + len(b'","key":"') + 64)
# What a killed job can lose: this many answers, which came within so many seconds.
_MOST_WAITING = 16
_LONGEST_WAIT = 2.0


Place = tuple[str, int, int]  # segment, offset and length of a line


class Entry(NamedTuple):
    """key: SHA-256 of the request, hex. stage: who asked first. machine: see ethos.machines; empty for an endpoint's answer."""

    key: str
    stage: str
    machine: str
    answer: dict[str, Any]


def line_of(key: str, stage: str, answer: dict[str, Any], machine: str = "") -> bytes:
    """The line of an answer. key: 64 hex digits. stage, machine: as in Entry."""
    rest = b'",' + orjson.dumps({"key": key, "stage": stage, "machine": machine, "answer": answer})[1:] + b"\n"
    return _HEAD + b"%08x" % zlib.crc32(rest) + rest


def is_sound(line: bytes) -> bool:
    """Whether a line is whole and as it was written."""
    return line.startswith(_HEAD) and line[_CRC] == b"%08x" % zlib.crc32(line[_CRC.stop :])


def key_of(line: bytes) -> bytes:
    """The key of a sound line, without reading its answer."""
    return line[_KEY]


def entry_of(line: bytes) -> Entry:
    """What a sound line holds."""
    content = orjson.loads(line)
    return Entry(content["key"], content["stage"], content.get("machine", ""), content["answer"])


def segments_in(folder: Path) -> list[Path]:
    """The segments of a folder, in the order in which they count."""
    return sorted(folder.glob("*.jsonl"))


def lines_of(segment: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a segment, sound or not, with the offsets at which they begin; none if it is gone."""
    offset = 0
    try:
        with open(segment, "rb", buffering=1 << 20) as file:
            for line in file:
                yield offset, line
                offset += len(line)
    except FileNotFoundError:
        return


class SegmentWriter:
    """Appends answers to a segment of its own, which it makes with the first; use as a context manager.

    on_written: called for each answer that is on disk, with its key and its place.
    """

    def __init__(self, folder: Path, *, stage: str, machine: str = "", on_written: Callable[[bytes, Place], object]):
        self.path = folder / f"{uuid.uuid4().hex}.jsonl"
        self.stage, self.machine, self.on_written = stage, machine, on_written
        self._waiting: list[bytes] = []
        self._file: int | None = None
        self._size = 0
        self._written = time.monotonic()

    def __enter__(self) -> SegmentWriter:
        return self

    def add(self, key: str, answer: dict[str, Any]) -> None:
        self._waiting.append(line_of(key, self.stage, answer, self.machine))
        if len(self._waiting) >= _MOST_WAITING or time.monotonic() - self._written >= _LONGEST_WAIT:
            self.flush()

    def flush(self) -> None:
        """Write what waits, in one piece."""
        if not self._waiting:
            return
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        waiting, self._waiting = self._waiting, []
        try:
            _write_all(self._file, b"".join(waiting))
        except OSError:
            os.ftruncate(self._file, self._size)  # a full disk took a part of it
            raise
        for line in waiting:
            self.on_written(key_of(line), (str(self.path), self._size, len(line)))
            self._size += len(line)
        self._written = time.monotonic()

    def __exit__(self, *_: object) -> None:
        try:
            self.flush()
        finally:
            if self._file is not None:
                os.close(self._file)


def _write_all(file: int, data: bytes) -> None:
    """One write, as a rule; a file system may take less at once."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    os.fsync(file)
