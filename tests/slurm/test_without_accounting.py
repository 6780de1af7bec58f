"""The same profile works on a Slurm without accounting."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest

from tests.conftest import Checkout
from tests.slurm.conftest import ON_SLURM, ask_for, on_slurm, script, slurm
from tests.workflow.test_rebuild_for_real import assert_equal_results

QUESTIONS = "results/test/questions/poeticism.parquet"


@pytest.fixture(scope="module", autouse=True)
def without_accounting() -> Iterator[None]:
    yield from slurm(accounting=False)


@pytest.mark.slow
def test_a_job_over_its_time_is_retried_with_more_and_one_without_gpu_sees_none(
    checkout: Checkout, finished: Checkout
) -> None:
    ask_for(checkout, gpus=0, memory_mb=2_000, minutes=1)
    with on_slurm(checkout, QUESTIONS) as run:
        os.kill(script(run, "generate_questions"), signal.SIGSTOP)
        status = run.wait()
    said = (checkout.folder / "snakemake.log").read_text()
    assert status == 0, said[-4000:]
    assert "SLURM status is: 'TIMEOUT'" in said
    assert re.findall(r"^rule generate_questions:.*?runtime=(\d+)", said, re.M | re.S) == ["1", "2"]
    log = (checkout.folder / "logs/test/questions/poeticism/generate_questions.log").read_text()
    assert re.search(r"^Slurm job \d+ on .*, GPUs: none$", log, re.M)
    assert (checkout.folder / QUESTIONS).read_bytes() == (finished.folder / QUESTIONS).read_bytes()


@pytest.mark.long
def test_the_whole_run_needs_no_accounting(checkout: Checkout, finished: Checkout) -> None:
    ask_for(checkout, gpus=1, memory_mb=2_000, minutes=10)
    outcome = checkout.snakemake(*ON_SLURM)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert_equal_results(checkout, finished)
