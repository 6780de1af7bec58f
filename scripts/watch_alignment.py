"""Measure the aligned student at snapshots of its training: does the reward rise while what it was not trained on falls?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.arms import sample_arm
from ethos.constitution import load_constitution
from ethos.evaluation_settings import ArmSampling, Intervals
from ethos.files import read_json
from ethos.measures import compare_arms, judge_of, measure_samples
from ethos.script import (
    READABLE,
    metrics_options,
    preference_model_options,
    run,
    scope_option,
    settings_option,
)
from ethos.stored_engine import StoredEngine
from ethos.stored_rewards import StoredRewards
from ethos.tables import MEASURES, QUESTIONS, metrics_table, read_table, write_table
from ethos.training import SNAPSHOTS, snapshot_steps


def step_metrics(
    measures: Sequence[Mapping[str, Any]], steps: Mapping[str, int], settings: Intervals, seed: int
) -> list[dict[str, Any]]:
    """Levels at each step, and paired differences from base, over questions.

    measures: rows of tables.MEASURES. steps: the step at which each of their arms was measured; the first is base, the
    last the trained adapter. Returns the fields of tables.METRICS that are known here.
    """
    base, *later = steps
    total = max(steps.values())
    rows = compare_arms(measures, settings, seed, references={base: later}, by_trait=False)
    return [row | {"arm": "aligned", "slice": f"step {steps[row['arm']]} of {total}"} for row in rows]


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--questions", type=READABLE, required=True, help="Questions, Parquet; the held-out ones are asked.")
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@click.option("--measures", type=READABLE, required=True, help="Measures of base and of the aligned arm, Parquet.")
@click.option(
    "--aligned", type=READABLE, required=True, help="adapter_model.safetensors; its snapshots are in the same folder."
)
@click.option("--history", type=READABLE, required=True, help="history.json of its training.")
@click.option("--snapshots", type=int, default=4, show_default=True, help="How many, the adapter itself among them.")
@preference_model_options
@settings_option(ArmSampling, "sampling")
@settings_option(Intervals)
@scope_option("Which traits the likelihood ratio is told.")
@metrics_options("levels and differences by step")
def main(
    constitution: Path, questions: Path, student: Path, measures: Path, aligned: Path, history: Path, snapshots: int,
    preference_model: Path, precision: str, max_tokens: int, sampling: ArmSampling, settings: Intervals, scope: str,
    seed: int, place: tuple[str, str, str], metrics: Path,
) -> None:  # fmt: skip
    """Measure the aligned student at snapshots of its training: does the reward rise while what it was not trained on falls?"""
    character = load_constitution(constitution)
    held_out = [row for row in read_table(questions, QUESTIONS).to_pylist() if row["split"] == "held_out"]
    total = read_json(history)[-1]["step"]
    # A training of few steps ends several parts with one step.
    adapters = {
        step: aligned.parent / SNAPSHOTS / str(number) for number, step in snapshot_steps(total, snapshots).items()
    }
    adapters.pop(total, None)
    samples = []
    for step, adapter in adapters.items():
        # Asked as every arm is, with the same seeds.
        engine = StoredEngine(student, stage=f"watch_alignment, step {step}", adapters=[adapter])
        samples += sample_arm(f"step {step}", engine, held_out, character, sampling, scope, seed)
        engine.close()
    model = StoredRewards(
        student, preference_model.parent, precision=precision, max_tokens=max_tokens, stage="watch_alignment"
    )
    rewards = model.score([(row["question"], row["response"]) for row in samples])
    model.close()
    measured = [row for row in read_table(measures, MEASURES).to_pylist() if row["arm"] in ("base", "aligned")]
    measured += measure_samples(samples, character, StoredEngine(student, stage="watch_alignment"), rewards, scope)
    steps = {"base": 0} | {f"step {step}": step for step in adapters} | {"aligned": total}
    rows = [
        row | {"judge": judge_of(row["metric"], student=place[1])}
        for row in step_metrics(measured, steps, settings, seed)
    ]
    write_table(metrics, metrics_table(rows, place=place, seed=seed, evaluation="overoptimisation"))


if __name__ == "__main__":
    run(main)
