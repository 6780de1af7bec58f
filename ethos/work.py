"""What was really done: a record of each use of a model and of each training, and none of what the store had."""

from __future__ import annotations

import os
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ethos.execution import run_name, store_folder
from ethos.files import read_json, sha256_of_text, write_json
from ethos.progress import spell_seconds
from ethos.shards import PATTERN

# The record of a job that has not ended well is `unfinished-STAGE-NAME.json`, and `NAME.json` once its stage has; see `stage_of`.
_UNFINISHED = "unfinished"
_unfinished_stage = ""  # of the job that this process is
# Records as they were when they were last read, and which writing that was.
_read: dict[Path, tuple[tuple[int, int], Work]] = {}


@dataclass(frozen=True)
class Work:
    """kind: `generate`, `score`, `reward`, or a training as `dpo training`. stage: who asked. model: its name.

    calls: answers, or 1 for a training; 0 for one that did not end well. seconds: without `load_seconds`. device: `cpu`, `cuda` or
    `api`. prompt_tokens: of what was generated. completion_tokens: written, or read to score them or give them a reward. run: for
    which run; empty by hand. machine: what computed, as `ethos.machines` notes it; empty behind an endpoint, and in older records. engine: as in a
    model's settings, or `api`; empty for trainings. processes: of a training.
    """

    kind: str
    stage: str
    model: str
    calls: int
    seconds: float
    device: str
    load_seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    run: str = ""
    machine: str = ""
    engine: str = ""
    processes: int = 1

    def __str__(self) -> str:
        parts = [self.kind, f"{self.calls} call{'s' if self.calls != 1 else ''}", f"in {spell_seconds(self.seconds)}"]
        parts += [f"loaded in {spell_seconds(self.load_seconds)}"] if self.load_seconds else []
        tokens = {"prompt": self.prompt_tokens, "completion": self.completion_tokens}
        parts += [f"{count} {name} tokens" for name, count in tokens.items() if count]
        return f"{self.stage} ({self.model}): {', '.join(parts)}, on {self.device}"


def new_record(store: Path) -> Path:
    """Where a record goes that this job begins."""
    names = [_UNFINISHED, _unfinished_stage] if _unfinished_stage else []
    return store / "work" / f"{'-'.join([*names, uuid.uuid4().hex])}.json"


def record_work(record: Path, work: Work) -> None:
    """Write a record, or write it anew, as of work for this job's run."""
    write_json(record, asdict(work) | {"run": run_name()})


def read_work(store: Path, *, but: Path | None = None) -> list[Work]:
    """All that was ever done with this store, newest last. but: a record to leave out. Raises BadInput for a file that is none.

    Cheap when done again: only what was written since is read.
    """
    found = [(written, path.name, work) for path, written, work in _records(store, "[!.]*.json") if path != but]
    return [work for *_, work in sorted(found, key=lambda record: record[:2])]


def _records(store: Path, names: str) -> Iterator[tuple[Path, int, Work]]:
    for path in (store / "work").glob(names):
        with suppress(FileNotFoundError):  # its stage has just ended, and it has another name
            state = path.stat()
            writing = state.st_mtime_ns, state.st_ino
            if path not in _read or _read[path][0] != writing:
                _read[path] = writing, Work(**read_json(path))
            yield path, state.st_mtime_ns, _read[path][1]


def stage_of(ledger: str) -> str:
    """A short name for the stage that writes this ledger, the same for its shards, whose marks stand beside it."""
    return sha256_of_text(re.sub(rf"\.{PATTERN}\.used$|\.txt$", "", ledger))[:12]


@contextmanager
def job_of(ledger: Path) -> Iterator[None]:
    """Do a job's work. Its records are those of an unfinished stage, until it or, where it is a shard, the whole stage has ended well.

    ledger: what the job writes last, in the block.
    """
    global _unfinished_stage
    stage = _unfinished_stage = stage_of(str(ledger))
    try:
        yield
    finally:
        _unfinished_stage = ""
    if ledger.suffix == ".txt":
        for path in (store_folder() / "work").glob(f"{_UNFINISHED}-{stage}-*.json"):
            with suppress(FileNotFoundError):
                os.replace(path, path.with_name(path.name.rpartition("-")[2]))


def unfinished_work(store: Path) -> dict[str, list[Work]]:
    """What was done by jobs that did not end well, by `stage_of` their ledgers: their answers are in the store."""
    found = defaultdict(list)
    for path, _, work in _records(store, f"{_UNFINISHED}-*.json"):
        found[path.name.split("-")[1]].append(work)
    return found


def calls_by_stage(store: Path) -> Counter[tuple[str, str]]:
    """How many calls and trainings were really made, by stage and kind."""
    calls: Counter[tuple[str, str]] = Counter()
    for work in read_work(store):
        calls[work.stage, work.kind] += work.calls
    return calls
