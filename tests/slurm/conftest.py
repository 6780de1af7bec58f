"""A real Slurm for the tests of this folder, and Snakemake on it as a user runs it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests.conftest import Checkout
from tests.slurm import cluster

ON_SLURM = ("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10")

Found = TypeVar("Found")


def slurm(*, accounting: bool) -> Iterator[None]:
    """A cluster for as long as a fixture lives."""
    if reason := cluster.obstacle():
        pytest.skip(reason)
    cluster.up(accounting=accounting)
    daemons = cluster.started()
    yield
    cluster.down()
    assert [name for name, pid, birth in daemons if cluster.birth(pid) == birth] == []
    assert not cluster.STATE.exists() and not any((cluster.CONFIGURATION / name).exists() for name in cluster.FILES)


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `slurm/site.sh` would export."""
    said = {
        "ACCOUNT": "tests",
        "PARTITION": "main",
        "CPU_PARTITION": "cpu",
        "GPU_TYPE": "fake",
        "CONSTRAINT": "pretended",
    }
    for name, value in said.items():
        monkeypatch.setenv(f"ETHOS_SLURM_{name}", value)


def ask_for(checkout: Checkout, **jobs: int | str) -> None:
    """Set `execution.jobs`. The tiny model stays on the CPU, since the GPUs are none."""
    fields = ", ".join(f"{name}: {value}" for name, value in jobs.items())
    checkout.edit("config/test.yaml", "threads: 1", f"device: cpu\n  jobs: {{{fields}}}\n  threads: 1")


@contextmanager
def on_slurm(checkout: Checkout, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Snakemake as it runs on Slurm; it is over at the end, whatever the test did."""
    run = checkout.start_snakemake(*ON_SLURM, *arguments)
    try:
        yield run
    finally:
        if run.poll() is None:
            run.kill()
            run.wait()


def slurm_job(run: subprocess.Popen[bytes], rule: str) -> str:
    """Wait until a job of this rule runs on Slurm; its id."""

    def running() -> str:
        jobs = subprocess.run(
            ["squeue", "--noheader", "--states=RUNNING", "--format=%i %k"], capture_output=True, text=True, check=True
        )
        found = [line.split()[0] for line in jobs.stdout.splitlines() if f"rule_{rule}_" in line]
        return found[0] if found else ""

    return wait_for(run, running)


def script(run: subprocess.Popen[bytes], checkout: Checkout, rule: str) -> int:
    """Wait until the script of this rule runs in a checkout; its process."""

    def process() -> int:
        for path in Path("/proc").glob("[0-9]*"):
            try:
                command, folder = (path / "cmdline").read_bytes().split(b"\0"), (path / "cwd").readlink()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if folder == checkout.folder and len(command) > 1 and command[1] == f"scripts/{rule}.py".encode():
                return int(path.name)
        return 0

    return wait_for(run, process)


def wait_for(run: subprocess.Popen[bytes], find: Callable[[], Found], *, every: float = 0.2) -> Found:
    """Look until something is found. Fails when Snakemake ends first. every: seconds."""
    while not (found := find()):
        assert run.poll() is None, "Snakemake ended before"
        time.sleep(every)
    return found
