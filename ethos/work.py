"""What was really done: a record of each use of a model and of each training, and none of what the store had."""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from ethos.execution import run_name
from ethos.files import read_json, write_json
from ethos.progress import spell_seconds

log = logging.getLogger("ethos.work")


@dataclass(frozen=True)
class Work:
    """kind: `generate`, `score`, `reward`, or a training as `dpo training`. stage: who asked. model: its name.

    calls: answers, or 1 for a training. seconds: without `load_seconds`. prompt_tokens: of what was generated.
    completion_tokens: written, or read to score them or give them a reward. run: for which run; empty by hand.
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

    def __str__(self) -> str:
        parts = [self.kind, f"{self.calls} call{'s' if self.calls > 1 else ''}", f"in {spell_seconds(self.seconds)}"]
        parts += [f"loaded in {spell_seconds(self.load_seconds)}"] if self.load_seconds else []
        tokens = {"prompt": self.prompt_tokens, "completion": self.completion_tokens}
        parts += [f"{count} {name} tokens" for name, count in tokens.items() if count]
        return f"{self.stage} ({self.model}): {', '.join(parts)}, on {self.device}"


def record_work(store: Path, work: Work) -> None:
    """Log what was done, and keep it in a file of its own, as done for this job's run."""
    log.info(work)
    write_json(store / "work" / f"{uuid.uuid4().hex}.json", asdict(work) | {"run": run_name()})


def read_work(store: Path) -> list[Work]:
    """All that was ever done with this store, in no order. Raises BadInput for a file that is no record."""
    return [Work(**read_json(path)) for path in (store / "work").glob("[!.]*.json")]


def calls_by_stage(store: Path) -> Counter[tuple[str, str]]:
    """How many calls and trainings were really made, by stage and kind."""
    calls: Counter[tuple[str, str]] = Counter()
    for work in read_work(store):
        calls[work.stage, work.kind] += work.calls
    return calls
