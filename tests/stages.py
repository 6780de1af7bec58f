"""Stages run in this process, as `python scripts/STAGE.py` would, with a store of their own."""

from __future__ import annotations

import json
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from ethos.files import write_json
from ethos.ledger import _used
from ethos.models import content_identity
from ethos.script import with_ledger
from ethos.work import calls_by_stage


def prepare(model: Path, folder: Path, name: str, *, dtype: str = "float32") -> Path:
    """A model as `prepare_model` leaves it; returns its `identity.json`."""
    folder.mkdir(parents=True)
    for path in model.iterdir():
        (folder / path.name).symlink_to(path)
    facts = {"name": name, "dtype": dtype, "trust_remote_code": False}
    write_json(folder / "identity.json", {**content_identity(folder), **facts})
    return folder / "identity.json"


class Stages:
    """A folder with a store and results."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder, self.monkeypatch = folder, monkeypatch
        folder.mkdir()

    def run(self, stage: str, *options: object, written: tuple[str, ...], to: str = "") -> dict[str, Path]:
        """Run a stage. written: the options that name its results. to: stands before the names of these."""
        execution = {"store": str(self.folder / "store"), "threads": 1, "device": "cpu"}
        self.monkeypatch.setenv("ETHOS_EXECUTION", json.dumps(execution))
        _used.clear()  # of a process, which elsewhere is one job's
        results = {name: self.folder / f"{to}{name}" for name in (*written, "used")}
        given = [*options, *(part for name, path in results.items() for part in (f"--{name}", path))]
        main = with_ledger(import_module(f"scripts.{stage}").main)
        outcome = CliRunner().invoke(main, list(map(str, given)), catch_exceptions=False)
        assert outcome.exit_code == 0, outcome.output
        return results

    def calls(self) -> Counter[tuple[str, str]]:
        return calls_by_stage(self.folder / "store")
