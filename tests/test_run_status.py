"""Where a run stands is read from its plan, its benchmarks and its logs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ethos.errors import BadInput
from ethos.run_status import (
    RunStatus,
    commands_path,
    last_lines,
    note_command,
    run_status,
    slurm_output,
    status_table,
    summary,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(rule: str, *, gpus: int = 0, needed: bool = True) -> dict:
    return {
        "rule": rule,
        "wildcards": {"run": "demo", "constitution": "humor"},
        "log": f"logs/demo/{rule}.log",
        "benchmark": f"benchmarks/demo/{rule}.tsv",
        "gpus": gpus,
        "needed": needed,
    }


def write(path: str, text: str, *, age: int) -> None:
    """age: seconds before the run was started; negative for after."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    os.utime(path, (1_000_000 - age, 1_000_000 - age))


def write_benchmark(rule: str, seconds: int, *, age: int) -> None:
    write(f"benchmarks/demo/{rule}.tsv", f"s\tmax_rss\n{seconds}\t100\n", age=age)


def state(*jobs: dict) -> RunStatus:
    write("logs/demo/jobs.json", json.dumps(jobs), age=0)
    return run_status("demo")


def test_a_benchmark_from_before_the_start_counts_only_for_a_job_that_need_not_run(folder: Path) -> None:
    for rule in ("kept", "again"):
        write_benchmark(rule, 60, age=100)
    write_benchmark("new", 60, age=-100)
    status = state(planned("kept", needed=False), planned("again"), planned("new"))
    assert [job.rule for job in status.done] == ["kept", "new"]


def test_gpu_hours_are_those_of_all_finished_jobs_times_their_gpus(folder: Path) -> None:
    write_benchmark("old", 3600, age=100)
    write_benchmark("new", 1800, age=-100)
    write_benchmark("without", 9999, age=-100)
    status = state(
        planned("old", gpus=1, needed=False), planned("new", gpus=2), planned("without"), planned("next", gpus=8)
    )
    assert status.gpu_hours == pytest.approx(1 + 2 * 0.5)
    assert summary(status) == "3 of 4 jobs done, 1 to do, 2.00 GPU-hours so far"


def test_gpu_hours_leave_out_a_job_that_slurm_gave_no_gpu(folder: Path) -> None:
    for rule, gpus in {"computed": "0,3", "found": "none"}.items():
        write_benchmark(rule, 1800, age=-100)
        write(f"logs/demo/{rule}.log", f"Slurm job 7 on node, GPUs: {gpus}\nloading\n", age=-100)
    assert state(planned("computed", gpus=2), planned("found", gpus=2)).gpu_hours == pytest.approx(1)


def test_what_is_under_way_is_shown_with_what_it_said_last(folder: Path) -> None:
    write("logs/demo/rank_responses.log", "loading\nrank_responses (tiny): 12/64, 3 min left\n\n", age=-5)
    write("logs/demo/train_aligned.log", "of an earlier run\n", age=100)
    status = state(planned("rank_responses"), planned("train_aligned"))
    assert [(job.name, said) for job, said in status.started] == [
        ("rank_responses (humor)", "rank_responses (tiny): 12/64, 3 min left")
    ]
    assert "started: rank_responses (humor): rank_responses (tiny): 12/64, 3 min left" in status_table(status)


def test_the_table_counts_jobs_by_stage(folder: Path) -> None:
    write_benchmark("sample_arms", 1, age=-1)
    lines = status_table(state(planned("sample_arms"), planned("write_report"))).splitlines()
    assert [line.split() for line in lines[1:3]] == [["sample_arms", "1", "1"], ["write_report", "1", "0"]]


def test_a_run_that_never_started_is_named(folder: Path) -> None:
    with pytest.raises(BadInput, match="nothing.*run snakemake first"):
        run_status("nothing")


def test_the_last_lines_leave_out_empty_ones_and_a_missing_log_has_none(folder: Path) -> None:
    Path("a.log").write_text("one\n\ntwo\nthree\n\n")
    assert last_lines(Path("a.log"), 2) == "two\nthree"
    assert last_lines(Path("b.log"), 2) == ""


def test_the_commands_that_started_a_run_are_kept_in_their_order_without_secrets(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "correct-horse-battery")
    for command in ("snakemake", "snakemake", "snakemake --config x=correct-horse-battery", "snakemake archive"):
        monkeypatch.setenv("ETHOS_COMMAND", command)
        note_command("demo")
    assert commands_path("demo").read_text() == "snakemake\nsnakemake --config x=[removed]\nsnakemake archive\n"


def test_the_newest_output_of_slurm_is_named_with_why_it_ended_the_job(folder: Path) -> None:
    job = "train_aligned", ["demo", "humor"]
    place = ".snakemake/slurm_logs/rule_train_aligned/demo_humor"
    write(f"{place}/7.log", "of an earlier run", age=100)
    assert slurm_output(*job, since=1_000_000) is None
    word = "slurmstepd-node: error: *** STEP 9.0 ON node CANCELLED DUE TO TIME LIMIT ***"
    write(f"{place}/8.log", "done", age=-10)
    write(f"{place}/9.log", f"loading\n{word}\nsrun: error: task 0: Terminated\n", age=-20)
    assert slurm_output(*job, since=1_000_000) == (Path(place, "9.log"), word)
