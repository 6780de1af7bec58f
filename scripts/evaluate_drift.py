"""Drift: what training one character does to the traits of others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ethos.arms import arm_engine, arm_files_argument, sample_arm
from ethos.constitution import Constitution, load_constitution
from ethos.evaluation_settings import ArmSampling, Drift, Intervals
from ethos.files import sha256_of_text
from ethos.measures import compare_arms, judge_of, measure_samples
from ethos.near_duplicates import NearDuplicates
from ethos.script import READABLE, WRITABLE, metrics_options, run, scope_option, settings_option
from ethos.seeds import derive_seed
from ethos.stored_engine import StoredEngine
from ethos.tables import DRIFT_SAMPLES, metrics_table, table_from, write_table
from ethos.trained_questions import trained_questions, trained_questions_options

_MEASURED = ("likelihood_ratio", "cue_rate")


def questions_to_ask(
    other: Constitution, own: Constitution, trained: NearDuplicates, per_trait: int | None
) -> list[dict[str, Any]]:
    """Questions that stand in another constitution, of which none trained the arms, or nearly repeats one that did.

    trained: the questions that did. per_trait: most of a trait, None for all. In each, `trait` is the one that the response
    is measured by; `told` is the arm's own trait, in turn, for an arm that is told its character.
    """
    questions = [
        {"question_id": sha256_of_text(f"{trait.id}\x1f{text}")[:16], "trait": trait.id, "text": text}
        for trait in other.traits
        for text in trait.all_questions[:per_trait]
        if not trained.of(text)
    ]
    return [question | {"told": own.traits[number % len(own.traits)].id} for number, question in enumerate(questions)]


def answer(
    arm: str,
    engine: StoredEngine,
    questions: Sequence[dict[str, Any]],
    own: Constitution,
    sampling: ArmSampling,
    scope: str,
    seed: int,
) -> list[dict[str, Any]]:
    """One arm's responses, in its own character; rows of tables.SAMPLES, with the trait that each is measured by."""
    measured_by = {question["question_id"]: question["trait"] for question in questions}
    asked = [question | {"trait": question["told"]} for question in questions]
    return [
        row | {"trait": measured_by[row["question_id"]]}
        for row in sample_arm(arm, engine, asked, own, sampling, scope, seed)
    ]


def drift_metrics(
    samples: Sequence[dict[str, Any]],
    other: Constitution,
    base: StoredEngine,
    arms: Sequence[str],
    intervals: Intervals,
    scope: str,
    seed: int,
) -> list[dict[str, Any]]:
    """How much of another character the arms show, and how much more than base does, over its questions.

    samples: rows of tables.SAMPLES, base's among them. Returns the fields of tables.METRICS that are known here.
    """
    measures = [
        row for row in measure_samples(samples, other, base, [None] * len(samples), scope) if row["metric"] in _MEASURED
    ]
    own_seed = derive_seed(seed, "drift", other.name)
    rows = compare_arms(measures, intervals, own_seed, references={"base": arms}, by_trait=False)
    return [row | {"slice": other.name} for row in rows]


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution that was trained, YAML.")
@click.option(
    "--other", "others", type=READABLE, multiple=True, help="A constitution that is measured, YAML; repeatable."
)
@trained_questions_options
@click.option("--student", type=READABLE, required=True, help="identity.json of the student; base is the judge.")
@arm_files_argument
@settings_option(Drift)
@settings_option(ArmSampling, "sampling")
@settings_option(Intervals, "intervals")
@scope_option("Which traits the likelihood ratio is told.")
@metrics_options("levels and differences from base")
@click.option("--samples", type=WRITABLE, required=True, help="Written: responses to the others' questions, Parquet.")
def main(
    constitution: Path, others: tuple[Path, ...], questions: Path, near_duplicate: float, student: Path, settings: Drift,
    sampling: ArmSampling, intervals: Intervals, scope: str, seed: int, place: tuple[str, str, str], samples: Path,
    metrics: Path, arm_files: dict[str, Path],
) -> None:  # fmt: skip
    """Let arms of one character answer the questions of others, and measure the traits of these."""
    own = load_constitution(constitution)
    trained = trained_questions(questions, near_duplicate)
    measured = [load_constitution(path) for path in others]
    asked = {other.name: questions_to_ask(other, own, trained, settings.questions_per_trait) for other in measured}
    arms = [arm for arm in settings.arms if arm != "base"]
    said: dict[str, list[dict[str, Any]]] = {other.name: [] for other in measured}
    # Base last: it is the judge, and need not be loaded again.
    for arm in reversed(("base", *arms)):
        engine = arm_engine(arm, student, arm_files, stage="evaluate_drift")
        for name, rows in asked.items():
            said[name] = answer(arm, engine, rows, own, sampling, scope, seed) + said[name]
        engine.close()
    base = StoredEngine(student, stage="evaluate_drift")
    results = [
        row | {"judge": judge_of(row["metric"], student=place[1])}
        for other in measured
        for row in drift_metrics(said[other.name], other, base, arms, intervals, scope, seed)
    ]
    kept = [{"measured": name, **row} for name, rows in said.items() for row in rows]
    write_table(samples, table_from(kept, DRIFT_SAMPLES))
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation="drift"))


if __name__ == "__main__":
    run(main)
