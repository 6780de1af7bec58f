"""The same profile works on a Slurm without accounting."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ethos.run_status import run_status, slurm_output
from ethos.times import benchmark_seconds
from tests.conftest import Checkout
from tests.slurm.conftest import ON_SLURM, ask_for, on_slurm, script, slurm, slurm_job, wait_for
from tests.test_server_guard import GUARD, JOB, SERVER, comes_true, is_alive
from tests.workflow.test_rebuild_for_real import assert_equal_results

QUESTIONS = "results/test/questions/poeticism.parquet"


@pytest.fixture(scope="module", autouse=True)
def without_accounting() -> Iterator[None]:
    yield from slurm(accounting=False)


@pytest.mark.slow
def test_jobs_over_their_time_or_memory_are_retried_with_more_and_see_no_gpu_if_they_asked_for_none(
    checkout: Checkout, finished: Checkout, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for(checkout, gpus=0, memory_mb=2_000, minutes=2)  # in less, a slow machine may not even start the script
    small = Checkout.new(tmp_path / "small", tiny_model)
    ask_for(small, gpus=0, memory_mb=300, minutes=10)
    with on_slurm(checkout, QUESTIONS) as run:
        os.kill(script(run, checkout, "generate_questions"), signal.SIGSTOP)
        outcome = small.snakemake(*ON_SLURM, QUESTIONS)  # while the other waits for its end
        status = run.wait()
    said = (checkout.folder / "snakemake.log").read_text()
    assert (status, outcome.returncode) == (0, 0), said[-4000:] + outcome.stderr[-4000:]
    assert "SLURM status is: 'TIMEOUT'" in said
    assert asked(said, "runtime") == [2, 4]
    memory = asked(outcome.stderr, "mem_mb")
    assert len(memory) > 1
    assert memory == [memory[0] * attempt for attempt in range(1, len(memory) + 1)]
    for other in (checkout, small):
        log = (other.folder / "logs/test/questions/poeticism/generate_questions.log").read_text()
        assert re.search(r"^Slurm job \d+ on .*, GPUs: none$", log, re.M)
        assert (other.folder / QUESTIONS).read_bytes() == (finished.folder / QUESTIONS).read_bytes()
    for other, reason in ((checkout, "DUE TO TIME LIMIT"), (small, "memory limit")):
        monkeypatch.chdir(other.folder)
        assert reason in slurm_output("generate_questions", ["test", "poeticism"], since=0)[1]


@pytest.mark.slow
def test_work_in_the_store_asks_for_no_gpu_what_lacks_is_tried_again_with_one_and_a_requeued_training_resumes(
    finished: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = finished.copy(tmp_path / "again")
    ask_for(checkout, gpus=1, memory_mb=2_000, minutes=10, store_first="true")
    checkout.edit("config/test.yaml", "threads: 1", "checkpoint_minutes: 0\n  threads: 1")
    adapter = checkout.folder / "results/test/tiny/poeticism/seed0/distilled/adapter_model.safetensors"
    before = adapter.read_bytes()
    shutil.rmtree(checkout.folder / "results")
    shutil.rmtree(checkout.folder / "store/trainings")
    with on_slurm(checkout, str(adapter.relative_to(checkout.folder))) as run:
        wait_for(run, lambda: any(checkout.folder.glob("store/scratch/[!.]*/checkpoint-*")), every=0.01)
        os.kill(script(run, checkout, "train_distilled"), signal.SIGSTOP)
        subprocess.run(["scontrol", "requeue", slurm_job(run, "train_distilled")], check=True)
        status = run.wait()
    said = (checkout.folder / "snakemake.log").read_text()
    assert status == 0, said[-4000:]
    assert adapter.read_bytes() == before
    gpus = {rule: asked(said, "gpu", rule) for rule in ("generate_teacher_responses", "train_distilled")}
    assert gpus == {"generate_teacher_responses": [0], "train_distilled": [0, 1]}
    memory, minutes = (asked(said, resource, "train_distilled") for resource in ("mem_mb", "runtime"))
    assert memory[0] == memory[1] and minutes == [10, 10]  # the second attempt is the first that computes
    log = (checkout.folder / "logs/test/tiny/poeticism/seed0/train_distilled.log").read_text()
    assert re.search(r"dpo training: resumes at step \d+/", log)
    monkeypatch.chdir(checkout.folder)
    seconds = benchmark_seconds(Path("benchmarks/test/tiny/poeticism/seed0/train_distilled.tsv"))
    assert run_status("test").gpu_hours == pytest.approx(seconds / 3600)


@pytest.mark.slow
def test_a_server_ends_when_its_job_is_cancelled(tmp_path: Path) -> None:
    told = tmp_path / "told"
    job = shlex.join([sys.executable, "-c", JOB, str(GUARD), str(tmp_path / "none"), sys.executable, "-c", SERVER])
    sent = ["sbatch", "--parsable", "--mem=500", f"--output={told}", f"--chdir={tmp_path}", "--wrap", job]
    number = subprocess.run(sent, capture_output=True, text=True, check=True).stdout.strip()
    assert comes_true(lambda: told.is_file() and told.read_text().endswith("\n"))
    started = [int(word) for word in told.read_text().split()]
    assert len(started) == 2 and all(map(is_alive, started))
    subprocess.run(["scancel", number], check=True)
    assert comes_true(lambda: not any(map(is_alive, started)))


def asked(said: str, resource: str, rule: str = "generate_questions") -> list[int]:
    """What each attempt at a rule asked for, as Snakemake tells it."""
    return [int(value) for value in re.findall(rf"^rule {rule}:.*?\b{resource}=(\d+)", said, re.M | re.S)]


@pytest.mark.long
def test_the_whole_run_needs_no_accounting(checkout: Checkout, finished: Checkout) -> None:
    ask_for(checkout, gpus=1, memory_mb=2_000, minutes=10)
    outcome = checkout.snakemake(*ON_SLURM)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert_equal_results(checkout, finished)
