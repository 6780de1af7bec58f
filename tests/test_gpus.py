"""No two jobs on a machine have the same GPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_HOLD = "import sys; from pathlib import Path; from ethos.gpus import claim_gpu; print(claim_gpu(sys.argv[2:], Path(sys.argv[1])), flush=True); sys.stdin.read()"


def holder(folder: Path) -> subprocess.Popen[str]:
    """A process that takes one of two GPUs and holds it until its input ends."""
    command = [sys.executable, "-c", _HOLD, str(folder), "0", "1"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_jobs_get_different_gpus_and_one_too_many_waits_for_one_that_was_killed(tmp_path: Path) -> None:
    first, second = holder(tmp_path), holder(tmp_path)
    assert sorted([first.stdout.readline().strip(), taken := second.stdout.readline().strip()]) == ["0", "1"]
    with holder(tmp_path) as third, first, second:
        second.kill()
        assert third.stdout.readline().strip() == taken
        third.stdin.close()
        first.stdin.close()
