"""Ask every arm to answer held-out messages outside chat: as an e-mail, a comment in code, JSON, a list, in another language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ethos.constitution import load_constitution
from ethos.evaluation_settings import Generalisation, UnseenMessages
from ethos.persona_samples import Asked, ask_arms, sampling_options, unseen_questions
from ethos.prompts import render_prompt
from ethos.script import run, settings_option
from ethos.shards import Shard
from ethos.tables import PERSONA_SAMPLES, table_from, write_table
from ethos.trained_questions import trained_questions, trained_questions_options


def in_forms(questions: Sequence[str], forms: Sequence[str]) -> list[Asked]:
    """Each message with each form that its answer is to have."""
    return [
        Asked("held_out", form, question, render_prompt("ask_in_form", form=form, question=question))
        for form in forms
        for question in questions
    ]


@click.command()
@trained_questions_options
@settings_option(Generalisation, "generalisation")
@sampling_options
def main(
    constitution: Path, questions: Path, near_duplicate: float, student: Path, settings: UnseenMessages,
    generalisation: Generalisation, scope: str, seed: int, samples: Path, arm_files: dict[str, Path], shard: Shard,
) -> None:  # fmt: skip
    """Ask every arm to answer held-out messages outside chat: as an e-mail, a comment in code, JSON, a list, in another language."""
    trained = trained_questions(questions, near_duplicate)
    asked = in_forms(unseen_questions(trained, settings, seed)["held_out"], generalisation.forms)
    character = load_constitution(constitution)
    rows = ask_arms(asked, character, student, arm_files, settings, scope, seed, shard, stage="sample_generalisation")
    if shard.is_part:
        return
    write_table(samples, table_from(rows, PERSONA_SAMPLES))


if __name__ == "__main__":
    run(main)
