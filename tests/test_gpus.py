"""No two jobs on a machine have the same GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ethos import execution, gpus
from ethos.errors import BadInput

_HOLD = "import sys; from pathlib import Path; from ethos.gpus import claim_gpus; print(*claim_gpus(sys.argv[3].split(','), int(sys.argv[2]), Path(sys.argv[1])), flush=True); sys.stdin.read()"


def holder(folder: Path, count: int = 1, names: str = "0,1") -> subprocess.Popen[str]:
    """A process that takes some of two GPUs and holds them until its input ends."""
    command = [sys.executable, "-c", _HOLD, str(folder), str(count), names]
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


def test_two_jobs_with_a_gpu_each_that_want_both_have_them_in_turn(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from ethos.gpus import claim_gpus\nfor count in (1, 2): print(*claim_gpus(['0', '1'], count, Path(sys.argv[1])), flush=True); sys.stdin.readline()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **started) as first, subprocess.Popen(command, **started) as second:
        jobs = (first, second)
        assert {job.stdout.readline() for job in jobs} == {"0\n", "1\n"}
        for job in jobs:
            job.stdin.close()
        assert [job.stdout.read() for job in jobs] == ["0 1\n", "0 1\n"]


def test_what_a_process_has_taken_it_takes_again(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from ethos.gpus import claim_gpus; [print(*claim_gpus(['0', '1'], count, Path(sys.argv[1]))) for count in (1, 2, 1)]"
    told = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["0", "0 1", "0"]


@pytest.fixture
def four_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with four GPUs as torch counts them, of which this process has taken none yet."""
    import torch

    def count() -> int:
        return len(os.environ["CUDA_VISIBLE_DEVICES"].split(","))

    monkeypatch.setattr(torch.cuda, "device_count", count)
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(gpus, "_held", {})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    execution._gpus_there.cache_clear()
    yield monkeypatch
    gpus._give_back()
    execution._gpus_there.cache_clear()


def seen(count: int = 1) -> str:
    """The GPUs that a job sees once it has asked for so many."""
    assert execution.device(count) == "cuda"
    return os.environ["CUDA_VISIBLE_DEVICES"]


def taken_by_another(folder: Path, name: str) -> subprocess.Popen[str]:
    """Another job, which has taken the GPU of this name."""
    other = holder(folder, names=name)
    assert other.stdout.readline().strip() == name
    return other


def test_a_job_sees_one_gpu_and_a_training_of_it_as_many_as_it_has_processes(four_gpus: pytest.MonkeyPatch) -> None:
    assert [seen(), seen(2), seen(), seen(4)] == ["4", "4,5", "4", "4,5,6,7"]
    with pytest.raises(BadInput, match="asks for 5 GPUs, and 4 are there"):
        execution.device(5)


def test_a_training_finds_others_than_those_that_another_job_has(four_gpus: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert seen() == "4"
    with taken_by_another(tmp_path / f"ethos-gpus-{os.getuid()}", "5") as other:
        assert seen(3) == "4,6,7"
        other.stdin.close()


def test_a_job_keeps_all_gpus_of_a_server_from_the_start_and_a_model_in_the_job_is_on_the_first(
    four_gpus: pytest.MonkeyPatch,
) -> None:
    four_gpus.setenv("ETHOS_EXECUTION", json.dumps({"vllm": {"tensor_parallel_size": 2}}))
    assert seen() == "4"
    assert list(gpus._held) == ["4", "5"]
    assert [seen(2), seen()] == ["4,5", "4"]


def test_the_only_gpu_is_taken_too(four_gpus: pytest.MonkeyPatch) -> None:
    four_gpus.setenv("CUDA_VISIBLE_DEVICES", "6")
    assert seen() == "6"
    assert list(gpus._held) == ["6"]


def test_jobs_within_one_of_slurm_share_its_gpus_and_other_jobs_of_slurm_have_their_own(
    four_gpus: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    four_gpus.setenv("SLURM_JOB_ID", "17")
    ours, others = (tmp_path / f"ethos-gpus-{os.getuid()}-{job}" for job in (17, 18))
    with taken_by_another(ours, "4") as beside, taken_by_another(others, "5") as elsewhere:
        assert seen(2) == "5,6"
        beside.stdin.close()
        elsewhere.stdin.close()


def test_a_process_of_a_training_has_what_its_launcher_took(four_gpus: pytest.MonkeyPatch) -> None:
    four_gpus.setenv("LOCAL_RANK", "1")
    assert seen() == "4,5,6,7"
    assert not gpus._held
