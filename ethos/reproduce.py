"""Makes an archived run again in a fresh folder, from the archived sources, and compares.

It runs the code of the archive.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ethos.archive import MACHINE, MODELS, SETTINGS, STORE, Manifest, Member, opened
from ethos.compare import Agreement, compare_metrics, first_difference
from ethos.errors import BadInput
from ethos.execution import COMMAND_VARIABLE, VARIABLE
from ethos.files import canonical_json, read_json
from ethos.machines import MACHINES
from ethos.models import check_model_folder, content_identity
from ethos.provenance import software
from ethos.verify import check_archive, read_manifest

# The store knows answers and trainings by these; with others it would find none.
_LIBRARIES = ("torch", "transformers", "trl", "peft")
_RUN = "run.yaml"  # the archived settings, with how the work is done here


@dataclass(frozen=True)
class Outcome:
    """differs: the first artifact that is not as archived. agreement: of the metrics, where something differs.

    same_class: whether bytes should be equal, as all was computed by the embedded engine, on CPUs of one kind, with the same
    packages and settings of execution.
    """

    manifest: Manifest
    differs: str | None
    agreement: Agreement | None
    same_class: bool


def reproduce(
    path: Path,
    folder: Path,
    models: Mapping[str, Path],
    *,
    from_scratch: bool,
    given: Mapping[str, Any],
    profile: str,
) -> Outcome:
    """Make the run of an archive again in a folder that is made here.

    models: folders of models by name; what the archive names as a local folder must be among them where answers are
    asked for anew. from_scratch: leave out the archived answers and trainings. given: settings of execution, in place of
    the archived ones. profile: Snakemake's; empty to run here.

    Raises BadInput for a damaged archive, for a model that is another or missing, for a folder that is there, and when
    the run fails.
    """
    from snakemake.utils import update_config  # slow to import

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput("is there already; name a fresh folder with --folder", path=folder)
    if findings := check_archive(path):
        raise BadInput(f"{findings[0]}; `ethos verify {path}` lists all that is wrong", path=path)
    with zipfile.ZipFile(path) as archive:
        manifest = read_manifest(archive)
        settings = yaml.safe_load(archive.read(SETTINGS))
        machine, identities = json.loads(archive.read(MACHINE)), json.loads(archive.read(MODELS))
        used = {name: settings["models"][name] for name in identities}
        execution = machine["execution"]
        if not from_scratch:
            execution["device"] = "auto"  # a replay needs no GPU
        update_config(execution, given)
        _check_models(used, identities, models, needed=from_scratch)
        if from_scratch:
            _check_vllm(used, execution)
        else:
            _check_libraries(machine["software"])
        for name in manifest.files:
            if _is_laid_out(name, from_scratch=from_scratch):
                _extract(Member(archive, name), folder / name)
        here = _as_here(settings, identities, execution, models)
        (folder / _RUN).write_text(yaml.safe_dump(here, sort_keys=False, allow_unicode=True), encoding="utf-8")
        _run(folder, profile)
        differs = first_difference(manifest.reproducible, folder)
        table = f"results/{manifest.run}/report/metrics.csv"
        agreement = None
        if differs is not None and (folder / table).is_file():
            confidence = settings["evaluation"]["confidence"]
            texts = archive.read(table).decode(), (folder / table).read_text(encoding="utf-8")
            agreement = compare_metrics(*texts, confidence=confidence)
    return Outcome(manifest, differs, agreement, is_of_class(machine, used, folder / STORE))


def _check_models(
    used: Mapping[str, Any], identities: Mapping[str, Any], models: Mapping[str, Path], *, needed: bool
) -> None:
    """Refuse a model that is not the archived one, and the lack of one that nobody else can have."""
    for name, folder in models.items():
        if name not in identities:
            raise BadInput(f"the archive has no model {name!r}; it has {', '.join(identities)}", field="--model")
        check_model_folder(folder, name=name)
        found, expected = content_identity(folder)["files"], identities[name]["files"]
        if canonical_json(found) != canonical_json(expected):
            other = min(file for file in found.keys() | expected.keys() if found.get(file) != expected.get(file))
            raise BadInput(f"is not the archived model {name!r}: {other} differs", path=folder, field="--model")
    for name in identities:
        if needed and name not in models and used[name]["source"].startswith("path:"):
            raise BadInput(
                f"{name!r} was a local folder, and archives hold no models; give it with --model {name}=FOLDER",
                field="--model",
            )


def _check_vllm(used: Mapping[str, Any], execution: Mapping[str, Any]) -> None:
    """Refuse models of vLLM without its Python, which a fresh folder has not."""
    served = [name for name in used if used[name]["engine"] == "vllm"]
    if served and not execution.get("vllm", {}).get("python"):
        raise BadInput(
            f"{served[0]!r} is computed by vLLM; name its Python in a file, `vllm: {{python: PATH}}`",
            field="--execution",
        )


def _check_libraries(archived: Mapping[str, str]) -> None:
    if other := _other_libraries(archived):
        told = ", ".join(other)
        raise BadInput(f"the archived answers are of {told}; install the archive's envs/ethos.lock", field="replay")


def _other_libraries(archived: Mapping[str, str]) -> list[str]:
    """The libraries of another version than here, with both versions."""
    here = software()
    return [
        f"{name} {archived.get(name)} (here {here.get(name)})"
        for name in _LIBRARIES
        if here.get(name) != archived.get(name)
    ]


def _is_laid_out(name: str, *, from_scratch: bool) -> bool:
    """Whether a file is there before the run is made again; what the run makes is not."""
    return name.split("/")[0] not in ("results", "logs", "benchmarks", *((STORE,) if from_scratch else ()))


def _extract(member: Member, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened(member) as source, open(path, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)


def _as_here(
    archived: Mapping[str, Any], identities: Mapping[str, Any], execution: Mapping[str, Any], given: Mapping[str, Path]
) -> dict[str, Any]:
    """The archived settings with the models that are given here, and with how the work was done.

    A given model is prepared from its folder, which checks its content once more.
    """
    sources = {
        name: {"source": f"path:{folder.absolute()}", "file": "", "sha256": identities[name]["content"]}
        for name, folder in given.items()
    }
    models = {name: model | sources.get(name, {}) for name, model in archived["models"].items()}
    return {**archived, "models": models, "execution": dict(execution)}


def _run(folder: Path, profile: str) -> None:
    """Run the archived workflow; its messages are this command's."""
    environment = {name: value for name, value in os.environ.items() if name not in (VARIABLE, COMMAND_VARIABLE)}
    environment["PYTHONPATH"] = str(folder.absolute())  # the archived modules, not those installed here
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    command = [sys.executable, "-m", "snakemake", "--quiet", "rules", "--configfile", _RUN]
    command += ["--profile", profile] if profile else []
    if code := subprocess.run(command, cwd=folder, env=environment).returncode:
        raise BadInput(f"the run failed (exit code {code}); what it said is above, its logs are in logs/", path=folder)


def is_of_class(machine: Mapping[str, Any], used: Mapping[str, Any], store: Path) -> bool:
    """Whether what computed the archived run, and what filled this store, should give the same bytes.

    used: the run's models, as its settings describe them.
    """
    archived, here = machine.get("computed_on", []), [read_json(path) for path in (store / MACHINES).glob("[!.]*.json")]
    return (
        all(model["engine"] == "transformers" and not model["source"].startswith("api:") for model in used.values())
        and all(facts["execution"]["device"] == "cpu" for facts in archived)
        and bool(archived and here)
        and len({_kind(facts) for facts in (*archived, *here)}) == 1
        and not _other_libraries(machine["software"])
    )


def _kind(facts: Mapping[str, Any]) -> str:
    """What last bits depend on, of a machine that computed. facts: as ethos.machines notes them."""
    hardware = facts["hardware"]
    return canonical_json([hardware["machine"], hardware["processor"], hardware.get("vectors"), facts["execution"]])
