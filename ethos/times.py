"""Wall time and peak memory of the stages of a run, from Snakemake's benchmark files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from ethos.errors import BadInput
from ethos.progress import spell_seconds


@dataclass(frozen=True)
class StageTime:
    """seconds: wall time over all jobs of the rule. memory: peak resident set of its largest job, MiB; None where all were too short to be seen."""

    rule: str
    jobs: int
    seconds: float
    memory: float | None


def stage_times(folder: Path, run: str) -> list[StageTime]:
    """The stages of a run, in the order in which they ended; none if it never ran.

    Raises BadInput when a file is no benchmark.
    """
    stages: dict[str, StageTime] = {}
    for path in sorted((folder / run).rglob("*.tsv"), key=lambda path: (path.stat().st_mtime, path)):
        seconds, memory = _measured(path)
        rule = path.name.partition(".")[0]  # shards stand behind the dot
        before = stages.get(rule, StageTime(rule, 0, 0.0, None))
        highest = max((value for value in (before.memory, memory) if value is not None), default=None)
        stages[rule] = StageTime(rule, before.jobs + 1, before.seconds + seconds, highest)
    return list(stages.values())


def benchmark_seconds(path: Path) -> float:
    """Wall time of one job, seconds. Raises BadInput when the file is no benchmark."""
    return _measured(path)[0]


def _measured(path: Path) -> tuple[float, float | None]:
    """Seconds and peak memory of one job; Snakemake has `-` or `NA` for the memory of one that was too short."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        memories = [float(row["max_rss"]) for row in rows if row["max_rss"] not in ("-", "NA")]
        seconds = [float(row["s"]) for row in rows]
    except (KeyError, TypeError, ValueError):
        seconds = []
    if not seconds:
        raise BadInput("is not a benchmark of Snakemake; delete it", path=path)
    return sum(seconds), max(memories, default=None)


def _table_line(name: str, jobs: int, seconds: float, share: float, memory: float | None) -> str:
    peak = "-" if memory is None else f"{memory:.0f} MiB"
    return f"{name:28}{jobs:5}{spell_seconds(seconds):>14}{share:8.0%}{peak:>12}"


def times_table(stages: list[StageTime]) -> str:
    """A table for the terminal."""
    total = sum(stage.seconds for stage in stages)
    lines = [f"{'stage':28}{'jobs':>5}{'wall time':>14}{'share':>8}{'memory':>12}"]
    for stage in stages:
        lines.append(
            _table_line(stage.rule, stage.jobs, stage.seconds, stage.seconds / total if total else 0.0, stage.memory)
        )
    highest = max((stage.memory for stage in stages if stage.memory is not None), default=None)
    lines.append(_table_line("all", sum(stage.jobs for stage in stages), total, 1.0, highest))
    return "\n".join(lines)
