"""A finished run as the commands for people find it: its student, constitution and seed, its adapters, its base model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from ethos.arms import ADAPTER_ARMS
from ethos.constitution import Constitution, load_constitution
from ethos.errors import BadInput
from ethos.execution import store_folder
from ethos.files import read_json
from ethos.ledger import read_ledger
from ethos.run_record import RunRecord, read_record
from ethos.run_results import CellResults, read_cells
from ethos.settings import ModelSource, Settings
from ethos.steering import STEERING_VECTOR, SteeringVector, read_steering_vector

PREFERENCE_MODEL = "preference_model"


@dataclass(frozen=True)
class Cell:
    """One student with one constitution and one seed of a finished run. results: `results/{run}`."""

    results: Path
    store: Path
    record: RunRecord
    student: str
    constitution_name: str
    seed: int

    @property
    def settings(self) -> Settings:
        return self.record.settings

    @property
    def source(self) -> ModelSource:
        """Where the student comes from."""
        return self.settings.models[self.student]

    @property
    def constitution(self) -> Constitution:
        """What the run was given; the description, which trains nothing, as `constitutions/` has it now."""
        recorded = self.record.constitutions[self.constitution_name]
        path = Path("constitutions") / f"{self.constitution_name}.yaml"
        if not path.is_file():
            return recorded
        return recorded.model_copy(update={"description": load_constitution(path).description})

    @property
    def folder(self) -> Path:
        return self.results / self.student / self.constitution_name / f"seed{self.seed}"

    def adapter(self, arm: str) -> Path:
        """The PEFT folder of an arm. Raises BadInput where the run has none."""
        known = [
            name
            for name in (*ADAPTER_ARMS, PREFERENCE_MODEL)
            if (self.folder / name / "adapter_model.safetensors").is_file()
        ]
        if arm not in known:
            raise BadInput(f"no arm {arm!r} with an adapter; there is: {_listed(known)}", path=self.folder)
        return self.folder / arm

    def steering_vector(self, arm: str) -> SteeringVector:
        """The vector of an arm. Raises BadInput where the run has none."""
        path = self.folder / arm / STEERING_VECTOR
        if not path.is_file():
            raise BadInput("does not exist; the run was made without it, so run snakemake again", path=path)
        return read_steering_vector(path)

    def base(self) -> Path:
        """The folder of the prepared student. Raises BadInput when the store has it no more."""
        ledger = self.folder / "used" / "train_distilled.txt"
        names = [line.removeprefix("model ") for line in sorted(read_ledger(ledger)) if line.startswith("model ")]
        folders = [folder for name in names if (folder := self.store / "models" / name).is_dir()]
        if not folders:
            raise BadInput(
                f"has no prepared model {_listed(names)}; name the run's store with --store, or run snakemake again",
                path=self.store,
            )
        return folders[0]

    def numbers(self) -> CellResults:
        """Counts and metrics of this seed."""
        only = {"students": [self.student], "constitutions": [self.constitution_name], "seeds": [self.seed]}
        return read_cells(self.results, self.settings.model_copy(update=only))[0]


def base_facts(folder: Path) -> dict[str, Any]:
    """What `identity.json` says of a prepared model."""
    return read_json(folder / "identity.json")


def find_run(results: Path, run: str | None) -> tuple[Path, RunRecord]:
    """The folder and the record of a run; of the only one when none is named."""
    known = sorted(path.parent.name for path in results.glob("*/run.json"))
    name = _chosen("run", run, known, results, "as the first argument")
    return results / name, read_record(results / name / "run.json")


def find_cell(
    results: Path, store: Path, run: str | None, student: str | None, constitution: str | None, seed: int | None
) -> Cell:
    """The part of a run that was asked for; what there is only one of need not be named."""
    folder, record = find_run(results, run)
    settings = record.settings
    return Cell(
        folder,
        store,
        record,
        _chosen("student", student, settings.students, folder, "with --student"),
        _chosen("constitution", constitution, settings.constitutions, folder, "with --constitution"),
        _chosen("seed", seed, settings.seeds, folder, "with --seed"),
    )


def _chosen(kind: str, given: Any, known: Sequence[Any], place: Path, how: str) -> Any:
    if not known:
        raise BadInput(f"holds no finished {kind}; run snakemake to its end", path=place)
    if given is None and len(known) == 1:
        return known[0]
    if given is None:
        raise BadInput(f"holds several {kind}s; name one {how}: {_listed(known)}", path=place)
    if given not in known:
        raise BadInput(f"no {kind} {given!r}; there is: {_listed(known)}", path=place)
    return given


def _listed(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names)) or "none"


run_argument = click.argument("run", metavar="[RUN]", required=False)
results_option = click.option(
    "--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True, help="Folder of all runs."
)
to_option = click.option(
    "--to", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="Written: a new or empty folder."
)


def cell_options(command: Callable) -> Callable:
    """The argument and the options that name a part of a run; the command is given it as `cell`."""

    @wraps(command)
    def with_cell(*, results, store, run, student, constitution, seed, **options):
        return command(cell=find_cell(results, store, run, student, constitution, seed), **options)

    for option in (
        click.option("--store", type=click.Path(path_type=Path), default=store_folder, help="Folder of the store."),
        results_option,
        click.option("--seed", type=int, help="Seed that it was trained with; needed where the run has several."),
        click.option("--constitution", help="Needed where the run has several."),
        click.option("--student", help="Needed where the run has several."),
        run_argument,
    ):
        with_cell = option(with_cell)
    return with_cell


def refuse_filled(folder: Path) -> None:
    """Raise BadInput for a place that holds something."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise BadInput("is there already; name a new or empty folder", path=folder)
