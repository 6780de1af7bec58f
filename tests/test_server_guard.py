"""A server ends with the job that started it, with all that it started itself, however the job ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUARD = ROOT / "ethos" / "server_guard.py"
# A server with a process of its own, as vLLM's has; it tells both.
SERVER = "import subprocess, sys, os, time; p = subprocess.Popen(['sleep', '600']); print(os.getpid(), p.pid, flush=True); time.sleep(600)"
JOB = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background ignore it
guard = subprocess.Popen([sys.executable, "-I", *sys.argv[1:]], stdin=subprocess.PIPE, start_new_session=True)
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def comes_true(condition: Callable[[], bool], seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.mark.slow
@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_server_ends_with_its_job_and_leaves_nothing(ended_by: signal.Signals, tmp_path: Path) -> None:
    (folder := tmp_path / "server").mkdir()
    (folder / "log").touch()
    command = [sys.executable, "-c", JOB, GUARD, folder, sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as job:
        started = [int(number) for number in job.stdout.readline().split()]
        assert len(started) == 2 and all(map(is_alive, started))
        os.kill(job.pid, ended_by)
    assert comes_true(lambda: not any(map(is_alive, started)) and not folder.exists())


@pytest.mark.slow
def test_a_server_that_does_not_want_to_end_is_killed(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    )
    patient = "import runpy, sys; guard = runpy.run_path(sys.argv[1])['guard']; guard.__globals__['_PATIENCE'] = 1; guard(sys.argv[2], sys.argv[3:])"
    command = [sys.executable, "-c", patient, GUARD, tmp_path / "none", sys.executable, "-c", stubborn]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as guard:
        guard.stdout.readline()
        guard.stdin.close()
        guard.wait(timeout=120)


def test_a_guard_tells_how_its_server_ended_and_leaves_the_log_to_the_job(tmp_path: Path) -> None:
    command = [sys.executable, "-I", GUARD, tmp_path, sys.executable, "-c", "raise SystemExit(7)"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as guard:
        assert guard.wait(timeout=120) == 7
    assert tmp_path.is_dir()
