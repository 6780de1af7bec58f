"""A run says where it stands, and a failed one what failed and how to run that step by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Checkout

pytestmark = pytest.mark.slow


def environment() -> dict[str, str]:
    """That of a shell in which this Python's environment is active."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def test_a_failed_run_ends_with_the_step_the_end_of_its_log_and_a_command_that_fails_in_the_same_way(
    finished: Checkout, tmp_path: Path
) -> None:
    copy = finished.copy(tmp_path / "copy")
    table = copy.folder / "results/test/tiny/poeticism/responses.parquet"
    table.write_bytes(table.read_bytes()[:200])
    outcome = copy.snakemake("results/test/tiny/poeticism/rankings.parquet")
    assert outcome.returncode == 1
    lines = outcome.stderr.partition("Failed: ")[2].splitlines()
    assert lines[0] == "rank_responses (tiny, poeticism)"
    assert lines[1] == "  logs/test/tiny/poeticism/rank_responses.log ends with:"
    command = lines[lines.index("  By hand:") + 1]
    error = next(line.strip() for line in lines if line.strip().startswith("error: "))

    by_hand = subprocess.run(
        ["bash", "-c", command], cwd=copy.folder, env=environment(), capture_output=True, text=True
    )
    assert (by_hand.returncode, by_hand.stderr.splitlines()[-1]) == (1, error)
    assert "jobs done, 1 to do" in outcome.stderr


def test_what_needs_the_network_is_prepared_alone_and_the_rest_runs_without(checkout: Checkout) -> None:
    outcome = checkout.snakemake("prepare")
    assert outcome.returncode == 0, outcome.stderr
    assert list((checkout.folder / "store/models").glob("tiny-*/identity.json"))
    assert not (checkout.folder / "results/test").exists()
    assert list((checkout.folder / "store/tasks").glob("*/tasks.json"))
    assert "test: 2 of 2 jobs done, 0 to do" in outcome.stderr

    alone = ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody leave the network")
    command = [*alone, "snakemake", "results/test/questions/poeticism.parquet", "--configfile", "config/test.yaml"]
    outcome = subprocess.run(command, cwd=checkout.folder, env=environment(), capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
