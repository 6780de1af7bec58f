"""Wall time and peak memory of the stages of a run, from Snakemake's benchmark files."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from ethos.errors import BadInput
from ethos.progress import spell_seconds


@dataclass(frozen=True)
class StageTime:
    """seconds: wall time over all jobs of the rule. memory: peak resident set of its largest job, MiB."""

    rule: str
    jobs: int
    seconds: float
    memory: float


def stage_times(folder: Path, run: str) -> list[StageTime]:
    """The stages of a run and the preparation of its models, in the order in which they ended.

    Raises BadInput when there is none, or when a file is no benchmark.
    """
    files = sorted(
        [*folder.glob(f"{run}/**/*.tsv"), *folder.glob("models/**/*.tsv")], key=lambda path: path.stat().st_mtime
    )
    stages: dict[str, StageTime] = {}
    for path in files:
        try:
            seconds, memory = _measured(path)
        except (KeyError, TypeError, ValueError):
            raise BadInput("is not a benchmark of Snakemake; delete it", path=path) from None
        before = stages.get(path.stem, StageTime(path.stem, 0, 0.0, 0.0))
        stages[path.stem] = StageTime(path.stem, before.jobs + 1, before.seconds + seconds, max(before.memory, memory))
    if not stages:
        raise BadInput(f"no benchmarks of a run named {run!r}; run snakemake first", path=folder)
    return list(stages.values())


def _measured(path: Path) -> tuple[float, float]:
    """Seconds and peak memory of one job; Snakemake has `-` or `NA` for the memory of one that was too short."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    memory = max(float(row["max_rss"]) if row["max_rss"] not in ("-", "NA") else 0.0 for row in rows)
    return sum(float(row["s"]) for row in rows), memory


def times_table(stages: list[StageTime]) -> str:
    """A table for the terminal."""
    total = sum(stage.seconds for stage in stages)
    lines = [f"{'stage':28}{'jobs':>5}{'wall time':>14}{'share':>8}{'memory':>11}"]
    for stage in stages:
        share = stage.seconds / total if total else 0.0
        lines.append(
            f"{stage.rule:28}{stage.jobs:5}{spell_seconds(stage.seconds):>14}{share:8.0%}{stage.memory:7.0f} MiB"
        )
    lines.append(
        f"{'all':28}{sum(stage.jobs for stage in stages):5}{spell_seconds(total):>14}{1:8.0%}{max(stage.memory for stage in stages):7.0f} MiB"
    )
    return "\n".join(lines)
