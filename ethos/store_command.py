"""`ethos store`: what the store holds, whether it is sound, and dropping what no result needs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import click

from ethos.errors import BadInput
from ethos.execution import store_folder
from ethos.store_books import Amount, Row, check, drop, holdings, needed_entries

_MIB = 2**20


def _existing(context: click.Context, parameter: click.Parameter, folder: Path) -> Path:
    if not folder.is_dir():
        raise BadInput("no such folder; name the store with --store, or run the workflow first", path=folder)
    return folder


_store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=store_folder,
    callback=_existing,
    show_default="store",
    help="Folder of the store.",
)


@click.group(invoke_without_command=True)
@click.pass_context
def store(context: click.Context) -> None:
    """Look at the store, check it, drop what no result needs. Without a command: show."""
    if context.invoked_subcommand is None:
        context.invoke(show, store=_existing(context, None, store_folder()))


@store.command()
@_store_option
def show(store: Path) -> None:
    """Print entries and MiB by model and stage: answers, trainings, prepared models."""
    click.echo(table(holdings(store)))


@store.command("check")
@_store_option
def check_command(store: Path) -> None:
    """Verify every line of answers and the files of every training and prepared model. Exit code 1 on damage."""
    damage = 0
    for finding in check(store):
        click.echo(f"{finding.place}: {finding.what}")
        damage += finding.is_damage
    entries = sum(amount.entries for amount in holdings(store).values())
    click.echo(f"{store}: {entries:,} entries, {f'{damage} damaged' if damage else 'no damage'}")
    if damage:
        raise SystemExit(1)


@store.command("drop")
@_store_option
@click.option(
    "--results",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    default=["results"],
    show_default=True,
    help="Folder of results whose entries stay; repeat it for every folder that shares the store.",
)
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="DAYS",
    help="Leave alone what was written since: a job may be at it.",
)
@click.option("--yes", is_flag=True, help="Do it; otherwise only say what would go.")
def drop_command(store: Path, results: tuple[Path, ...], older_than: float, yes: bool) -> None:
    """Drop what no result needs, by the ledgers of the jobs (used/*.txt beside the results).

    Run it while no job runs. What was dropped wrongly is made again when it is needed.
    """
    gone = drop(store, needed_entries(results), before=time.time() - older_than * 24 * 3600, really=yes)
    if not gone:
        click.echo("Nothing to drop: results need all that is older.")
        return
    click.echo(table(gone))
    click.echo("Dropped." if yes else "This would go; --yes drops it.")


def table(books: Mapping[Row, Amount]) -> str:
    """The books for a terminal, with a line for each room of the store and for all."""
    lines = [("kept", "model", "stage", "entries", "MiB")]
    totals: dict[str, Amount] = {}
    for row, amount in sorted(books.items()):
        lines.append((*row, f"{amount.entries:,}", f"{amount.size / _MIB:,.1f}"))
        for room in (row.room, "store"):
            total = totals.setdefault(room, Amount())
            total.entries, total.size = total.entries + amount.entries, total.size + amount.size
    for room, total in sorted(totals.items(), key=lambda item: (item[0] == "store", item[0])):
        lines.append((room, "", "all", f"{total.entries:,}", f"{total.size / _MIB:,.1f}"))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 3 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
