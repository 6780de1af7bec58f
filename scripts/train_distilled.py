"""Distil the teacher in character into the student: DPO on the teacher's response against the student's plain one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.errors import BadInput
from ethos.files import write_json
from ethos.preference_data import dpo_rows
from ethos.renaming import Renaming, rename
from ethos.script import READABLE, WRITABLE, run, settings_option
from ethos.tables import PAIRS, RESPONSES, read_table, table_from, write_table
from ethos.training import Job, train
from ethos.training_settings import Dpo


def distillation_pairs(
    teacher: Sequence[Mapping[str, Any]], student: Sequence[Mapping[str, Any]], renaming: Renaming
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Each training question's usable teacher responses (chosen) against the student's plain one (rejected).

    teacher, student: rows of tables.RESPONSES. Returns rows of tables.PAIRS, and what became of the teacher's responses:
    how many are `pairs`, of them `renamed`, and how many are not, `filtered` or `without_plain` (a usable plain response).
    """
    plain = {row["question_id"]: row for row in student if row["author"] == "plain" and row["filtered"] is None}
    pairs: list[dict[str, Any]] = []
    counts = {"pairs": 0, "renamed": 0, "filtered": 0, "without_plain": 0}
    for row in teacher:
        if row["split"] != "train":
            continue
        if row["filtered"] is not None:
            counts["filtered"] += 1
        elif row["question_id"] not in plain:
            counts["without_plain"] += 1
        else:
            chosen = rename(row["response"], renaming)
            counts["pairs"] += 1
            counts["renamed"] += chosen != row["response"]
            pairs.append(
                {name: row[name] for name in ("question_id", "trait", "question", "split")}
                | {"chosen": chosen, "rejected": plain[row["question_id"]]["response"], "margin": None}
            )
    return pairs, counts


@click.command()
@click.option("--teacher", type=READABLE, required=True, help="The teacher's responses, Parquet.")
@click.option(
    "--responses", type=READABLE, required=True, help="The student's responses, Parquet; the plain ones are used."
)
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@settings_option(Dpo)
@settings_option(Renaming, "renaming")
@click.option("--seed", type=int, default=0, show_default=True, help="Training seed.")
@click.option("--pairs", type=WRITABLE, required=True, help="Written: the pairs trained on, Parquet.")
@click.option("--counts", type=WRITABLE, required=True, help="Written: what became of the teacher's responses, JSON.")
@click.option(
    "--adapter", type=WRITABLE, required=True, help="Written: adapter_model.safetensors; its folder is the adapter."
)
def main(
    teacher: Path,
    responses: Path,
    student: Path,
    settings: Dpo,
    renaming: Renaming,
    seed: int,
    pairs: Path,
    counts: Path,
    adapter: Path,
) -> None:
    """Distil the teacher in character into the student: DPO on the teacher's response against the student's plain one."""
    rows, counted = distillation_pairs(
        read_table(teacher, RESPONSES).to_pylist(), read_table(responses, RESPONSES).to_pylist(), renaming
    )
    if not rows:
        raise BadInput("gives no pair; every response was filtered", path=teacher)
    train(Job("dpo", dpo_rows(rows), settings, seed, student), adapter.parent)
    write_table(pairs, table_from(rows, PAIRS))
    write_json(counts, counted)


if __name__ == "__main__":
    run(main)
