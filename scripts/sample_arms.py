"""Let every arm answer the held-out questions."""

from __future__ import annotations

from pathlib import Path

import click

from ethos.arms import ARMS, arm_engine, arm_files_argument, sample_arm
from ethos.constitution import load_constitution
from ethos.evaluation_settings import ArmSampling
from ethos.script import READABLE, WRITABLE, run, scope_option, settings_option, shard_option
from ethos.shards import Shard
from ethos.tables import QUESTIONS, SAMPLES, read_table, table_from, write_table


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--questions", type=READABLE, required=True, help="Questions, Parquet; the held-out ones are asked.")
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@arm_files_argument
@settings_option(ArmSampling)
@scope_option("What the prompted arm is told.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the run.")
@click.option("--samples", type=WRITABLE, required=True, help="Written: responses of all arms, Parquet.")
@shard_option
def main(
    constitution: Path,
    questions: Path,
    student: Path,
    settings: ArmSampling,
    scope: str,
    seed: int,
    samples: Path,
    arm_files: dict[str, Path],
    shard: Shard,
) -> None:
    """Let every arm answer the held-out questions."""
    character = load_constitution(constitution)
    held_out = [row for row in read_table(questions, QUESTIONS).to_pylist() if row["split"] == "held_out"]
    rows = []
    for arm, asked in shard.of_each(ARMS, held_out):
        engine = arm_engine(arm, student, arm_files, stage="sample_arms")
        rows += sample_arm(arm, engine, asked, character, settings, scope, seed)
        engine.close()
    if shard.is_part:
        return
    write_table(samples, table_from(rows, SAMPLES))


if __name__ == "__main__":
    run(main)
