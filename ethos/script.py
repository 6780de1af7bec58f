"""What the command of every script shares: option types, settings as JSON, logging, one-line errors."""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import click
from pydantic import BaseModel

from ethos.errors import one_line_errors
from ethos.execution import start_logging
from ethos.ledger import write_ledger
from ethos.shards import Shard
from ethos.work import job_of
from ethos.yaml_file import parse_value

READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)
WRITABLE = click.Path(dir_okay=False, path_type=Path)


def settings_option(model: type[BaseModel], name: str = "settings") -> Callable:
    """An option that takes a section of the settings as JSON; what is left out has its default."""

    def parse(context: click.Context, parameter: click.Parameter, value: str) -> BaseModel:
        try:
            return parse_value(model, json.loads(value))
        except json.JSONDecodeError as error:
            raise click.BadParameter(f"not JSON: {error}") from None

    text = f"{model.__name__} settings, JSON; see docs/config.md."
    return click.option(f"--{name.replace('_', '-')}", name, default="{}", callback=parse, help=text)


def scope_option(text: str) -> Callable:
    """An option for which traits a system prompt holds; `responses.scope` in the settings."""
    return click.option(
        "--scope", type=click.Choice(["trait", "constitution"]), default="constitution", show_default=True, help=text
    )


def shard_option(command: Callable) -> Callable:
    """An option for the shard of the stage that this job is; a part writes to the store, and no results."""

    def parse(context: click.Context, parameter: click.Parameter, value: str) -> Shard:
        try:
            return Shard.parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    text = "Answer only this share of the requests, as 2-of-3, and write to the store alone."
    return click.option("--shard", default="1-of-1", callback=parse, help=text)(command)


def metrics_options(written: str) -> Callable:
    """Options for the table of results of an evaluation: `seed`, `place` and `metrics`. written: what the table holds."""
    options = (
        click.option("--seed", type=int, default=0, show_default=True, help="Seed of the run."),
        click.option("--place", nargs=3, required=True, help="Run, student and constitution, for the table's columns."),
        click.option("--metrics", type=WRITABLE, required=True, help=f"Written: {written}, Parquet."),
    )

    def add(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def preference_model_options(command: Callable) -> Callable:
    """Options for the preference model and how it reads: `preference_model.precision` and `.max_tokens`."""
    for option in (
        click.option("--max-tokens", type=int, default=1024, show_default=True, help="Tokens that it reads of a text."),
        click.option(
            "--precision",
            type=click.Choice(["float32", "bfloat16"]),
            default="bfloat16",
            show_default=True,
            help="Precision of the preference model's frozen weights.",
        ),
        click.option(
            "--preference-model",
            type=READABLE,
            required=True,
            help="adapter_model.safetensors of the preference model.",
        ),
    ):
        command = option(command)
    return command


def with_ledger(command: click.Command) -> click.Command:
    """The command with an option for the file that names what it used; written when all else ended well."""
    work = command.callback

    @wraps(work)
    def work_and_tell(used: Path | None, **options) -> None:
        if used is None:
            work(**options)
            return
        with job_of(used):
            work(**options)
            write_ledger(used)

    text = "Written: the store entries that this job used, as lines of text."
    option = click.Option(["--used"], type=WRITABLE, help=text)
    return click.Command(command.name, params=[*command.params, option], callback=work_and_tell, help=command.help)


def run(command: click.Command) -> None:
    """Run a script's command: logs to standard error, bad input in one line, an option to say what was used."""
    # What libraries make as they are imported stays. Looking through it for garbage, then and again at the end, was a
    # third of the time of a short job.
    gc.set_threshold(100_000, 50, 100)
    atexit.register(gc.freeze)
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # trainers tell the Hub that they are used
    start_logging()
    # As Ctrl-C does: what is under way ends in order, and goes on record. Slurm sends it some time before it kills.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # Libraries announce their plans to whoever runs them; a user of a pipeline can do nothing about those.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")
    one_line_errors(with_ledger(command))()
