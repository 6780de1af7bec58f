"""Sample the student's responses to every question: k in character, one plain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.character import in_character, told_traits
from ethos.constitution import Constitution, load_constitution
from ethos.engine import chat
from ethos.files import write_json
from ethos.responses import count_reasons, sample_responses
from ethos.script import READABLE, WRITABLE, run, settings_option, shard_option
from ethos.shards import Shard
from ethos.stage_settings import Responses
from ethos.stored_engine import StoredEngine
from ethos.tables import QUESTIONS, RESPONSES, read_table, table_from, write_table


def generate_responses(
    questions: Sequence[Mapping[str, Any]],
    constitution: Constitution,
    engine: StoredEngine,
    settings: Responses,
    seed: int,
) -> list[dict[str, Any]]:
    """The student's own responses to each question: `per_question` in character and one plain.

    questions: rows of tables.QUESTIONS. Returns rows of tables.RESPONSES.
    """
    shared = {"settings": settings, "seed": seed}
    character = sample_responses(
        engine,
        questions,
        lambda row: in_character(constitution, row["trait"], row["text"], settings.scope),
        author="in_character",
        count=settings.per_question,
        told=lambda row: told_traits(constitution, row["trait"], settings.scope),
        **shared,
    )
    plain = sample_responses(engine, questions, lambda row: chat(user=row["text"]), author="plain", count=1, **shared)
    return [*character, *plain]


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--questions", type=READABLE, required=True, help="Questions, Parquet.")
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@settings_option(Responses)
@click.option("--seed", type=int, default=0, show_default=True, help="The run's data seed.")
@click.option("--responses", type=WRITABLE, required=True, help="Written: the responses, Parquet.")
@click.option("--counts", type=WRITABLE, required=True, help="Written: counts by author and reason, JSON.")
@shard_option
def main(
    constitution: Path,
    questions: Path,
    student: Path,
    settings: Responses,
    seed: int,
    responses: Path,
    counts: Path,
    shard: Shard,
) -> None:
    """Sample the student's responses to every question: k in character, one plain."""
    engine = StoredEngine(student, stage="generate_responses")
    asked = shard.of(read_table(questions, QUESTIONS).to_pylist())
    rows = generate_responses(asked, load_constitution(constitution), engine, settings, seed)
    if shard.is_part:
        return
    write_table(responses, table_from(rows, RESPONSES))
    write_json(
        counts,
        {author: count_reasons(row for row in rows if row["author"] == author) for author in ("in_character", "plain")},
    )


if __name__ == "__main__":
    run(main)
