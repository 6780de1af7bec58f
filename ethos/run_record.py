"""What a run was made of (`results/{run}/run.json`), kept beside its results so that commands need no settings file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ethos.constitution import Constitution
from ethos.errors import BadInput
from ethos.files import read_json, write_json
from ethos.report import versions
from ethos.settings import Settings
from ethos.yaml_file import parse_value


@dataclass(frozen=True)
class RunRecord:
    """constitutions: as they were, by name. versions: of what made the results."""

    settings: Settings
    constitutions: dict[str, Constitution]
    versions: dict[str, str]


def write_record(path: Path, settings: Settings, constitutions: Sequence[Constitution]) -> None:
    """Write what the results stand on: settings of execution and descriptions change none and are left out."""
    write_json(
        path,
        {
            "settings": settings.model_dump(mode="json", exclude={"execution"}),
            "constitutions": {each.name: _without_description(each) for each in constitutions},
            "versions": versions(),
        },
    )


def read_record(path: Path) -> RunRecord:
    """Raises BadInput when it was written by a version whose settings differ, or is damaged."""
    stored = read_json(path)

    def error_at(message: str, location: Sequence[str | int]) -> BadInput:
        hint = "; run snakemake again, which writes it anew"
        return BadInput(message + hint, path=path, field=".".join(map(str, location)))

    try:
        settings = parse_value(Settings, stored["settings"], error_at)
        constitutions = {
            name: parse_value(Constitution, {"description": name, **said}, error_at)
            for name, said in stored["constitutions"].items()
        }
        return RunRecord(settings, constitutions, dict(stored["versions"]))
    except (KeyError, TypeError, AttributeError):
        raise BadInput("is no record of a run; run snakemake again, which writes it anew", path=path) from None


def _without_description(constitution: Constitution) -> dict[str, Any]:
    return {name: value for name, value in constitution.canonical().items() if name != "description"}
