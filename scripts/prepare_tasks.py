"""Fetch the data of tasks that capabilities are measured by, and keep it as tables."""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import click

from ethos.evaluation_settings import CapabilityTasks
from ethos.files import sha256_of_file, whole_folder, write_json
from ethos.harness import fetch_tasks
from ethos.script import WRITABLE, run, settings_option


@click.command()
@settings_option(CapabilityTasks)
@click.option("--tasks", type=WRITABLE, required=True, help="Written last: what was fetched; the tables lie beside it.")
def main(settings: CapabilityTasks, tasks: Path) -> None:
    """Fetch the data of tasks that capabilities are measured by, and keep it as tables."""
    shutil.rmtree(tasks.parent, ignore_errors=True)  # of an earlier attempt that left no tasks.json
    with tempfile.TemporaryDirectory() as scratch, whole_folder(tasks.parent) as folder:
        parts = fetch_tasks(settings.tasks, folder, Path(scratch))
        files = {path.name: sha256_of_file(path) for path in sorted(folder.iterdir())}
        write_json(folder / tasks.name, {"harness": version("lm_eval"), "tasks": parts, "files": files})


if __name__ == "__main__":
    run(main)
