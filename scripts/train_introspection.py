"""Fine-tune the distilled model on its own reflections and conversations (SFT)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from ethos.errors import BadInput
from ethos.script import READABLE, WRITABLE, run, settings_option
from ethos.tables import CONVERSATIONS, read_table
from ethos.training import Job, train
from ethos.training_settings import IntrospectionTraining


def sft_rows(conversations: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One example for each turn of the assistant, with what came before as the prompt; filtered rows are left out.

    conversations: rows of tables.CONVERSATIONS.
    """
    return [
        {"prompt": list(row["messages"][:place]), "completion": [message]}
        for row in conversations
        if row["filtered"] is None
        for place, message in enumerate(row["messages"])
        if message["role"] == "assistant"
    ]


@click.command()
@click.option("--reflections", type=READABLE, required=True, help="Reflections, Parquet.")
@click.option("--interactions", type=READABLE, required=True, help="Conversations, Parquet.")
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@click.option("--distilled", type=READABLE, required=True, help="adapter_model.safetensors of the distilled adapter.")
@settings_option(IntrospectionTraining)
@click.option("--seed", type=int, default=0, show_default=True, help="Training seed.")
@click.option(
    "--adapter", type=WRITABLE, required=True, help="Written: adapter_model.safetensors; its folder is the adapter."
)
def main(
    reflections: Path,
    interactions: Path,
    student: Path,
    distilled: Path,
    settings: IntrospectionTraining,
    seed: int,
    adapter: Path,
) -> None:
    """Fine-tune the distilled model on its own reflections and conversations (SFT)."""
    rows = sft_rows(
        [row for path in (reflections, interactions) for row in read_table(path, CONVERSATIONS).to_pylist()]
    )
    if not rows:
        raise BadInput("holds no usable text; every reflection and conversation was filtered", path=reflections)
    train(Job("sft", rows, settings, seed, student, adapters=(distilled.parent,)), adapter.parent)


if __name__ == "__main__":
    run(main)
