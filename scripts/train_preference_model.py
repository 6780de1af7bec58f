"""Train a preference model on the rankings, and let it score every response that was ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.errors import BadInput
from ethos.preference_data import conversation
from ethos.script import READABLE, WRITABLE, run, settings_option
from ethos.stored_rewards import StoredRewards
from ethos.tables import PAIRS, RANKINGS, RESPONSES, REWARDS, read_table, table_from, write_table
from ethos.training import Job, train
from ethos.training_settings import PreferenceModel

_PLACE = ("question_id", "author", "sample")


def reward_rows(pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of tables.PAIRS as chosen and rejected conversations."""
    return [{side: conversation(pair["question"], pair[side]) for side in ("chosen", "rejected")} for pair in pairs]


@click.command()
@click.option("--pairs", type=READABLE, required=True, help="Preference pairs, Parquet; only the train split trains.")
@click.option("--rankings", type=READABLE, required=True, help="Rankings, Parquet; what was ranked is scored.")
@click.option("--responses", type=READABLE, required=True, help="The responses, Parquet.")
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@settings_option(PreferenceModel)
@click.option("--seed", type=int, default=0, show_default=True, help="Training seed.")
@click.option(
    "--adapter", type=WRITABLE, required=True, help="Written: adapter_model.safetensors; its folder is the adapter."
)
@click.option("--rewards", type=WRITABLE, required=True, help="Written: the reward of each response, Parquet.")
def main(
    pairs: Path,
    rankings: Path,
    responses: Path,
    student: Path,
    settings: PreferenceModel,
    seed: int,
    adapter: Path,
    rewards: Path,
) -> None:
    """Train a preference model on the rankings, and let it score every response that was ranked."""
    training = [pair for pair in read_table(pairs, PAIRS).to_pylist() if pair["split"] == "train"]
    if not training:
        raise BadInput("holds no training pairs; the judge decided none, or all responses were filtered", path=pairs)
    train(Job("reward", reward_rows(training), settings, seed, student), adapter.parent)
    places = {tuple(row[name] for name in _PLACE) for row in read_table(rankings, RANKINGS).to_pylist()}
    rows = [
        row for row in read_table(responses, RESPONSES).to_pylist() if tuple(row[name] for name in _PLACE) in places
    ]
    model = StoredRewards(
        student,
        adapter.parent,
        precision=settings.precision,
        max_tokens=settings.max_tokens,
        stage="train_preference_model",
    )
    values = model.score([(row["question"], row["response"]) for row in rows])
    scored = [{name: row[name] for name in _PLACE} | {"reward": value} for row, value in zip(rows, values, strict=True)]
    write_table(rewards, table_from(scored, REWARDS))


if __name__ == "__main__":
    run(main)
