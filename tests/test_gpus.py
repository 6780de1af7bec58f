"""No two jobs on a machine have the same GPU."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

_HOLD = "import sys; from pathlib import Path; from ethos.gpus import claim_gpus; print(*claim_gpus(['0', '1'], int(sys.argv[2]), Path(sys.argv[1])), flush=True); sys.stdin.read()"


def holder(folder: Path, count: int = 1) -> subprocess.Popen[str]:
    """A process that takes some of two GPUs and holds them until its input ends."""
    command = [sys.executable, "-c", _HOLD, str(folder), str(count)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_jobs_get_different_gpus_and_one_too_many_waits_for_one_that_was_killed(tmp_path: Path) -> None:
    first, second = holder(tmp_path), holder(tmp_path)
    assert sorted([first.stdout.readline().strip(), taken := second.stdout.readline().strip()]) == ["0", "1"]
    with holder(tmp_path) as third, first, second:
        second.kill()
        assert third.stdout.readline().strip() == taken
        third.stdin.close()
        first.stdin.close()


def test_a_training_that_waits_for_two_gpus_holds_none_of_them(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        assert first.stdout.readline().strip() == "0"
        with holder(tmp_path, 2) as both:
            time.sleep(0.3)  # it has looked by now, and found one
            with holder(tmp_path) as third:
                assert third.stdout.readline().strip() == "1"
                third.stdin.close()
            first.stdin.close()
            assert both.stdout.readline().split() == ["0", "1"]
            both.stdin.close()


def test_what_a_process_has_taken_it_takes_again(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from ethos.gpus import claim_gpus; [print(*claim_gpus(['0', '1'], count, Path(sys.argv[1]))) for count in (1, 2, 1)]"
    told = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["0", "0 1", "0"]
