"""Compare an arm with itself trained without each trait: what the trait contributes to every other and to the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.arms import arm_engine, sample_arm
from ethos.constitution import load_constitution
from ethos.errors import BadInput
from ethos.evaluation_settings import ArmSampling, Intervals
from ethos.measures import compare_arms, judge_of, measure_samples, paired, question_means
from ethos.script import READABLE, WRITABLE, metrics_options, run, scope_option, settings_option
from ethos.seeds import derive_seed
from ethos.statistics import holm, sign_flip_p
from ethos.stored_engine import StoredEngine
from ethos.tables import QUESTIONS, SAMPLES, metrics_table, read_table, table_from, write_table

# Tested for each trait over all questions; named here, before any result, and not chosen by one.
_TESTED = "likelihood_ratio"


def without(trait: str) -> str:
    """What the arm trained without a trait is called among arms and references."""
    return f"without {trait}"


def compare_contributions(
    measures: Sequence[Mapping[str, Any]], arm: str, traits: Sequence[str], settings: Intervals, seed: int
) -> list[dict[str, Any]]:
    """Levels of all, and paired differences of the arm from base and from itself trained without each trait.

    measures: rows of tables.MEASURES of `base`, the arm and the arms without each trait. A row whose reference is
    `without A` and whose slice is B says what A contributes to B; slice `all` is the whole character. The tests of the
    whole are rows of a metric of their own, Holm-corrected over the traits. Returns fields of tables.METRICS.
    """
    references = {name: [arm] for name in ("base", *map(without, traits))}
    means = question_means(measures)
    tested = {}
    for name in map(without, traits):
        if values := list(paired(means.get((arm, _TESTED), {}), means.get((name, _TESTED), {})).values()):
            draw = derive_seed(seed, "sign flips", name)
            tested[name] = len(values), sign_flip_p(values, resamples=settings.resamples, seed=draw)
    corrected = holm([p for _, p in tested.values()])
    tests = [
        {"arm": arm, "reference": name, "metric": f"{_TESTED}_holm_p", "slice": "all", "value": p, "n": n}
        | {"ci_low": None, "ci_high": None, "interval": "none"}
        for (name, (n, _)), p in zip(tested.items(), corrected, strict=True)
    ]
    return [*compare_arms(measures, settings, seed, references), *tests]


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The whole constitution, YAML.")
@click.option("--questions", type=READABLE, required=True, help="Its questions, Parquet; the held-out ones are asked.")
@click.option(
    "--student", type=READABLE, required=True, help="identity.json of the student; base is the judge of likelihoods."
)
@click.option("--arm", required=True, help="Name of the arm that was trained.")
@click.option("--whole", type=READABLE, required=True, help="Its adapter_model.safetensors, with all traits.")
@click.argument("adapters", nargs=-1, required=True, type=READABLE, metavar="ADAPTER...")
@settings_option(Intervals)
@settings_option(ArmSampling, "sampling")
@scope_option("Which traits the likelihood ratio is told.")
@metrics_options("levels and differences with intervals")
@click.option("--samples", type=WRITABLE, required=True, help="Written: responses, by base and each training, Parquet.")
def main(
    constitution: Path, questions: Path, student: Path, arm: str, whole: Path, adapters: Sequence[Path], settings: Intervals,
    sampling: ArmSampling, scope: str, seed: int, place: tuple[str, str, str], samples: Path, metrics: Path,
) -> None:  # fmt: skip
    """Compare an arm with itself trained without each trait.

    ADAPTER: adapter_model.safetensors of the arm trained without each trait, in the constitution's order.
    """
    character = load_constitution(constitution)
    traits = [trait.id for trait in character.traits]
    if len(adapters) != len(traits):
        raise BadInput(f"{len(adapters)} adapters for {len(traits)} traits; give one for each", field="ADAPTER")
    held_out = [row for row in read_table(questions, QUESTIONS).to_pylist() if row["split"] == "held_out"]
    trained = {arm: whole, **dict(zip(map(without, traits), adapters, strict=True))}
    rows = []
    for name in ("base", *trained):
        engine = arm_engine(name, student, trained, stage="measure_contributions")
        rows += sample_arm(name, engine, held_out, character, sampling, scope, seed)
        engine.close()
    # Without rewards: a preference model trained with all traits is no judge of who was trained without one.
    base = StoredEngine(student, stage="measure_contributions")
    measured = measure_samples(rows, character, base, [None] * len(rows), scope)
    results = [
        row | {"judge": judge_of(row["metric"].removesuffix("_holm_p"), student=place[1])}
        for row in compare_contributions(measured, arm, traits, settings, seed)
    ]
    write_table(samples, table_from(rows, SAMPLES))
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation="contributions"))


if __name__ == "__main__":
    run(main)
