"""`ethos chat`: talk to a run's arms, side by side in a terminal or through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing, suppress
from importlib import import_module
from itertools import zip_longest
from typing import TYPE_CHECKING

import click

from ethos.arms import ADAPTER_ARMS, ARM_FILES, ARMS
from ethos.character import character_prompt
from ethos.engine import Sampling
from ethos.errors import BadInput
from ethos.finished_run import Cell, base_facts, cell_options
from ethos.steering import STEERING_VECTOR

if TYPE_CHECKING:
    from rich.console import Console

    from ethos.chat import Voices

_NARROWEST = 36  # characters of a column that can still be read
_COMMANDS = "/reset forgets the conversation, /seed N samples otherwise, /quit ends; Ctrl-C stops an answer"


@click.command("chat")
@cell_options
@click.option(
    "--arm",
    "arms",
    type=click.Choice(ARMS),
    multiple=True,
    default=("base", "persona"),
    show_default=True,
    help="Who answers; repeat it for several.",
)
@click.option(
    "--system", default="", metavar="TEXT", help="System prompt for all arms, after the character of `prompted`."
)
@click.option("--temperature", type=click.FloatRange(min=0), help="0 is greedy.  [default: as in the evaluation]")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer.  [default: as in the evaluation]")
def chat_command(
    cell: Cell, arms: tuple[str, ...], system: str, temperature: float | None, max_tokens: int | None
) -> None:
    """Talk to the arms of RUN: the same question to each, answers as they are written.

    Through a pipe each line is a question. RUN, student, constitution and seed need not be named where there is only one.
    """
    given = {"temperature": temperature, "max_new_tokens": max_tokens}
    changes = {name: value for name, value in given.items() if value is not None}
    arms = tuple(dict.fromkeys(arms))
    voices = _load(cell, arms, system, cell.settings.evaluation.sampling.model_copy(update=changes))
    if sys.stdin.isatty() and sys.stdout.isatty():
        _converse(voices)
    else:
        for line in sys.stdin:
            _take(voices, line.strip(), lambda question: _print_plainly(voices, question))


def _load(cell: Cell, arms: tuple[str, ...], system: str, sampling: Sampling) -> Voices:
    adapters = {arm: cell.adapter(arm) for arm in arms if arm in ADAPTER_ARMS}
    steering = {arm: cell.steering_vector(arm) for arm in arms if ARM_FILES.get(arm) == STEERING_VECTOR}
    base = cell.base()
    from ethos.chat import Voices  # loads torch; a mistake in the options should be told at once
    from ethos.execution import device

    constitution = cell.constitution
    character = character_prompt(constitution, constitution.traits[0].id, "constitution")
    systems = {arm: "\n\n".join(filter(None, (character if arm == "prompted" else "", system))) for arm in arms}
    return Voices(base, base_facts(base), systems, adapters, steering=steering, sampling=sampling, device=device())


def _take(voices: Voices, line: str, ask: Callable[[str], None]) -> bool:
    """Do what a line says. Returns whether to go on. Raises BadInput for a command that is none."""
    if line == "/quit":
        return False
    if line == "/reset":
        voices.reset()
    elif line.startswith("/seed"):
        number = line.removeprefix("/seed").strip()
        if not number.isdecimal():
            raise BadInput(f"is {voices.seed}; another one is set by a number, /seed 1", field="/seed")
        voices.seed = int(number)
    elif line.startswith("/"):
        raise BadInput(f"is no command; {_COMMANDS}", field=line.split()[0])
    elif line:
        ask(line)
    return True


def _print_plainly(voices: Voices, question: str, heading: Callable[[str], None] = click.echo) -> None:
    """One arm's answer below the other's, as they are written."""
    for arm in voices.arms:
        heading(f"{arm}:")
        written = ""

        def show(text: str) -> None:
            nonlocal written
            sys.stdout.write(text[len(written) :])
            sys.stdout.flush()
            written = text

        _listen(voices, arm, question, show)
        click.echo("\n")


def _listen(voices: Voices, arm: str, question: str, show: Callable[[str], None]) -> None:
    """Show an arm's answer as it grows. In a terminal, Ctrl-C stops it, and the next arm has its turn."""
    from ethos.chat import printable

    try:
        with closing(voices.answer(arm, question)) as answer:
            for text in answer:
                show(printable(text))
    except KeyboardInterrupt:
        if not sys.stdin.isatty():
            raise


# In a terminal


def _converse(voices: Voices) -> None:
    with suppress(ImportError):
        import_module("readline")  # input() then knows the arrow keys
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(f"{', '.join(voices.arms)}. {_COMMANDS}.", style="dim")
    while True:
        try:
            line = input("\nyou: ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            console.print()
            return
        try:
            if not _take(voices, line, lambda question: _show(console, voices, question)):
                return
        except BadInput as error:
            console.print(str(error), style="dim")


def _show(console: Console, voices: Voices, question: str) -> None:
    console.print()
    width = console.width // len(voices.arms)
    if len(voices.arms) == 1 or width < _NARROWEST:
        _print_plainly(voices, question, heading=lambda text: console.print(text, style="bold"))
        return
    _show_in_columns(console, voices, question, width)


def _show_in_columns(console: Console, voices: Voices, question: str, width: int) -> None:
    """Answers side by side; while they are written, the last lines that fit."""
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    texts = dict.fromkeys(voices.arms, "")

    def columns(most: int | None) -> Table:
        table = Table(*voices.arms, box=None, expand=True, padding=(0, 2, 0, 0), header_style="bold")
        lines = [Text(text).wrap(console, width - 2)[-(most or 0) :] for text in texts.values()]
        for row in zip_longest(*lines, fillvalue=Text()):
            table.add_row(*row)
        return table

    with Live(console=console, auto_refresh=False) as live:
        for arm in voices.arms:

            def show(text: str, arm: str = arm) -> None:
                texts[arm] = text
                live.update(columns(console.height - 2), refresh=True)

            _listen(voices, arm, question, show)
        live.update(columns(None), refresh=True)
