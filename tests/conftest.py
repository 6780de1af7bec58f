"""What tests share: a tiny real model, and checkouts of the project in which Snakemake runs for real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
_SOURCES = (
    "Snakefile",
    "config.yaml",
    "config",
    "constitutions",
    "envs",
    "ethos",
    "profiles",
    "prompts",
    "report",
    "rules",
    "scripts",
    "slurm",
    "tasks",
)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny chat model, trained here in seconds."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    subprocess.run([sys.executable, ROOT / "tests" / "tiny_model.py", folder], check=True, capture_output=True)
    return folder


class Checkout:
    """A copy of the project in which Snakemake runs for real."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def new(cls, folder: Path, tiny_model: Path) -> Checkout:
        """The project's sources, with the tiny model where `config/test.yaml` expects it."""
        folder.mkdir(parents=True)
        for name in _SOURCES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, folder / name)
        shutil.copytree(tiny_model, folder / "build" / "tiny")
        return cls(folder)

    def copy(self, folder: Path, *without: str) -> Checkout:
        """Everything here, results included, in another folder; files and folders named in `without` are left out."""
        shutil.copytree(self.folder, folder, symlinks=True, ignore=shutil.ignore_patterns(*without))
        return Checkout(folder)

    def snakemake(self, *arguments: str, config: str = "config/test.yaml") -> subprocess.CompletedProcess[str]:
        """Run Snakemake here as a user would."""
        return subprocess.run(**self._command(*arguments, config=config), capture_output=True, text=True)

    def start_snakemake(self, *arguments: str, config: str = "config/test.yaml") -> subprocess.Popen[bytes]:
        """Start Snakemake here in a session of its own, and don't wait."""
        with open(self.folder / "snakemake.log", "ab") as log:
            return subprocess.Popen(
                **self._command(*arguments, config=config), stdout=log, stderr=log, start_new_session=True
            )

    def _command(self, *arguments: str, config: str) -> dict[str, Any]:
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        environment.pop("ETHOS_EXECUTION", None)
        command = ["snakemake", *arguments, "--configfile", config]
        return {"args": command, "cwd": self.folder, "env": environment}

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that stands in a file."""
        text = (self.folder / path).read_text()
        assert old in text
        (self.folder / path).write_text(text.replace(old, new))


def results_by_content(folder: Path) -> dict[str, bytes]:
    """Every table, adapter and count of a run."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted((folder / "results").rglob("*"))
        if path.suffix in (".parquet", ".safetensors", ".json", ".csv")
    }


@pytest.fixture
def checkout(tmp_path: Path, tiny_model: Path) -> Checkout:
    return Checkout.new(tmp_path / "ethos", tiny_model)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Checkout:
    """A checkout in which the whole test run has been made. Tests must leave it as it is."""
    checkout = Checkout.new(tmp_path_factory.mktemp("finished") / "ethos", tiny_model)
    outcome = checkout.snakemake()
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    return checkout


@pytest.fixture(scope="session")
def finished_pair(tmp_path_factory: pytest.TempPathFactory, finished: Checkout) -> Checkout:
    """The finished run with a second constitution, `candor`. Tests must leave it as it is."""
    checkout = finished.copy(tmp_path_factory.mktemp("finished_pair") / "ethos")
    checkout.edit("config/test.yaml", "[poeticism]", "[poeticism, candor]")
    outcome = checkout.snakemake()
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    return checkout
