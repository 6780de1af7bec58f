"""Measure how much character each arm shows on held-out questions, how fluent it stays, and compare arms question by question."""

from __future__ import annotations

from pathlib import Path

import click

from ethos.constitution import load_constitution
from ethos.evaluation_settings import Intervals
from ethos.measures import compare_arms, judge_of, measure_samples
from ethos.script import (
    READABLE,
    WRITABLE,
    metrics_options,
    preference_model_options,
    run,
    scope_option,
    settings_option,
)
from ethos.stored_engine import StoredEngine
from ethos.stored_rewards import StoredRewards
from ethos.tables import MEASURES, SAMPLES, metrics_table, read_table, table_from, write_table


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--samples", type=READABLE, required=True, help="Responses of all arms, Parquet.")
@click.option(
    "--student", type=READABLE, required=True, help="identity.json of the student; base is the judge of likelihoods."
)
@preference_model_options
@settings_option(Intervals)
@scope_option("Which traits the likelihood ratio is told.")
@metrics_options("levels and differences with intervals")
@click.option("--measures", type=WRITABLE, required=True, help="Written: measures of each sample, Parquet.")
def main(
    constitution: Path, samples: Path, student: Path, preference_model: Path, settings: Intervals,
    precision: str, max_tokens: int, scope: str, seed: int, place: tuple[str, str, str], measures: Path, metrics: Path,
) -> None:  # fmt: skip
    """Measure how much character each arm shows on held-out questions, how fluent it stays, and compare arms question by question."""
    character = load_constitution(constitution)
    rows = read_table(samples, SAMPLES).to_pylist()
    model = StoredRewards(
        student, preference_model.parent, precision=precision, max_tokens=max_tokens, stage="evaluate_character"
    )
    rewards = model.score([(row["question"], row["response"]) for row in rows])
    model.close()
    base = StoredEngine(student, stage="evaluate_character")
    measured = measure_samples(rows, character, base, rewards, scope)
    results = [
        row | {"judge": judge_of(row["metric"], student=place[1])} for row in compare_arms(measured, settings, seed)
    ]
    write_table(measures, table_from(measured, MEASURES))
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation="character"))


if __name__ == "__main__":
    run(main)
