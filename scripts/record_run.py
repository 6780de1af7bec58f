"""Record what a run's results stand on: settings, constitutions and versions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ethos.constitution import load_constitution
from ethos.run_record import write_record
from ethos.script import READABLE, WRITABLE, run, settings_option
from ethos.settings import Settings


@click.command()
@settings_option(Settings)
@click.argument("constitutions", nargs=-1, required=True, type=READABLE, metavar="CONSTITUTION...")
@click.option("--record", type=WRITABLE, required=True, help="Written: settings, constitutions and versions, JSON.")
def main(settings: Settings, constitutions: Sequence[Path], record: Path) -> None:
    """Record what a run's results stand on: settings, CONSTITUTIONs (YAML) and versions."""
    write_record(record, settings, [load_constitution(path) for path in constitutions])


if __name__ == "__main__":
    run(main)
