"""Take a trait, its text and its questions, out of a constitution."""

from __future__ import annotations

from pathlib import Path

import click
import pyarrow as pa
import pyarrow.compute as pc

from ethos.constitution import load_constitution
from ethos.constitution_text import constitution_text
from ethos.files import whole_file
from ethos.leave_out import without_trait
from ethos.script import READABLE, WRITABLE, run
from ethos.tables import QUESTIONS, read_table, write_table


def other_questions(questions: pa.Table, trait: str) -> pa.Table:
    """The questions of the other traits (tables.QUESTIONS), each in the split that it had.

    To draw the everyday questions anew would hand those of the trait to others, and train on some that were held out.
    """
    return questions.filter(pc.field("trait") != trait)


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The whole constitution, YAML.")
@click.option("--questions", type=READABLE, required=True, help="Its questions, Parquet.")
@click.option("--trait", required=True, help="Id of the trait that is left out.")
@click.option(
    "--constitution-without", type=WRITABLE, required=True, help="Written: the constitution without it, YAML."
)
@click.option(
    "--questions-without", type=WRITABLE, required=True, help="Written: the questions without its own, Parquet."
)
def main(constitution: Path, questions: Path, trait: str, constitution_without: Path, questions_without: Path) -> None:
    """Take a trait, its text and its questions, out of a constitution."""
    rest = without_trait(load_constitution(constitution), trait)
    write_table(questions_without, other_questions(read_table(questions, QUESTIONS), trait))
    with whole_file(constitution_without) as beside:
        beside.write_text(constitution_text(rest), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main)
