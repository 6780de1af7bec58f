"""Judges judged: how far preference model, likelihood ratio and judge agree with each other, and with labels of people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import numpy as np
from pydantic import BaseModel, ConfigDict

from ethos.constitution import Constitution, load_constitution
from ethos.engine import Sampling
from ethos.evaluation_settings import Intervals, Judges
from ethos.prompts import prompt_data
from ethos.proportions import share_with_interval
from ethos.rank_correlation import rank_correlation
from ethos.rankers import score_responses
from ethos.script import READABLE, WRITABLE, metrics_options, preference_model_options, run, settings_option
from ethos.seeds import derive_seed
from ethos.statistics import Estimate, pooled_with_interval
from ethos.stored_engine import StoredEngine
from ethos.stored_rewards import StoredRewards
from ethos.tables import JUDGEMENTS, metrics_table, table_from, write_table

Row = Mapping[str, Any]
AUTHORS = "authors"


class LabelledPair(BaseModel):
    """Two responses to a question; `better` shows the trait better. subtle: both show it to some degree."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trait: str
    subtle: bool
    question: str
    better: str
    worse: str


class LabelledPairs(BaseModel):
    """`prompts/labelled_pairs.yaml`: pairs by constitution."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs: dict[str, list[LabelledPair]]


def pairs_of(constitution: Constitution, labelled: LabelledPairs) -> list[LabelledPair]:
    """The labelled pairs of a constitution; those of a trait that it has no more are left out."""
    traits = {trait.id for trait in constitution.traits}
    return [pair for pair in labelled.pairs.get(constitution.name, []) if pair.trait in traits]


def scores_by_ranker(
    method: str,
    pairs: Sequence[LabelledPair],
    constitution: Constitution,
    judge: StoredEngine,
    sampling: Sampling,
    seed: int,
) -> tuple[list[float], dict[str, int]]:
    """The score of each pair's better response minus the worse one's, as the ranker of this name has it, and its counts.

    pairs: of this constitution.

    0 where verdicts depend on the order or can't be parsed; the counts say how many of each there are.
    """
    groups = {
        str(number): [
            {"question_id": str(number), "trait": pair.trait, "question": pair.question, "response": response}
            | {"author": author, "sample": 0}
            for author, response in (("better", pair.better), ("worse", pair.worse))
        ]
        for number, pair in enumerate(pairs)
    }
    scores, counts = score_responses(method, groups, constitution, judge, sampling, seed)
    return [better - worse for better, worse in scores.values()], counts


def scores_by_preference_model(pairs: Sequence[LabelledPair], model: StoredRewards) -> list[float]:
    """The reward of each pair's better response minus the worse one's, logits."""
    rewards = model.score([(pair.question, text) for pair in pairs for text in (pair.better, pair.worse)])
    return [better - worse for better, worse in zip(rewards[::2], rewards[1::2], strict=True)]


def judge_metrics(judgements: Sequence[Row], intervals: Intervals, seed: int) -> list[dict[str, Any]]:
    """How each method agrees with the labels and with each other, and whether it goes by length.

    judgements: rows of tables.JUDGEMENTS; two methods are compared on the pairs that both judged. Pairs without a verdict are
    left out, and n says so. slice: all pairs, plain or subtle ones, or those of one constitution. Returns the fields of
    tables.METRICS that are known here. kappa: Cohen's (1960, doi:10.1177/001316446002000104) with each pair entered in both
    orders, since which response is named first means nothing: chance is then one half, and kappa twice the share of equal
    verdicts minus one.
    """
    pairs = {row["question"]: row for row in judgements}
    differences: dict[str, dict[str, float]] = {}
    for row in judgements:
        differences.setdefault(row["method"], {})[row["question"]] = row["difference"]
    how = {"confidence": intervals.confidence, "resamples": intervals.resamples}
    lengths = {question: len(pair["better"]) - len(pair["worse"]) for question, pair in pairs.items()}
    parts = {
        "all": set(pairs),
        "plain": {question for question, pair in pairs.items() if not pair["subtle"]},
        "subtle": {question for question, pair in pairs.items() if pair["subtle"]},
    }
    for question, pair in pairs.items():
        parts.setdefault(pair["measured"], set()).add(question)
    rows = [_row(AUTHORS, None, "pairs", Estimate(float(len(pairs)), None, None, len(pairs), "none"))]

    def tell(method: str, reference: str | None, metric: str, hits: Sequence[bool], part: str = "all") -> None:
        if hits:
            found = share_with_interval(sum(hits), len(hits), confidence=intervals.confidence)
            rows.append(_row(method, reference, metric, found, part))

    for method, own in differences.items():
        for part, wanted in parts.items():
            hits = [value > 0 for question, value in own.items() if value and question in wanted]
            tell(method, AUTHORS, "accuracy", hits, part)
        if method != "pairwise":  # its verdicts have no size
            ends = (np.array([lengths[question], value]) for question, value in own.items())
            points = [np.array([end, -end]) for end in ends]
            draw = derive_seed(seed, "bootstrap", "judges", method)
            found = pooled_with_interval(
                points, lambda rows: rank_correlation(rows[:, 0], rows[:, 1]), seed=draw, **how
            )
            rows += [_row(method, None, "score_length_correlation", found)] if found else []
    labelled = {AUTHORS: dict.fromkeys(pairs, 1.0), **differences}
    for method, own in labelled.items():
        told = [(value, lengths[question]) for question, value in own.items() if value and lengths[question]]
        tell(method, None, "prefers_longer", [(value > 0) == (length > 0) for value, length in told])
    for reference, method in combinations(labelled, 2):
        own, other = labelled[method], labelled[reference]
        both = [(own[question], other[question]) for question in own if own[question] and other.get(question)]
        if both:
            hits = sum((a > 0) == (b > 0) for a, b in both)
            share = share_with_interval(hits, len(both), confidence=intervals.confidence)
            value, low, high = (2 * bound - 1 for bound in (share.value, share.low, share.high))
            rows.append(_row(method, reference, "kappa", Estimate(value, low, high, share.n, share.method)))
    return rows


def verdict_metrics(method: str, counts: Mapping[str, int], intervals: Intervals) -> list[dict[str, Any]]:
    """The share of pairs whose verdict depends on the order, and of those with one that can't be parsed."""
    return [
        _row(
            method, None, metric, share_with_interval(counts[metric], counts["pairs"], confidence=intervals.confidence)
        )
        for metric in ("order_dependent", "unparsed")
        if counts.get("pairs")
    ]


def _row(arm: str, reference: str | None, metric: str, found: Estimate, part: str = "all") -> dict[str, Any]:
    return {
        "arm": arm, "reference": reference, "metric": metric, "slice": part, "value": found.value,
        "ci_low": found.low, "ci_high": found.high, "interval": found.method, "n": found.n,
    }  # fmt: skip


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution that was trained, YAML.")
@click.option(
    "--other", "others", type=READABLE, multiple=True, help="Another whose pairs are labelled, YAML; repeatable."
)
@click.option(
    "--student", type=READABLE, required=True, help="identity.json of the student; base of the preference model."
)
@click.option("--judge", type=READABLE, required=True, help="identity.json of the judge.")
@preference_model_options
@settings_option(Judges)
@settings_option(Intervals, "intervals")
@metrics_options("agreement with intervals")
@click.option("--judgements", type=WRITABLE, required=True, help="Written: each pair and what judged it, Parquet.")
def main(
    constitution: Path, others: tuple[Path, ...], student: Path, judge: Path, preference_model: Path, precision: str, max_tokens: int,
    settings: Judges, intervals: Intervals, seed: int, place: tuple[str, str, str], judgements: Path, metrics: Path,
) -> None:  # fmt: skip
    """Compare what judges character with pairs that were labelled by people, and with each other."""
    characters = [load_constitution(path) for path in (constitution, *others)]
    labelled = prompt_data("labelled_pairs", LabelledPairs)
    pairs = {character.name: pairs_of(character, labelled) for character in characters}
    ranker = StoredEngine(judge, stage="evaluate_judges")
    judged, told = [], []
    for method in settings.methods:
        differences: dict[str, list[float]] = {}
        if method == "preference_model":  # it was trained for one character
            model = StoredRewards(
                student, preference_model.parent, precision=precision, max_tokens=max_tokens, stage="evaluate_judges"
            )
            differences[characters[0].name] = scores_by_preference_model(pairs[characters[0].name], model)
            model.close()
        else:
            counts: Counter[str] = Counter()
            for character in characters:
                differences[character.name], own = scores_by_ranker(
                    method, pairs[character.name], character, ranker, settings.sampling, seed
                )
                counts.update(own)
            told += verdict_metrics(method, counts, intervals)
        judged += [
            {"method": method, "measured": name, **pair.model_dump(), "difference": difference}
            for name, own in differences.items()
            for pair, difference in zip(pairs[name], own, strict=True)
        ]
    judges = {AUTHORS: "authors of this project", "preference_model": "preference model"}
    results = [
        row | {"judge": judges.get(row["arm"], ranker.name)} for row in [*judge_metrics(judged, intervals, seed), *told]
    ]
    write_table(judgements, table_from(judged, JUDGEMENTS))
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation="judges"))


if __name__ == "__main__":
    run(main)
