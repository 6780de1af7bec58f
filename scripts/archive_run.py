"""Pack a run into one archive: what made it, what it made, and the part of the store that it stands on."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import click
import yaml
from pyarrow.parquet import read_table as read_parquet

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
from ethos.execution import execution, store_folder
from ethos.files import read_json, whole_file
from ethos.ledger import model_line
from ethos.machines import MACHINES, rounding
from ethos.provenance import changes, commit, software, source_files
from ethos.redaction import Redaction
from ethos.run_status import commands_path
from ethos.script import WRITABLE, run, settings_option
from ethos.settings import Settings
from ethos.store import MODELS as PREPARED
from ethos.store_books import needed_entries
from ethos.store_excerpt import excerpt

# Where curves are followed live (ethos.tracking), which `history.json` tells again.
_CURVES = {"tensorboard", "wandb"}


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
    kept = {f"{STORE}/{name}": path for name, path in excerpt(store_folder(), needed, scratch).items()}
    computed_on = [read_json(path) for name, path in sorted(kept.items()) if name.startswith(f"{STORE}/{MACHINES}/")]
    files: dict[str, Content] = {
        SETTINGS: yaml.safe_dump(meant, sort_keys=False, allow_unicode=True, width=100).encode(),
        MODELS: _json({name: {**identity, "included": False} for name, identity in identities.items()}),
        MACHINE: _json({"computed_on": computed_on, "software": software(), "execution": rounding(execution())}),
        COMMIT: _json(commit(Path())),
        CHANGES: changes(Path()),
        COMMAND: _commands(settings.run).encode(),
    }
    made = [results, Path("logs") / settings.run, Path("benchmarks") / settings.run]
    read = dict.fromkeys([*settings.constitutions, *settings.drifted_to, *labelled_constitutions(settings)])
    names = [*source_files(Path()), *(f"constitutions/{name}.yaml" for name in read)]
    files |= {name: Path(name) for name in names}
    extra = zip(_message_files(settings), settings.questions.extra, strict=True)
    files |= {name: source.file for name, source in extra if source.file}
    files |= {path.as_posix(): path for folder in made for path in _made_in(folder)}
    files |= kept
    # Where these settings will look for it, so that answers can be had from the store without the model.
    files |= {
        f"{STORE}/{PREPARED}/{there.models[name].folder(name)}/identity.json": _json(identity)
        for name, identity in identities.items()
    }
    return files


def _commands(run: str) -> str:
    """The commands that made the run, a line each; the last one archives it."""
    noted = commands_path(run)
    return noted.read_text(encoding="utf-8") if noted.is_file() else "python scripts/archive_run.py\n"


def _made_in(folder: Path) -> list[Path]:
    """The files of a run, whichever rule made them; archives, their logs and curves are left out, and what a killed job left."""
    left_out = _CURVES if folder.parts[0] == "logs" else set()
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.name.startswith(".")
        and path.stem != "archive_run"
        and path.relative_to(folder).parts[0] != "archive"
        and not left_out & {*path.relative_to(folder).parts}
    ]


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def without_secrets(files: Mapping[str, Content], redaction: Redaction) -> dict[str, Content]:
    """The files with what only people read cleaned. Raises BadInput for a secret where nothing may be changed."""
    return {name: _without_secrets(name, content, redaction) for name, content in files.items()}


def _without_secrets(name: str, content: Content, redaction: Redaction) -> Content:
    path = PurePosixPath(name)
    room = path.parts[0]
    if path.suffix == ".safetensors":
        return content  # numbers alone
    data = content if isinstance(content, bytes) else content.read_bytes()
    if room in ("logs", "benchmarks", COMMAND):
        return redaction.clean_log(data.decode(errors="replace")).encode()
    is_page = room == "results" and not is_reproducible(name) and b"\0" not in data  # git tells text from bytes so
    if name == CHANGES or is_page:
        return redaction.clean(data.decode(errors="replace")).encode()
    text = _cells(data) if path.suffix == ".parquet" else data.decode(errors="replace")
    # A model may write what looks like a token.
    if secret := redaction.secret_in(text, tokens=room not in ("results", STORE)):
        raise BadInput(f"holds {secret}; take it out, and make it invalid where it gives access", path=name)
    return content


def _cells(parquet: bytes) -> str:
    """All that a table says, which in the file is compressed."""
    table = read_parquet(BytesIO(parquet))
    return f"{table.schema.metadata} {json.dumps(table.to_pylist(), ensure_ascii=False, default=str)}"


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
