"""Where a run stands: the jobs that it is made of, as planned when it started, and what of them is done."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ethos.errors import BadInput
from ethos.execution import COMMAND_VARIABLE, RUN_VARIABLE, VARIABLE
from ethos.files import read_json, write_json
from ethos.redaction import Redaction
from ethos.times import benchmark_seconds

_SLURM = re.compile(r"^Slurm job .*, GPUs: (.*)$", re.MULTILINE)  # as `start_logging` has it
_SLURM_LOGS = Path(".snakemake/slurm_logs")  # of Snakemake's executor, which keeps those of failed jobs


@dataclass(frozen=True)
class PlannedJob:
    """needed: whether it had to run when Snakemake was last started; else its result was there. gpus: those that it asks for to
    compute."""

    rule: str
    wildcards: dict[str, str]
    log: str
    benchmark: str
    gpus: int
    needed: bool

    @property
    def name(self) -> str:
        """The rule and what it works on; the run goes without saying."""
        place = ", ".join(value for name, value in self.wildcards.items() if name != "run")
        return f"{self.rule} ({place})" if place else self.rule


@dataclass(frozen=True)
class RunStatus:
    """started: with the last line of the log, for those without a result yet; a job that failed is among them.

    gpu_hours: of the finished jobs, whenever they ran; attempts that failed or were requeued left no time behind.
    """

    jobs: list[PlannedJob]
    done: list[PlannedJob]
    started: list[tuple[PlannedJob, str]]
    gpu_hours: float


def plan_path(run: str) -> Path:
    return Path("logs") / run / "jobs.json"


def write_plan(run: str, jobs: Iterable[Any]) -> None:
    """Note what a run is made of, as it starts. jobs: Snakemake's, those that need not run included.

    Shards of a stage that has its results already are left out, unless it was made by them.
    """
    planned = [_planned(job) for job in jobs if job.benchmark]
    made = [job for job in planned if job.needed or "shard" not in job.wildcards or Path(job.benchmark).is_file()]
    write_json(plan_path(run), [asdict(job) for job in made])


def commands_path(run: str) -> Path:
    return Path("logs") / run / "commands.txt"


def note_command(run: str) -> None:
    """Note the command that a person started a run with, after those before it, as it starts."""
    path, command = commands_path(run), Redaction({}).clean(os.environ[COMMAND_VARIABLE]) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        file.seek(0)
        if not file.read().endswith(command):
            file.write(command)


def _planned(job: Any) -> PlannedJob:
    wildcards = {name: str(value) for name, value in job.wildcards_dict.items()}
    # Of the second attempt, since the first may be left to the store.
    asked = job.rule.expand_resources(job.wildcards_dict, job.input, attempt=2, skip_evaluation={"tmpdir"})
    gpus = int(asked.get("gpu", 0))
    return PlannedJob(job.rule.name, wildcards, str(job.log[0]), str(job.benchmark), gpus, job.dag.needrun(job))


def run_status(run: str) -> RunStatus:
    """Compare the plan of a run with the files in `benchmarks/` and `logs/`. Raises BadInput for a run that never started."""
    path = plan_path(run)
    if not path.is_file():
        raise BadInput(f"no run named {run!r} was started here; run snakemake first", path=path)
    jobs = [PlannedJob(**row) for row in read_json(path)]
    since = path.stat().st_mtime
    done = [job for job in jobs if Path(job.benchmark).is_file() and (not job.needed or _changed(job.benchmark, since))]
    started = [
        (job, last_lines(Path(job.log), 1))
        for job in jobs
        if job.needed and job not in done and _changed(job.log, since)
    ]
    seconds = sum(benchmark_seconds(path) * _gpus(job) for job in jobs if (path := Path(job.benchmark)).is_file())
    return RunStatus(jobs, done, started, seconds / 3600)


def _gpus(job: PlannedJob) -> int:
    """The GPUs that a job had when it last ran: as planned, but none where Slurm gave it none, since all was in the store."""
    path = Path(job.log)
    found = _SLURM.search(path.read_text(encoding="utf-8", errors="replace")) if job.gpus and path.is_file() else None
    return 0 if found and found[1] == "none" else job.gpus


def _changed(path: str, since: float) -> bool:
    return Path(path).is_file() and Path(path).stat().st_mtime >= since


def last_lines(log: Path, count: int) -> str:
    """The end of a log, without empty lines; nothing where there is no log."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join([line for line in lines if line.strip()][-count:])


def summary(status: RunStatus) -> str:
    """The state of a run in one line."""
    left = len(status.jobs) - len(status.done)
    parts = [f"{len(status.done)} of {len(status.jobs)} jobs done", f"{left} to do"]
    parts += [f"{status.gpu_hours:.2f} GPU-hours so far"] if any(job.gpus for job in status.jobs) else []
    return ", ".join(parts)


def status_table(status: RunStatus) -> str:
    """Stages with their jobs, and what is under way, for the terminal."""
    stages: dict[str, list[PlannedJob]] = {}
    for job in status.jobs:
        stages.setdefault(job.rule, []).append(job)
    lines = [f"{'stage':28}{'jobs':>6}{'done':>6}"]
    lines += [f"{rule:28}{len(jobs):6}{sum(job in status.done for job in jobs):6}" for rule, jobs in stages.items()]
    lines += [f"started: {job.name}: {said or 'nothing logged yet'}" for job, said in status.started]
    return "\n".join([*lines, summary(status)])


def slurm_output(rule: str, wildcards: Iterable[str], since: float) -> tuple[Path, str] | None:
    """What Slurm wrote when a job last ran, and its own last word in it, as why it ended the job; None where Slurm did not run it.

    wildcards: their values, in the rule's order. since: when the run was started, seconds.
    """
    folder = _SLURM_LOGS / f"rule_{rule}" / "_".join(wildcards).replace("/", "_")
    written = [path for path in folder.glob("*.log") if path.stat().st_mtime >= since]
    if not written:
        return None
    newest = max(written, key=lambda path: path.stat().st_mtime)
    said = [line for line in last_lines(newest, 1_000).splitlines() if line.startswith("slurmstepd")]
    return newest, said[-1] if said else ""


def failure(job: Any, *, lines: int = 10) -> str:
    """What a person needs who looks after one of Snakemake's jobs that failed: its name, the end of its log, its command."""
    planned = _planned(job)
    said = last_lines(Path(planned.log), lines)
    settings = " ".join(f"{name}={shlex.quote(os.environ[name])}" for name in (RUN_VARIABLE, VARIABLE))
    command = job.shellcmd.partition(" 2> >(")[0]  # by hand, the log goes to the terminal
    since = plan_path(os.environ[RUN_VARIABLE]).stat().st_mtime
    path, reason = slurm_output(planned.rule, planned.wildcards.values(), since) or ("", "")
    return "\n".join(
        [
            f"Failed: {planned.name}",
            f"  {planned.log}" + (" ends with:" if said else " does not exist: the job was ended before it began"),
            *(f"    {line}" for line in said.splitlines()),
            *([f"  Slurm's output: {path}"] if path else []),
            *([f"    {reason}"] if reason else []),
            "  By hand:",
            f"    PYTHONPATH=. {settings} {command}",
        ]
    )
