"""The `ethos` command, for people."""

from __future__ import annotations

import warnings
from pathlib import Path

import click

from ethos.archive_commands import reproduce_command, verify_command
from ethos.chat_command import chat_command
from ethos.constitution_commands import import_command, lint_command, new_command
from ethos.errors import BadInput, one_line_errors
from ethos.plan_command import plan_command
from ethos.share_commands import export_command, export_data_command
from ethos.store_command import store


@click.group()
@click.version_option(package_name="ethos")
def commands() -> None:
    """Character training: from a constitution to a trained persona."""
    # As for scripts: a user can do nothing about what libraries plan.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")


for command in (
    new_command,
    import_command,
    lint_command,
    plan_command,
    chat_command,
    export_command,
    export_data_command,
    store,
    verify_command,
    reproduce_command,
):
    commands.add_command(command)


@commands.command()
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("docs"), show_default=True, help="Where to write them."
)
def docs(folder: Path) -> None:
    """Write the settings' schema (config.schema.json) and documentation (config.md)."""
    from ethos.settings_docs import write_docs

    for path in write_docs(folder):
        click.echo(path)


@commands.command()
@click.argument("run_name", metavar="RUN")
def times(run_name: str) -> None:
    """Print the wall time and peak memory of each stage of RUN."""
    from ethos.times import stage_times, times_table

    stages = stage_times(Path("benchmarks"), run_name)
    if not stages:
        raise BadInput(f"no benchmarks of a run named {run_name!r}; run snakemake first", path="benchmarks")
    click.echo(times_table(stages))


@commands.command()
@click.argument("run_name", metavar="RUN")
def status(run_name: str) -> None:
    """Print what of RUN is done, what is under way, and its GPU-hours so far."""
    from ethos.run_status import run_status, status_table

    click.echo(status_table(run_status(run_name)))


@commands.command()
@click.option("--since", "commit", default="HEAD", show_default=True, help="The commit whose behaviour the code has.")
def accept(commit: str) -> None:
    """After a refactor that changes nothing: keep results and store as they are."""
    from ethos.accept import accept

    for file in (files := accept(commit)):
        click.echo(f"as at {commit}: {file}")
    click.echo("Commit ethos/accepted.json with the refactor." if files else f"No code differs from {commit}.")


main = one_line_errors(commands)
