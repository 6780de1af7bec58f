"""Kill -9 at random moments: a run resumed as the documentation says ends with the bytes of an undisturbed one."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Checkout, results_by_content
from tests.workflow.test_rebuild_for_real import assert_equal_results

GENERATION = (
    "generate_questions",
    "generate_responses",
    "generate_teacher_responses",
    "rank_responses",
    "generate_introspection",
    "sample_arms",
)
TRAINING = ("train_preference_model", "train_aligned", "train_distilled", "train_introspection")


def workers(session: int, rules: tuple[str, ...]) -> list[tuple[int, str]]:
    """The running scripts of these rules in a session, as (process, rule)."""
    found = []
    for process in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        try:
            command = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            if os.getsid(process) != session:
                continue
        except (FileNotFoundError, ProcessLookupError):
            continue
        rule = Path(command[1].decode()).stem if len(command) > 1 and command[0].endswith(b"python") else ""
        if rule in rules:
            found.append((process, rule))
    return found


def kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def run_and_kill(checkout: Checkout, chance: random.Random, victim: str, rules: tuple[str, ...]) -> str:
    """Start a run, wait until a job of these rules is under way, and kill it or Snakemake at a random moment.

    Returns the rule that was under way, or nothing when the run ended first.
    """
    run = checkout.start_snakemake()
    try:
        under_way: list[tuple[int, str]] = []
        while not under_way and run.poll() is None:
            time.sleep(0.05)
            under_way = workers(run.pid, rules)
        time.sleep(chance.uniform(0, 5))
        alive = [pair for pair in workers(run.pid, rules) if pair in under_way]
        if run.poll() is not None or not alive:
            return ""
        kill(run.pid if victim == "snakemake" else alive[0][0])
        return alive[0][1]
    finally:
        # A killed Snakemake leaves its jobs running; some of them go on beside the next run.
        if victim == "snakemake" and chance.random() < 0.5:
            for process, _ in workers(run.pid, GENERATION + TRAINING):
                kill(process)
        run.wait()


def resumed(checkout: Checkout) -> subprocess.CompletedProcess[str]:
    """Go on as the documentation says."""
    checkout.snakemake("--unlock")
    return checkout.snakemake()


@pytest.mark.parametrize(
    "victims",
    [
        pytest.param(("worker", "snakemake"), marks=pytest.mark.slow, id="each once"),
        pytest.param(("worker",) * 10, marks=pytest.mark.long, id="workers"),
        pytest.param(("snakemake",) * 10, marks=pytest.mark.long, id="snakemake"),
    ],
)
def test_a_killed_run_in_another_folder_with_another_batch_size_ends_as_if_undisturbed(
    finished: Checkout, tiny_model: Path, tmp_path: Path, victims: tuple[str, ...]
) -> None:
    chance = random.Random(len(victims))
    number, hit = 0, []
    while len(hit) < len(victims):
        checkout = Checkout.new(tmp_path / f"run{number}", tiny_model)
        # A checkpoint at every step, so that a training that was killed has something to go on from.
        checkout.edit("config/test.yaml", "threads: 1", "threads: 1\n  checkpoint_minutes: 0\n  batch_size: 11")
        while len(hit) < len(victims) and not (checkout.folder / "results/test/report/index.html").is_file():
            rules = TRAINING if len(hit) % 2 else GENERATION
            if rule := run_and_kill(checkout, chance, victims[len(hit)], rules):
                hit.append(rule)
            checkout.snakemake("--unlock")
        outcome = resumed(checkout)
        assert outcome.returncode == 0, outcome.stderr[-4000:]
        assert_equal_results(checkout, finished)
        assert results_by_content(checkout.folder).keys() == results_by_content(finished.folder).keys()
        number += 1
    assert set(hit) & set(GENERATION) and set(hit) & set(TRAINING), hit
