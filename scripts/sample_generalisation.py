"""Ask every arm to answer held-out messages outside chat: as an e-mail, a comment in code, JSON, a list, in another language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ethos.constitution import load_constitution
from ethos.evaluation_settings import Generalisation, UnseenMessages
from ethos.persona_samples import Asked, ask_arms, sampling_options, unseen_questions
from ethos.prompts import render_prompt
from ethos.script import READABLE, run, settings_option
from ethos.shards import Shard
from ethos.tables import PERSONA_SAMPLES, table_from, write_table


def in_forms(questions: Sequence[str], forms: Sequence[str]) -> list[Asked]:
    """Each message with each form that its answer is to have."""
    return [
        Asked("held_out", form, question, render_prompt("ask_in_form", form=form, question=question))
        for form in forms
        for question in questions
    ]


@click.command()
@click.option("--questions", type=READABLE, required=True, help="Questions, Parquet; what trains is not asked here.")
@settings_option(Generalisation, "generalisation")
@sampling_options
def main(
    constitution: Path, questions: Path, student: Path, settings: UnseenMessages, generalisation: Generalisation,
    scope: str, seed: int, samples: Path, arm_files: dict[str, Path], shard: Shard,
) -> None:  # fmt: skip
    """Ask every arm to answer held-out messages outside chat: as an e-mail, a comment in code, JSON, a list, in another language."""
    asked = in_forms(unseen_questions(questions, settings, seed)["held_out"], generalisation.forms)
    character = load_constitution(constitution)
    rows = ask_arms(asked, character, student, arm_files, settings, scope, seed, shard, stage="sample_generalisation")
    if shard.is_part:
        return
    write_table(samples, table_from(rows, PERSONA_SAMPLES))


if __name__ == "__main__":
    run(main)
