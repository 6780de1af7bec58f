"""The test cluster leaves alone what is not its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.slurm import cluster


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration folder other than the machine's, as if Slurm were installed."""
    monkeypatch.setattr(cluster, "CONFIGURATION", tmp_path / "etc")
    monkeypatch.setattr(cluster, "STATE", tmp_path / "state")
    monkeypatch.setattr(cluster, "_PROGRAMS", ())
    monkeypatch.setattr("os.geteuid", lambda: 0)
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc"


@pytest.mark.parametrize("name", ["slurm.conf", "gres.conf", "slurmdbd.conf"])
def test_a_configuration_of_another_slurm_is_refused_and_stays(installed: Path, name: str) -> None:
    (installed / name).write_text("ClusterName=production\n")
    with pytest.raises(cluster.ClusterError, match=f"{name} belongs to another Slurm"):
        cluster.up()
    cluster.down()
    assert (installed / name).read_text() == "ClusterName=production\n"


def test_its_own_configuration_is_no_obstacle_and_goes_with_the_cluster(installed: Path) -> None:
    (installed / "slurm.conf").write_text(f"{cluster.MARK}\n")
    assert cluster.obstacle() == ""
    cluster.down()
    assert not (installed / "slurm.conf").exists()


def test_a_process_with_the_id_of_one_that_was_started_is_not_ended(installed: Path) -> None:
    """Ids come again: this test's own stands in for a stranger's."""
    cluster.STATE.mkdir()
    (cluster.STATE / "started").write_text(json.dumps(["slurmd", os.getpid(), "1"]) + "\n")
    cluster.down()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(cluster, "_PROGRAMS", ("no-such-program",))
    assert "no-such-program missing" in cluster.obstacle()
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert cluster.obstacle() == "starting a Slurm needs root"


def test_who_is_not_root_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    for command, what in (("up", "starting"), ("down", "ending")):
        outcome = CliRunner().invoke(cluster.commands, [command])
        assert (outcome.exit_code, outcome.output) == (1, f"Error: {what} a Slurm needs root\n")
