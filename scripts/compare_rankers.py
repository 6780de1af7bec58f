"""Measure how far other rankers agree with the run's own on a few questions; nothing trains on what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.constitution import load_constitution
from ethos.evaluation_settings import Intervals
from ethos.files import write_json
from ethos.rank_correlation import rank_agreement
from ethos.rankers import score_responses
from ethos.script import READABLE, WRITABLE, run, settings_option
from ethos.seeds import derive_seed
from ethos.stage_settings import RankerComparison
from ethos.statistics import mean_with_interval
from ethos.stored_engine import StoredEngine
from ethos.tables import RANKINGS, RESPONSES, read_table

_PLACE = ("question_id", "author", "sample")


def draw_questions(
    rankings: Sequence[Mapping[str, Any]], responses: Sequence[Mapping[str, Any]], most: int, seed: int
) -> tuple[dict[str, list[Mapping[str, Any]]], dict[str, list[float]]]:
    """At most `most` of the ranked questions: the responses to each that were ranked, and the run's scores of them.

    rankings, responses: rows of tables.RANKINGS and tables.RESPONSES. Each question draws its own lot, so that one more
    question displaces one at most.
    """
    texts = {tuple(row[name] for name in _PLACE): row for row in responses}
    groups: dict[str, list[Mapping[str, Any]]] = {}
    scores: dict[str, list[float]] = {}
    for row in rankings:
        groups.setdefault(row["question_id"], []).append(texts[tuple(row[name] for name in _PLACE)])
        scores.setdefault(row["question_id"], []).append(row["score"])
    drawn = sorted(groups, key=lambda question: derive_seed(seed, "compared", question))[:most]
    return {question: groups[question] for question in drawn}, {question: scores[question] for question in drawn}


def agreement(
    own: Mapping[str, Sequence[float]], other: Mapping[str, Sequence[float]], intervals: Intervals, seed: int
) -> dict[str, Any]:
    """Kendall's tau-b of two rankers' scores, averaged over questions, with its interval.

    A question on which one of the two ties all responses has no tau; `tied` counts those. value is null where no
    question has one.
    """
    found = [rank_agreement(own[question], other[question]) for question in own]
    taus = [tau for tau in found if tau is not None]
    told: dict[str, Any] = {"value": None, "ci_low": None, "ci_high": None, "interval": "none", "n": len(taus)}
    if taus:
        mean = mean_with_interval(
            taus, confidence=intervals.confidence, resamples=intervals.resamples, seed=derive_seed(seed, "agreement")
        )
        told |= {"value": mean.value, "ci_low": mean.low, "ci_high": mean.high, "interval": mean.method}
    return told | {"tied": len(found) - len(taus)}


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--rankings", type=READABLE, required=True, help="The run's own rankings, Parquet.")
@click.option("--responses", type=READABLE, required=True, help="Responses, Parquet.")
@click.option("--judge", type=READABLE, required=True, help="identity.json of the judge.")
@settings_option(RankerComparison)
@settings_option(Intervals, "intervals")
@click.option("--seed", type=int, default=0, show_default=True, help="The run's data seed.")
@click.option("--comparison", type=WRITABLE, required=True, help="Written: agreement and counts of each ranker, JSON.")
def main(
    constitution: Path,
    rankings: Path,
    responses: Path,
    judge: Path,
    settings: RankerComparison,
    intervals: Intervals,
    seed: int,
    comparison: Path,
) -> None:
    """Measure how far other rankers agree with the run's own on a few questions; nothing trains on what they say."""
    engine = StoredEngine(judge, stage="compare_rankers")
    character = load_constitution(constitution)
    groups, own = draw_questions(
        read_table(rankings, RANKINGS).to_pylist(),
        read_table(responses, RESPONSES).to_pylist(),
        settings.compared_questions,
        seed,
    )
    rankers = {}
    for method in sorted({*settings.compared} - {settings.method}):
        scores, counts = score_responses(method, groups, character, engine, settings.sampling, seed)
        rankers[method] = {"tau_b": agreement(own, scores, intervals, seed), "counts": counts}
    write_json(comparison, {"method": settings.method, "questions": len(groups), "rankers": rankers})


if __name__ == "__main__":
    run(main)
