"""Let every arm go on after a first turn that base wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.constitution import load_constitution
from ethos.engine import Message
from ethos.evaluation_settings import UnseenMessages
from ethos.persona_samples import CHAT, Asked, ask_arms, sampling_options
from ethos.prompts import render_prompt
from ethos.script import READABLE, run
from ethos.shards import Shard
from ethos.tables import PERSONA_SAMPLES, read_table, table_from, write_table


def after_bases_turn(chat: Sequence[Mapping[str, Any]]) -> list[Asked]:
    """Each held-out message with base's answer to it and the request to go on. chat: rows of tables.PERSONA_SAMPLES.

    A message that base answered with nothing is left out: there is no turn to go on from.
    """
    go_on = Message("user", render_prompt("keep_going"))
    return [
        Asked(row["split"], "prefill", row["question"], row["asked"], (Message("assistant", row["response"]), go_on))
        for row in chat
        if (row["arm"], row["split"], row["form"]) == ("base", "held_out", CHAT) and row["response"]
    ]


@click.command()
@click.option(
    "--chat", type=READABLE, required=True, help="Plain answers of all arms, Parquet; base's are the first turns."
)
@sampling_options
def main(
    constitution: Path, chat: Path, student: Path, settings: UnseenMessages, scope: str, seed: int, samples: Path,
    arm_files: dict[str, Path], shard: Shard,
) -> None:  # fmt: skip
    """Let every arm go on after a first turn that base wrote."""
    asked = after_bases_turn(read_table(chat, PERSONA_SAMPLES).to_pylist())
    character = load_constitution(constitution)
    rows = ask_arms(asked, character, student, arm_files, settings, scope, seed, shard, stage="sample_prefill")
    if shard.is_part:
        return
    write_table(samples, table_from(rows, PERSONA_SAMPLES))


if __name__ == "__main__":
    run(main)
