"""A small archive, sound in all its parts, for tests that damage it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from ethos.archive import CRATE, MANIFEST, Content, Manifest, hash_of, write_zip
from ethos.crate import Run, crate_metadata

RUN = Run("small", ("candor",), "snakemake archive", 1.7e9, 1.7e9 + 60, {"ethos": "0.1.0", "snakemake": "9.27.1"})
ADAPTER = "results/small/tiny/candor/seed0/aligned"
CONFIG = json.dumps({"peft_type": "LORA", "r": 2, "rank_pattern": {}}).encode()


def weights(rank: int = 2, *, without: str = "") -> bytes:
    """An adapter of one module, as safetensors."""
    shapes = {"model.q_proj.lora_A.weight": (rank, 3), "model.q_proj.lora_B.weight": (4, rank)}
    return save({name: np.zeros(shape, np.float32) for name, shape in shapes.items() if name != without})


FILES: dict[str, Content] = {
    "Snakefile": b"rule all:\n    input: []\n",
    "settings.yaml": b"run: small\n",
    "models.json": b"{}\n",
    "constitutions/candor.yaml": b"name: candor\n",
    "results/small/report/metrics.csv": b"run,value\nsmall,1.0\n",
    "results/small/report/index.html": b"<!doctype html>\n",
    "results/small/tiny/candor/used/rank_responses.txt": b"model tiny-1\n",
    f"{ADAPTER}/adapter_model.safetensors": weights(),
    f"{ADAPTER}/adapter_config.json": CONFIG,
    "logs/small/write_report.log": b"done\n",
}


def described(files: Mapping[str, Content]) -> dict[str, Content]:
    """The files with the crate's metadata and the manifest of them."""
    hashes = {name: hash_of(content) for name, content in files.items()}
    crate = crate_metadata(RUN, hashes)
    manifest = Manifest.of(RUN.name, {**hashes, CRATE: hash_of(crate)})
    return {**files, CRATE: crate, MANIFEST: manifest.as_bytes()}


def small_archive(path: Path, **changed: bytes) -> Path:
    """A sound archive. changed: content of files by `name_of` their name, in place of that in FILES."""
    write_zip(path, described({name: changed.get(name_of(name), content) for name, content in FILES.items()}))
    return path


def name_of(file: str) -> str:
    return Path(file).name.replace(".", "_")


def entries(path: Path) -> list[tuple[zipfile.ZipInfo, bytes]]:
    """All entries of a zip, to be written by hand."""
    with zipfile.ZipFile(path) as archive:
        return [(entry, archive.read(entry)) for entry in archive.infolist()]


def write_by_hand(path: Path, content: list[tuple[zipfile.ZipInfo, bytes]]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in content:
            archive.writestr(entry, data)
