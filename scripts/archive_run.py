"""Pack a run into one archive: what made it, what it made, and the part of the store that it stands on."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import click
import yaml

import ethos
from ethos.archive import (
    CHANGES,
    COMMAND,
    COMMIT,
    CRATE,
    MACHINE,
    MANIFEST,
    MESSAGES,
    MODELS,
    SETTINGS,
    STORE,
    Content,
    Manifest,
    hash_of,
    is_reproducible,
    write_zip,
)
from ethos.counts import labelled_constitutions
from ethos.crate import Run, crate_metadata
from ethos.errors import BadInput
from ethos.execution import COMMAND_VARIABLE, execution, store_folder
from ethos.files import read_json, whole_file
from ethos.ledger import model_line
from ethos.provenance import changes, commit, hardware, software, source_files
from ethos.redaction import Redaction
from ethos.script import WRITABLE, run, settings_option
from ethos.settings import Settings
from ethos.store import MODELS as PREPARED
from ethos.store_books import needed_entries
from ethos.store_excerpt import excerpt

_NO_TEXT = (".parquet", ".safetensors", ".png")
# Of how the work was done: what may round the last bits of a training.
_ROUNDING = {"batch_size", "training_batch_size", "threads", "device"}


def portable(settings: Settings, models: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The settings as they mean the same on another machine: without execution, and with no folder of this one.

    models: identities by name. A model of a folder here is expected in `models/NAME`, with the content it had, and the
    messages of a file where the archive has them.
    """
    value = settings.model_dump(mode="json", exclude={"execution"})
    for name, model in value["models"].items():
        if model["source"].startswith("path:"):
            model["source"] = f"path:models/{name}"
            if name in models:
                model["sha256"] = models[name]["content"]
    for number, name in enumerate(_message_files(settings)):
        if name:
            value["questions"]["extra"][number]["source"] = f"path:{name}"
    return value


def _message_files(settings: Settings) -> list[str]:
    """What the files of `questions.extra` are called in the archive; empty for messages of the Hub."""
    return [
        f"{MESSAGES}/{number}{source.file.suffix}" if source.file else ""
        for number, source in enumerate(settings.questions.extra)
    ]


def collect(settings: Settings, scratch: Path) -> dict[str, Content]:
    """All files of an archive but those that describe it, by their names in it, read in the current folder.

    scratch: a folder for files that are made here. Raises BadInput where the store lacks what the results stand on.
    """
    results = Path("results") / settings.run
    needed = needed_entries([results])
    folders = {name: store_folder() / PREPARED / model.folder(name) for name, model in settings.models.items()}
    identities = {
        name: read_json(folder / "identity.json") for name, folder in folders.items() if model_line(folder) in needed
    }
    meant = portable(settings, identities)
    there = Settings.model_validate(meant)
    how = {name: value for name, value in execution().model_dump(mode="json").items() if name in _ROUNDING}
    files: dict[str, Content] = {
        SETTINGS: yaml.safe_dump(meant, sort_keys=False, allow_unicode=True, width=100).encode(),
        MODELS: _json({name: {**identity, "included": False} for name, identity in identities.items()}),
        MACHINE: _json({"hardware": hardware(), "software": software(), "execution": how}),
        COMMIT: _json(commit(Path())),
        CHANGES: changes(Path()),
        COMMAND: f"{os.environ.get(COMMAND_VARIABLE, 'python scripts/archive_run.py')}\n".encode(),
    }
    made = [results, Path("logs") / settings.run, Path("benchmarks") / settings.run]
    read = dict.fromkeys([*settings.constitutions, *settings.drifted_to, *labelled_constitutions(settings)])
    names = [*source_files(Path()), *(f"constitutions/{name}.yaml" for name in read)]
    files |= {name: Path(name) for name in names}
    extra = zip(_message_files(settings), settings.questions.extra, strict=True)
    files |= {name: source.file for name, source in extra if source.file}
    files |= {path.as_posix(): path for folder in made for path in _made_in(folder)}
    kept = excerpt(store_folder(), needed, scratch)
    files |= {f"{STORE}/{name}": path for name, path in kept.items()}
    # Where these settings will look for it, so that answers can be had from the store without the model.
    files |= {
        f"{STORE}/{PREPARED}/{there.models[name].folder(name)}/identity.json": _json(identity)
        for name, identity in identities.items()
    }
    return files


def _made_in(folder: Path) -> list[Path]:
    """The files of a run, whichever rule made them; archives and their logs are left out, and what a killed job left."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and path.stem != "archive_run"
        and path.relative_to(folder).parts[0] != "archive"
    ]


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def without_secrets(files: Mapping[str, Content], redaction: Redaction) -> dict[str, Content]:
    """The files with what only people read cleaned. Raises BadInput for a secret where nothing may be changed."""
    return {name: _without_secrets(name, content, redaction) for name, content in files.items()}


def _without_secrets(name: str, content: Content, redaction: Redaction) -> Content:
    path = PurePosixPath(name)
    if path.suffix in _NO_TEXT:
        return content
    text = (content if isinstance(content, bytes) else content.read_bytes()).decode(errors="replace")
    if path.parts[0] in ("logs", "benchmarks", COMMAND):
        return redaction.clean_log(text).encode()
    is_made = path.parts[0] in ("results", STORE)
    if name == CHANGES or (path.parts[0] == "results" and not is_reproducible(name)):
        return redaction.clean(text).encode()
    # A model may write what looks like a token.
    if secret := redaction.secret_in(text, tokens=not is_made):
        raise BadInput(f"holds {secret}; take it out, and make it invalid where it gives access", path=name)
    return content


def folders_here(settings: Settings) -> dict[Path, str]:
    """What an archive's texts say for the folders of this machine."""
    models = {
        Path(model.source.removeprefix("path:")).expanduser(): f"models/{name}"
        for name, model in settings.models.items()
        if model.source.startswith("path:")
    }
    return {
        **models,
        Path(): ".",
        store_folder(): STORE,
        Path(sys.prefix): "ENVIRONMENT",
        Path(tempfile.gettempdir()): "TMP",
        Path.home(): "~",
    }


def describe(settings: Settings, files: Mapping[str, Content]) -> dict[str, Content]:
    """The crate's metadata and the manifest of these files."""
    hashes = {name: hash_of(content) for name, content in files.items()}
    times = [path.stat().st_mtime for room in ("results", "benchmarks") for path in _made_in(Path(room) / settings.run)]
    about = Run(
        settings.run,
        tuple(settings.constitutions),
        files[COMMAND].decode().strip(),
        min(times),
        max(times),
        {"ethos": ethos.__version__, "snakemake": software()["snakemake"]},
    )
    crate = crate_metadata(about, hashes)
    manifest = Manifest.of(settings.run, {**hashes, CRATE: hash_of(crate)})
    return {CRATE: crate, MANIFEST: manifest.as_bytes()}


@click.command()
@settings_option(Settings)
@click.option("--archive", type=WRITABLE, required=True, help="Written: the archive, a zip.")
def main(settings: Settings, archive: Path) -> None:
    """Pack a run into one archive: what made it, what it made, and the part of the store that it stands on."""
    with tempfile.TemporaryDirectory() as scratch:
        files = without_secrets(collect(settings, Path(scratch)), Redaction(folders_here(settings)))
        files |= describe(settings, files)
        with whole_file(archive) as beside:
            write_zip(beside, files)
    manifest = Manifest.from_bytes(files[MANIFEST])
    click.echo(f"{archive}: {len(manifest.files)} files, content digest {manifest.digest}", err=True)


if __name__ == "__main__":
    run(main)
