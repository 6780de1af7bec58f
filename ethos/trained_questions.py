"""The questions that train, known again by what nearly repeats them: what is asked as unseen must be none of these."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from ethos.near_duplicates import NearDuplicates
from ethos.script import READABLE
from ethos.tables import QUESTIONS, read_table


def trained_questions(questions: Path, near_duplicate: float) -> NearDuplicates:
    """The questions of the split `train`. questions: a table of tables.QUESTIONS. near_duplicate: see the settings."""
    trained = NearDuplicates(near_duplicate)
    for row in read_table(questions, QUESTIONS).to_pylist():
        if row["split"] == "train":
            trained.add(row["text"])
    return trained


def trained_questions_options(command: Callable) -> Callable:
    """Options for the questions, of which those that train are not asked, and how near to one of these is too near."""
    for option in (
        click.option(
            "--near-duplicate", type=float, required=True, help="Similarity from which two are one; see docs/config.md."
        ),
        click.option(
            "--questions", type=READABLE, required=True, help="Questions, Parquet; what trains is not asked here."
        ),
    ):
        command = option(command)
    return command
