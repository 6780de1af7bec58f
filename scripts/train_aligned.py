"""Train the policy on the best and the worst response of each question by the preference model's reward (DPO)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.errors import BadInput
from ethos.preference_data import dpo_rows
from ethos.script import READABLE, WRITABLE, run, settings_option
from ethos.seeds import derive_seed
from ethos.tables import PAIRS, RESPONSES, REWARDS, read_table, table_from, write_table
from ethos.training import Job, train
from ethos.training_settings import Dpo


def best_and_worst(
    responses: Sequence[Mapping[str, Any]], rewards: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The responses of highest and of lowest reward, for each training question that has two.

    responses: rows of tables.RESPONSES. rewards: rows of tables.REWARDS. Returns rows of tables.PAIRS.
    """
    reward = {(row["question_id"], row["author"], row["sample"]): row["reward"] for row in rewards}
    groups: dict[str, list[tuple[float, Mapping[str, Any]]]] = {}
    for row in responses:
        place = (row["question_id"], row["author"], row["sample"])
        if place in reward and row["split"] == "train":
            groups.setdefault(row["question_id"], []).append((reward[place], row))
    pairs = []
    for rows in groups.values():
        ordered = sorted(rows, key=lambda pair: pair[0])
        (lowest, worst), (highest, best) = ordered[0], ordered[-1]
        margin = highest - lowest
        if margin > 0 and best["response"] != worst["response"]:
            pairs.append(
                {name: best[name] for name in ("question_id", "trait", "question", "split")}
                | {"chosen": best["response"], "rejected": worst["response"], "margin": margin}
            )
    return pairs


def shuffle_preferences(pairs: Sequence[Mapping[str, Any]], seed: int) -> list[dict[str, Any]]:
    """The control: the same pairs with a random half swapped, so that the order says nothing."""
    swapped = set(random.Random(seed).sample(range(len(pairs)), len(pairs) // 2))
    return [
        dict(pair)
        | (
            {"chosen": pair["rejected"], "rejected": pair["chosen"], "margin": -pair["margin"]}
            if number in swapped
            else {}
        )
        for number, pair in enumerate(pairs)
    ]


@click.command()
@click.option("--responses", type=READABLE, required=True, help="Responses, Parquet.")
@click.option("--rewards", type=READABLE, required=True, help="Their rewards, Parquet.")
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@settings_option(Dpo)
@click.option("--seed", type=int, default=0, show_default=True, help="Training seed.")
@click.option("--shuffled", is_flag=True, help="Train the control: a random half of the pairs is swapped.")
@click.option("--pairs", type=WRITABLE, required=True, help="Written: the pairs trained on, Parquet.")
@click.option(
    "--adapter", type=WRITABLE, required=True, help="Written: adapter_model.safetensors; its folder is the adapter."
)
def main(
    responses: Path, rewards: Path, student: Path, settings: Dpo, seed: int, shuffled: bool, pairs: Path, adapter: Path
) -> None:
    """Train the policy on the best and the worst response of each question by the preference model's reward (DPO)."""
    rows = best_and_worst(read_table(responses, RESPONSES).to_pylist(), read_table(rewards, REWARDS).to_pylist())
    if not rows:
        raise BadInput("gives no pair; every question needs two usable responses of different reward", path=responses)
    if shuffled:
        rows = shuffle_preferences(rows, derive_seed(seed, "shuffled"))
    train(Job("dpo", dpo_rows(rows), settings, seed, student), adapter.parent)
    write_table(pairs, table_from(rows, PAIRS))


if __name__ == "__main__":
    run(main)
