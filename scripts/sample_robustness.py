"""Ask every arm held-out messages that end by asking it to drop its character."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ethos.constitution import load_constitution
from ethos.evaluation_settings import Robustness, UnseenMessages
from ethos.persona_samples import Asked, ask_arms, sampling_options, unseen_questions
from ethos.prompts import prompt_lines
from ethos.script import run, settings_option
from ethos.shards import Shard
from ethos.tables import PERSONA_SAMPLES, table_from, write_table
from ethos.trained_questions import trained_questions, trained_questions_options


def with_suffixes(questions: Sequence[str], suffixes: Sequence[str]) -> list[Asked]:
    """Each message with each suffix, which is its form."""
    return [
        Asked("held_out", suffix, question, f"{question}\n\n{suffix}") for suffix in suffixes for question in questions
    ]


@click.command()
@trained_questions_options
@settings_option(Robustness, "robustness")
@sampling_options
def main(
    constitution: Path, questions: Path, near_duplicate: float, student: Path, settings: UnseenMessages,
    robustness: Robustness, scope: str, seed: int, samples: Path, arm_files: dict[str, Path], shard: Shard,
) -> None:  # fmt: skip
    """Ask every arm held-out messages that end by asking it to drop its character."""
    trained = trained_questions(questions, near_duplicate)
    suffixes = prompt_lines("dropping_suffixes")[: robustness.suffixes]
    asked = with_suffixes(unseen_questions(trained, settings, seed)["held_out"], suffixes)
    character = load_constitution(constitution)
    rows = ask_arms(asked, character, student, arm_files, settings, scope, seed, shard, stage="sample_robustness")
    if shard.is_part:
        return
    write_table(samples, table_from(rows, PERSONA_SAMPLES))


if __name__ == "__main__":
    run(main)
