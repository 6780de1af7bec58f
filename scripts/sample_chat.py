"""Ask every arm unseen messages plainly: what the classifier of personas learns from, and what other forms are compared with."""

from __future__ import annotations

from pathlib import Path

import click

from ethos.constitution import load_constitution
from ethos.evaluation_settings import UnseenMessages
from ethos.persona_samples import CHAT, Asked, ask_arms, sampling_options, unseen_questions
from ethos.script import run
from ethos.shards import Shard
from ethos.tables import PERSONA_SAMPLES, table_from, write_table
from ethos.trained_questions import trained_questions, trained_questions_options


@click.command()
@trained_questions_options
@sampling_options
def main(
    constitution: Path, questions: Path, near_duplicate: float, student: Path, settings: UnseenMessages, scope: str,
    seed: int, samples: Path, arm_files: dict[str, Path], shard: Shard,
) -> None:  # fmt: skip
    """Ask every arm unseen messages plainly: what the classifier of personas learns from, and what other forms are compared with."""
    trained = trained_questions(questions, near_duplicate)
    asked = [
        Asked(split, CHAT, question, question)
        for split, texts in unseen_questions(trained, settings, seed).items()
        for question in texts
    ]
    character = load_constitution(constitution)
    rows = ask_arms(asked, character, student, arm_files, settings, scope, seed, shard, stage="sample_chat")
    if shard.is_part:
        return
    write_table(samples, table_from(rows, PERSONA_SAMPLES))


if __name__ == "__main__":
    run(main)
