"""Let the teacher answer the training questions in character."""

from __future__ import annotations

from pathlib import Path

import click

from ethos.character import in_character, told_traits
from ethos.constitution import load_constitution
from ethos.files import write_json
from ethos.responses import count_reasons, sample_responses
from ethos.script import READABLE, WRITABLE, run, settings_option, shard_option
from ethos.shards import Shard
from ethos.stage_settings import InCharacter
from ethos.stored_engine import StoredEngine
from ethos.tables import QUESTIONS, RESPONSES, read_table, table_from, write_table


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--questions", type=READABLE, required=True, help="Questions, Parquet.")
@click.option("--teacher", type=READABLE, required=True, help="identity.json of the teacher.")
@settings_option(InCharacter)
@click.option("--per-question", type=int, default=5, show_default=True, help="Responses to each question.")
@click.option("--seed", type=int, default=0, show_default=True, help="The run's data seed.")
@click.option("--responses", type=WRITABLE, required=True, help="Written: the teacher's responses, Parquet.")
@click.option("--counts", type=WRITABLE, required=True, help="Written: counts by reason, JSON.")
@shard_option
def main(
    constitution: Path,
    questions: Path,
    teacher: Path,
    settings: InCharacter,
    per_question: int,
    seed: int,
    responses: Path,
    counts: Path,
    shard: Shard,
) -> None:
    """Let the teacher answer the training questions in character.

    A teacher that is the student itself is sent the same requests as the student in character, so it costs nothing more.
    """
    character = load_constitution(constitution)
    asked = [row for row in read_table(questions, QUESTIONS).to_pylist() if row["split"] == "train"]
    rows = sample_responses(
        StoredEngine(teacher, stage="generate_teacher_responses"),
        shard.of(asked),
        lambda row: in_character(character, row["trait"], row["text"], settings.scope),
        author="in_character",
        count=per_question,
        settings=settings,
        seed=seed,
        told=lambda row: told_traits(character, row["trait"], settings.scope),
    )
    if shard.is_part:
        return
    write_table(responses, table_from(rows, RESPONSES))
    write_json(counts, {"teacher": count_reasons(rows)})


if __name__ == "__main__":
    run(main)
