"""The archive's description for other programs: a Workflow Run RO-Crate.

RO-Crate 1.1 with the profile Workflow Run Crate 0.5: Leo et al. (2024), doi:10.1371/journal.pone.0309210.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from mimetypes import guess_type
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from ethos.archive import MANIFEST, SETTINGS
from ethos.errors import BadInput

_LICENSE = "https://spdx.org/licenses/Apache-2.0"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
_WORKFLOW = "Snakefile"
# The context of RO-Crate 1.1 has no word for it; this is that of the profile.
_SHA256 = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".safetensors": "application/octet-stream",
    ".jsonl": "application/jsonl",
    ".yaml": "application/yaml",
    ".md": "text/markdown",
}


@dataclass(frozen=True)
class Run:
    """What a crate says of a run. began, ended: seconds since 1970. versions: of ethos and snakemake."""

    name: str
    constitutions: tuple[str, ...]
    command: str
    began: float
    ended: float
    versions: Mapping[str, str]


def crate_metadata(run: Run, files: Mapping[str, str]) -> bytes:
    """The crate's metadata. files: SHA-256 by name, of all but the manifest and these metadata."""
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms |= _SHA256
    workflow = crate.add_workflow(
        dest_path=_WORKFLOW, main=True, lang="snakemake", properties=_facts(_WORKFLOW, files[_WORKFLOW])
    )
    license_ = crate.add(ContextEntity(crate, _LICENSE, {"@type": "CreativeWork", "name": "Apache License 2.0"}))
    workflow["version"], workflow["license"] = run.versions["ethos"], license_
    workflow.lang["version"] = run.versions["snakemake"]
    entities = {
        name: crate.add_file(dest_path=name, properties=_facts(name, sha256))
        for name, sha256 in sorted(files.items())
        if name != _WORKFLOW
    }
    crate.add_file(dest_path=MANIFEST, properties={"name": MANIFEST, "description": "SHA-256 of every other file"})
    report = f"results/{run.name}/report"
    inputs = {"settings": [SETTINGS], "constitution": [f"constitutions/{name}.yaml" for name in run.constitutions]}
    outputs = {"metrics": [f"{report}/metrics.csv"], "report": [f"{report}/index.html"]}
    for place, parameters in (("input", inputs), ("output", outputs)):
        for parameter, names in parameters.items():
            formal = crate.add_formal_parameter(parameter, "File", identifier=f"#{parameter}", valueRequired=True)
            workflow.append_to(place, formal)
            for name in names:
                formal.append_to("workExample", entities[name], compact=True)
                entities[name]["exampleOfWork"] = formal
    action = crate.add_action(
        workflow,
        identifier="#run",
        object=[entities[name] for names in inputs.values() for name in names],
        result=[entity for name, entity in entities.items() if name.startswith("results/")],
        properties={
            "name": f"Ethos, run {run.name}",
            "description": run.command,
            "startTime": _time(run.began),
            "endTime": _time(run.ended),
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    )
    root = crate.root_dataset
    root["name"] = f"Ethos, run {run.name}"
    root["description"] = (
        "A run of Ethos, laid out like a checkout: what made it, its settings, results, logs, and the entries of its "
        "store. docs/archive.md says how to check it and how to make it again."
    )
    root["license"], root["datePublished"], root["mentions"] = license_, _time(run.ended), action
    root["conformsTo"] = [_profile(crate, address, name) for address, name in _PROFILES.items()]
    return (json.dumps(crate.metadata.generate(), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _facts(name: str, sha256: str) -> dict[str, Any]:
    suffix = PurePosixPath(name).suffix
    kind = _TYPES.get(suffix) or guess_type(name, strict=True)[0] or "text/plain"
    return {"name": name, "sha256": sha256, "encodingFormat": kind}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def _profile(crate: ROCrate, address: str, name: str) -> ContextEntity:
    facts = {"@type": "CreativeWork", "name": name, "version": address.rpartition("/")[2]}
    return crate.add(ContextEntity(crate, address, properties=facts))


def files_of_crate(metadata: bytes) -> dict[str, str | None]:
    """The files that a crate's metadata name, with their SHA-256 where they tell it. Raises BadInput for no metadata."""
    try:
        crate = ROCrate(json.loads(metadata))
        workflow = crate.mainEntity
        if workflow is None or workflow.id != _WORKFLOW:
            raise ValueError(f"the main entity is not {_WORKFLOW}")
        return {unquote(entity.id): entity.get("sha256") for entity in crate.data_entities}
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise BadInput(f"is no description of a crate ({error})", path="ro-crate-metadata.json") from None
