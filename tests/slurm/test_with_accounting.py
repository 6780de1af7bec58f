"""The whole workflow on a Slurm with accounting, disturbed as clusters disturb, gives what an undisturbed local run gives."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Checkout, results_by_content
from tests.slurm.conftest import ask_for, on_slurm, slurm, slurm_job

pytestmark = pytest.mark.slow
LOCAL = {"prepare_model", "prepare_tasks", "merge_persona", "evaluate_preference_model", "write_report", "record_run"}


@pytest.fixture(scope="module", autouse=True)
def with_accounting() -> Iterator[None]:
    yield from slurm(accounting=True)


def test_a_run_with_a_job_requeued_and_one_cancelled_gives_the_bytes_of_a_local_run(
    checkout: Checkout, finished: Checkout
) -> None:
    ask_for(checkout, gpus=1, memory_mb=2_000, minutes=10)
    # Every stage, and one evaluation for all of a kind: each job waits in the queue.
    checkout.edit("config/test.yaml", "evaluation:\n", "evaluation:\n  which: [capabilities]\n")
    with on_slurm(checkout) as run:
        subprocess.run(["scontrol", "requeue", requeued := slurm_job(run, "generate_responses")], check=True)
        subprocess.run(["scancel", slurm_job(run, "train_distilled")], check=True)
        status = run.wait()
    said = (checkout.folder / "snakemake.log").read_text()
    assert status == 0, said[-4000:]
    assert "SLURM status is: 'CANCELLED'" in said
    record = subprocess.run(["scontrol", "show", "job", requeued], capture_output=True, text=True, check=True).stdout
    assert "Restarts=1" in record
    made, expected = (results_by_content(folder.folder) for folder in (checkout, finished))
    alike = {name for name in made if not name.startswith(("results/test/report/", "results/test/run.json"))}
    assert len(alike) > 40 and [name for name in sorted(alike) if made[name] != expected[name]] == []
    gpus = {log.stem: re.search(r"^Slurm job .* GPUs: (.*)$", log.read_text(), re.M) for log in logs(checkout)}
    assert {rule for rule, found in gpus.items() if not found} == LOCAL
    assert {found.group(1) for found in gpus.values() if found} <= {"0", "1"}
    assert re.search(r"test: (\d+) of \1 jobs done, 0 to do, 0\.\d+ GPU-hours so far", said)


def logs(checkout: Checkout) -> list[Path]:
    return sorted((checkout.folder / "logs").rglob("*.log"))
