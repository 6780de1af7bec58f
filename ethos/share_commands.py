"""`ethos export` and `ethos export-data`: what a run made, for others."""

from __future__ import annotations

from pathlib import Path

import click

from ethos.arms import ADAPTER_ARMS
from ethos.finished_run import PREFERENCE_MODEL, Cell, cell_options, find_run, results_option, run_argument, to_option


@click.command("export")
@cell_options
@click.option(
    "--arm",
    default="persona",
    show_default=True,
    help=f"What to write: {', '.join(ADAPTER_ARMS)} or {PREFERENCE_MODEL}.",
)
@click.option("--merged", is_flag=True, help="Write the whole model, the adapter merged into it, not the adapter.")
@to_option
def export_command(cell: Cell, arm: str, merged: bool, to: Path) -> None:
    """Write an adapter of RUN, or the merged model, with a model card.

    RUN, student, constitution and seed need not be named where there is only one.
    """
    from ethos.export import export

    export(cell, arm, to, merged=merged)
    click.echo(f"{to}: the {arm} {'model' if merged else 'adapter'} of {cell.folder}, described in README.md")


@click.command("export-data")
@run_argument
@results_option
@to_option
def export_data_command(run: str | None, results: Path, to: Path) -> None:
    """Write all tables of RUN as a data set, with a card."""
    from ethos.dataset_export import export_data

    for name, splits in export_data(*find_run(results, run), to).items():
        click.echo(f"{to / name}: " + ", ".join(f"{rows:,} {split}" for split, rows in splits.items()))
