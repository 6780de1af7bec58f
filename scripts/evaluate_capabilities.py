"""Capabilities: let every arm answer questions that have nothing to do with the character."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from ethos.arms import ARMS, arm_engine, arm_files_argument, arm_messages
from ethos.constitution import Constitution, load_constitution
from ethos.engine import Message
from ethos.evaluation_settings import Capabilities, Intervals
from ethos.harness import ArmModel, ask_tasks, prepared_tasks
from ethos.ledger import note_used, tasks_line
from ethos.measures import paired
from ethos.proportions import mcnemar_p, paired_difference, share_with_interval
from ethos.script import READABLE, WRITABLE, metrics_options, run, scope_option, settings_option, shard_option
from ethos.seeds import derive_seed
from ethos.shards import Shard
from ethos.statistics import Estimate, holm, mean_with_interval
from ethos.tables import ITEMS, metrics_table, table_from, write_table

Values = Mapping[tuple[str, int], float]  # of an arm, by part and item


def frame(
    arm: str, constitution: Constitution, scope: str, number: int, question: str, instruction: str
) -> tuple[Message, ...]:
    """What an arm is sent for an item; where the prompted arm is told one trait, items take turns with the traits."""
    trait = constitution.traits[number % len(constitution.traits)].id
    return arm_messages(arm, constitution, trait, question, scope, instruction=instruction)


def capability_metrics(items: Sequence[Mapping[str, Any]], settings: Intervals, seed: int) -> list[dict[str, Any]]:
    """The level of each arm in each task and measure, and its paired difference from base.

    items: rows of tables.ITEMS. All items of a group count alike. Right or wrong answers have Wilson's and Newcombe's
    intervals and McNemar's exact test, Holm-corrected over all arms, tasks and measures; other measures have bootstrap
    intervals over items. Returns the fields of tables.METRICS that are known here.
    """
    values: dict[tuple[str, str], dict[str, dict[tuple[str, int], float]]] = defaultdict(lambda: defaultdict(dict))
    for row in items:
        values[row["task"], row["metric"]][row["arm"]][row["part"], row["item"]] = row["value"]
    rows: list[dict[str, Any]] = []
    tests: list[dict[str, Any]] = []
    for (task, metric), by_arm in values.items():
        right_or_wrong = all(value in (0, 1) for own in by_arm.values() for value in own.values())
        compare = _compare_shares if right_or_wrong else _compare_means
        for arm, own in by_arm.items():
            place = {"arm": arm, "metric": metric, "slice": task}
            other = by_arm["base"] if arm != "base" else None
            level, difference = compare(own, other, settings, derive_seed(seed, "capabilities", *place.values()))
            rows.append(_row(place, None, level))
            if difference:
                rows.append(_row(place, "base", difference))
            if difference and right_or_wrong:
                p = Estimate(mcnemar_p(*_answers(own, other)), None, None, difference.n, "none")
                tests.append(_row(place | {"metric": f"{metric}_mcnemar_holm_p"}, "base", p))
    corrected = holm([test["value"] for test in tests])
    return [*rows, *(test | {"value": p} for test, p in zip(tests, corrected, strict=True))]


def _compare_shares(own: Values, other: Values | None, settings: Intervals, _: int) -> tuple[Estimate, Estimate | None]:
    """The share of right answers, and its difference from the other's."""
    level = share_with_interval(sum(map(bool, own.values())), len(own), confidence=settings.confidence)
    return level, other and paired_difference(*_answers(own, other), confidence=settings.confidence)


def _compare_means(
    own: Values, other: Values | None, settings: Intervals, seed: int
) -> tuple[Estimate, Estimate | None]:
    """The mean over items, and its difference from the other's."""
    options = {"confidence": settings.confidence, "resamples": settings.resamples, "seed": seed}
    level = mean_with_interval([*own.values()], **options)
    return level, other and mean_with_interval([*paired(own, other).values()], **options)


def _answers(own: Values, other: Values) -> tuple[list[bool], list[bool]]:
    """Which of the items were right, for both in one order."""
    return [bool(own[item]) for item in own], [bool(other[item]) for item in own]


def _row(place: Mapping[str, str], reference: str | None, estimate: Estimate) -> dict[str, Any]:
    found = {"value": estimate.value, "ci_low": estimate.low, "ci_high": estimate.high}
    return {**place, "reference": reference, **found, "interval": estimate.method, "n": estimate.n}


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@click.option("--tasks", type=READABLE, required=True, help="tasks.json of the prepared tasks.")
@arm_files_argument
@settings_option(Capabilities)
@settings_option(Intervals, "intervals")
@scope_option("What the prompted arm is told.")
@metrics_options("levels and differences")
@click.option("--items", type=WRITABLE, required=True, help="Written: each item and arm, Parquet.")
@shard_option
def main(
    constitution: Path, student: Path, tasks: Path, settings: Capabilities, intervals: Intervals, scope: str, seed: int,
    place: tuple[str, str, str], items: Path, metrics: Path, arm_files: dict[str, Path],
    shard: Shard,
) -> None:  # fmt: skip
    """Capabilities: let every arm answer questions that have nothing to do with the character."""
    character = load_constitution(constitution)
    note_used([tasks_line(tasks.parent)])
    prepared = prepared_tasks(settings.tasks, tasks.parent)
    rows = []
    for arm in shard.of(ARMS):
        engine = arm_engine(arm, student, arm_files, stage="evaluate_capabilities")
        model = ArmModel(engine, partial(frame, arm, character, scope))
        # The examples shown are the same for all arms, and for all runs: seeds are of what is trained.
        answered = ask_tasks(prepared, model, limit=settings.limit, shots=settings.shots, seed=derive_seed(0, "shots"))
        rows += [{"arm": arm, **row} for row in answered]
        engine.close()
    if shard.is_part:
        return
    results = [row | {"judge": "none"} for row in capability_metrics(rows, intervals, seed)]
    write_table(items, table_from(rows, ITEMS))
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation="capabilities"))


if __name__ == "__main__":
    run(main)
