"""Train the policy against the preference model: DPO, SFT on the best of n, or GRPO; or the control of each."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.errors import BadInput
from ethos.grpo import Rewards, grpo_rows
from ethos.preference_data import chosen_rows, dpo_rows
from ethos.script import READABLE, WRITABLE, preference_model_options, run, settings_option
from ethos.seeds import derive_seed
from ethos.tables import EXAMPLES, RESPONSES, REWARDS, read_table, table_from, write_table
from ethos.training import Job, train
from ethos.training_settings import Alignment

Row = Mapping[str, Any]
_QUESTION = ("question_id", "trait", "question", "split")


def rewarded(responses: Sequence[Row], rewards: Sequence[Row]) -> list[list[tuple[float, Row]]]:
    """The rewarded responses of each training question, with their rewards.

    responses: rows of tables.RESPONSES. rewards: rows of tables.REWARDS.
    """
    reward = {(row["question_id"], row["author"], row["sample"]): row["reward"] for row in rewards}
    groups: dict[str, list[tuple[float, Row]]] = {}
    for row in responses:
        place = (row["question_id"], row["author"], row["sample"])
        if place in reward and row["split"] == "train":
            groups.setdefault(row["question_id"], []).append((reward[place], row))
    return list(groups.values())


def best_and_worst(responses: Sequence[Row], rewards: Sequence[Row]) -> list[dict[str, Any]]:
    """The responses of highest and of lowest reward, for each training question that has two.

    responses: rows of tables.RESPONSES. rewards: rows of tables.REWARDS. Returns rows of tables.EXAMPLES.
    """
    pairs = []
    for rows in rewarded(responses, rewards):
        ordered = sorted(rows, key=lambda pair: pair[0])
        (lowest, worst), (highest, best) = ordered[0], ordered[-1]
        margin = highest - lowest
        if margin > 0 and best["response"] != worst["response"]:
            pairs.append(
                {name: best[name] for name in _QUESTION}
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


def best_of_n(responses: Sequence[Row], rewards: Sequence[Row], *, control: int | None = None) -> list[dict[str, Any]]:
    """The response of highest reward, for each training question that has two. Returns rows of tables.EXAMPLES.

    control: a seed; with one, a response drawn at random instead, whatever its reward.
    """
    examples = []
    for rows in rewarded(responses, rewards):
        if len(rows) > 1:
            question = {name: rows[0][1][name] for name in _QUESTION}
            draw = None if control is None else random.Random(derive_seed(control, question["question_id"]))
            _, chosen = draw.choice(rows) if draw else max(rows, key=lambda pair: pair[0])
            examples.append(question | {"chosen": chosen["response"], "rejected": None, "margin": None})
    return examples


def questions_asked(responses: Sequence[Row], rewards: Sequence[Row]) -> list[dict[str, Any]]:
    """Each training question that has a rewarded response, for the policy to answer anew. Rows of tables.EXAMPLES."""
    return [
        {name: rows[0][1][name] for name in _QUESTION} | {"chosen": None, "rejected": None, "margin": None}
        for rows in rewarded(responses, rewards)
    ]


@click.command()
@click.option("--responses", type=READABLE, required=True, help="Responses, Parquet.")
@click.option("--rewards", type=READABLE, required=True, help="Their rewards, Parquet.")
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@preference_model_options
@settings_option(Alignment)
@click.option("--seed", type=int, default=0, show_default=True, help="Training seed.")
@click.option("--shuffled", is_flag=True, help="Train the control, on rewards that say nothing; it has no snapshots.")
@click.option("--examples", type=WRITABLE, required=True, help="Written: what was trained on, Parquet.")
@click.option(
    "--adapter", type=WRITABLE, required=True, help="Written: adapter_model.safetensors; its folder is the adapter."
)
def main(
    responses: Path, rewards: Path, student: Path, preference_model: Path, precision: str, max_tokens: int,
    settings: Alignment, seed: int, shuffled: bool, examples: Path, adapter: Path,
) -> None:  # fmt: skip
    """Train the policy against the preference model: DPO, SFT on the best of n, or GRPO; or the control of each."""
    data = read_table(responses, RESPONSES).to_pylist(), read_table(rewards, REWARDS).to_pylist()
    control = derive_seed(seed, "shuffled")
    reward = None
    if settings.method == "dpo":
        rows = shuffle_preferences(best_and_worst(*data), control) if shuffled else best_and_worst(*data)
        kind, trained_on = "dpo", dpo_rows(rows)
    elif settings.method == "best_of_n":
        rows = best_of_n(*data, control=control if shuffled else None)
        kind, trained_on = "sft", chosen_rows(rows)
    else:
        rows = questions_asked(*data)
        kind, trained_on = "grpo", grpo_rows(rows)
        reward = Rewards(preference_model.parent, precision, max_tokens, permuted=shuffled)
    if not rows:
        raise BadInput(
            "gives nothing to train on; a question needs two usable responses of different reward", path=responses
        )
    snapshots = 1 if shuffled else settings.snapshots
    train(Job(kind, trained_on, settings, seed, student, rewards=reward, snapshots=snapshots), adapter.parent)
    write_table(examples, table_from(rows, EXAMPLES))


if __name__ == "__main__":
    run(main)
