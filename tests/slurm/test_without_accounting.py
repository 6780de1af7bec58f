"""The same profile works on a Slurm without accounting."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Checkout
from tests.slurm.conftest import ON_SLURM, ask_for, on_slurm, script, slurm
from tests.workflow.test_rebuild_for_real import assert_equal_results

QUESTIONS = "results/test/questions/poeticism.parquet"


@pytest.fixture(scope="module", autouse=True)
def without_accounting() -> Iterator[None]:
    yield from slurm(accounting=False)


@pytest.mark.slow
def test_jobs_over_their_time_or_memory_are_retried_with_more_and_see_no_gpu_if_they_asked_for_none(
    checkout: Checkout, finished: Checkout, tiny_model: Path, tmp_path: Path
) -> None:
    ask_for(checkout, gpus=0, memory_mb=2_000, minutes=1)
    small = Checkout.new(tmp_path / "small", tiny_model)
    ask_for(small, gpus=0, memory_mb=300, minutes=10)
    with on_slurm(checkout, QUESTIONS) as run:
        os.kill(script(run, checkout, "generate_questions"), signal.SIGSTOP)
        outcome = small.snakemake(*ON_SLURM, QUESTIONS)  # while the other waits for its end
        status = run.wait()
    said = (checkout.folder / "snakemake.log").read_text()
    assert (status, outcome.returncode) == (0, 0), said[-4000:] + outcome.stderr[-4000:]
    assert "SLURM status is: 'TIMEOUT'" in said
    assert asked(said, "runtime") == [1, 2]
    memory = asked(outcome.stderr, "mem_mb")
    assert len(memory) > 1
    assert memory == [memory[0] * attempt for attempt in range(1, len(memory) + 1)]
    for other in (checkout, small):
        log = (other.folder / "logs/test/questions/poeticism/generate_questions.log").read_text()
        assert re.search(r"^Slurm job \d+ on .*, GPUs: none$", log, re.M)
        assert (other.folder / QUESTIONS).read_bytes() == (finished.folder / QUESTIONS).read_bytes()


@pytest.mark.slow
def test_work_in_the_store_asks_for_no_gpu_and_what_lacks_is_tried_again_with_one(
    finished: Checkout, tmp_path: Path
) -> None:
    checkout = finished.copy(tmp_path / "again")
    ask_for(checkout, gpus=1, memory_mb=2_000, minutes=10, store_first="true")
    adapter = checkout.folder / "results/test/tiny/poeticism/seed0/distilled/adapter_model.safetensors"
    before = adapter.read_bytes()
    shutil.rmtree(checkout.folder / "results")
    shutil.rmtree(checkout.folder / "store/trainings")
    outcome = checkout.snakemake(*ON_SLURM, str(adapter.relative_to(checkout.folder)))
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert adapter.read_bytes() == before
    gpus = {rule: asked(outcome.stderr, "gpu", rule) for rule in ("generate_teacher_responses", "train_distilled")}
    assert gpus == {"generate_teacher_responses": [0], "train_distilled": [0, 1]}


def asked(said: str, resource: str, rule: str = "generate_questions") -> list[int]:
    """What each attempt at a rule asked for, as Snakemake tells it."""
    return [int(value) for value in re.findall(rf"^rule {rule}:.*?\b{resource}=(\d+)", said, re.M | re.S)]


@pytest.mark.long
def test_the_whole_run_needs_no_accounting(checkout: Checkout, finished: Checkout) -> None:
    ask_for(checkout, gpus=1, memory_mb=2_000, minutes=10)
    outcome = checkout.snakemake(*ON_SLURM)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert_equal_results(checkout, finished)
