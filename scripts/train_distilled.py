"""Distil the teacher in character into the student: DPO on the teacher's response against the student's plain one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.errors import BadInput
from ethos.preference_data import dpo_rows
from ethos.script import READABLE, WRITABLE, run, settings_option
from ethos.tables import PAIRS, RESPONSES, read_table, table_from, write_table
from ethos.training import Job, train
from ethos.training_settings import Dpo


def distillation_pairs(
    teacher: Sequence[Mapping[str, Any]], student: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Each training question's usable teacher responses (chosen) against the student's plain one (rejected).

    teacher, student: rows of tables.RESPONSES. Returns rows of tables.PAIRS.
    """
    plain = {row["question_id"]: row for row in student if row["author"] == "plain" and row["filtered"] is None}
    return [
        {name: row[name] for name in ("question_id", "trait", "question", "split")}
        | {"chosen": row["response"], "rejected": plain[row["question_id"]]["response"], "margin": None}
        for row in teacher
        if row["split"] == "train" and row["filtered"] is None and row["question_id"] in plain
    ]


@click.command()
@click.option("--teacher", type=READABLE, required=True, help="The teacher's responses, Parquet.")
@click.option(
    "--responses", type=READABLE, required=True, help="The student's responses, Parquet; the plain ones are used."
)
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@settings_option(Dpo)
@click.option("--seed", type=int, default=0, show_default=True, help="Training seed.")
@click.option("--pairs", type=WRITABLE, required=True, help="Written: the pairs trained on, Parquet.")
@click.option(
    "--adapter", type=WRITABLE, required=True, help="Written: adapter_model.safetensors; its folder is the adapter."
)
def main(teacher: Path, responses: Path, student: Path, settings: Dpo, seed: int, pairs: Path, adapter: Path) -> None:
    """Distil the teacher in character into the student: DPO on the teacher's response against the student's plain one."""
    rows = distillation_pairs(read_table(teacher, RESPONSES).to_pylist(), read_table(responses, RESPONSES).to_pylist())
    if not rows:
        raise BadInput("gives no pair; every response was filtered", path=teacher)
    train(Job("dpo", dpo_rows(rows), settings, seed, student), adapter.parent)
    write_table(pairs, table_from(rows, PAIRS))


if __name__ == "__main__":
    run(main)
