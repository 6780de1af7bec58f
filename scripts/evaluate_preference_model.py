"""Measure the preference model itself: held-out accuracy, calibration, and whether it goes by length."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from ethos.calibration import calibration_error, calibration_error_by_chance, reliability_bins
from ethos.evaluation_settings import Intervals
from ethos.files import write_json
from ethos.rank_correlation import rank_correlation
from ethos.script import READABLE, WRITABLE, metrics_options, run, settings_option
from ethos.seeds import derive_seed
from ethos.statistics import Estimate, mean_with_interval, pooled_with_interval
from ethos.tables import PAIRS, RESPONSES, REWARDS, metrics_table, read_table, write_table

Row = Mapping[str, Any]
Point = tuple[float, float]
_PLACE = ("question_id", "author", "sample")
# The splits as slices; `all` is what an evaluation is about, as everywhere, and no trait's id has a space in it.
_SPLITS = {"held_out": "all", "train": "train split"}
_LENGTH_GROUPS = 10
# Not compared with what the judge said.
_COUNTED = ("prefers_longer", "reward_length_correlation")


def reward_differences(pairs: Sequence[Row], rewards: Mapping[tuple[str, str], float]) -> list[dict[str, Any]]:
    """The pairs with `difference`, the chosen response's reward minus the rejected one's, in logits.

    pairs: rows of tables.PAIRS. rewards: by (question id, response).
    """
    return [
        {
            **pair,
            "difference": rewards[pair["question_id"], pair["chosen"]] - rewards[pair["question_id"], pair["rejected"]],
        }
        for pair in pairs
    ]


def slices_of(pairs: Sequence[Row]) -> dict[str, list[Row]]:
    """Pairs by what accuracy is told of: held-out ones (`all`), the same by trait and by third of the ranker's margin, and
    those that trained.

    The margin's thirds are cut at its quantiles: equal margins are in one part, so that a part may be missing.
    """
    parts: dict[str, list[Row]] = defaultdict(list)
    for pair in pairs:
        parts[_SPLITS[pair["split"]]].append(pair)
    held_out = parts["all"]
    for pair in held_out:
        parts[pair["trait"]].append(pair)
    if held_out:
        cuts = np.quantile([pair["margin"] for pair in held_out], [1 / 3, 2 / 3])
        for pair in sorted(held_out, key=lambda pair: pair["margin"]):
            parts[f"margin {1 + np.searchsorted(cuts, pair['margin'])} of 3"].append(pair)
    return {name: rows for name, rows in parts.items() if rows}


def by_question(rows: Sequence[Row], values: Sequence[float]) -> list[float]:
    """The mean of the values of each question's rows: what a bootstrap over questions draws from."""
    groups: dict[str, list[float]] = defaultdict(list)
    for row, value in zip(rows, values, strict=True):
        groups[row["question_id"]].append(value)
    return [sum(group) / len(group) for group in groups.values()]


def preference_metrics(
    pairs: Sequence[Row], centred: Mapping[str, Sequence[Point]], intervals: Intervals, seed: int
) -> list[dict[str, Any]]:
    """Accuracy by slice, and of held-out pairs and responses: calibration, and how far rewards go by length.

    pairs: as of `reward_differences`. centred: as of `centre`, held-out ones. Returns the fields of tables.METRICS that are
    known here. Equal rewards are not right, and half a win of the longer response.
    """
    rows = []

    def tell(metric: str, own: Sequence[Row], values: Sequence[float], part: str = "all") -> None:
        if own:
            found = mean_with_interval(by_question(own, values), share=True, **_how(intervals, seed, metric, part))
            rows.append(_metric(metric, part, found))

    parts = slices_of(pairs)
    for part, own in parts.items():
        tell("accuracy", own, [float(pair["difference"] > 0) for pair in own], part)
    held_out = parts.get("all", [])
    tell("brier", held_out, [(1 / (1 + np.exp(pair["difference"]))) ** 2 for pair in held_out])
    if held_out:
        differences = [pair["difference"] for pair in held_out]
        chance = calibration_error_by_chance(differences, seed=derive_seed(seed, "calibration by chance"))
        for metric, value in (
            ("calibration_error", calibration_error(differences)),
            ("calibration_error_by_chance", chance),
        ):
            rows.append(_metric(metric, "all", Estimate(value, None, None, len(held_out), "none")))
    unequal = [pair for pair in held_out if len(pair["chosen"]) != len(pair["rejected"])]
    longer = [1.0 if len(pair["chosen"]) > len(pair["rejected"]) else -1.0 for pair in unequal]
    gained = [sign * pair["difference"] for sign, pair in zip(longer, unequal, strict=True)]
    tell("ranker_prefers_longer", unequal, [float(sign > 0) for sign in longer])
    tell("prefers_longer", unequal, np.heaviside(gained, 0.5).tolist())
    metric = "reward_length_correlation"
    found = pooled_with_interval(
        [np.array(points) for points in centred.values()],
        lambda points: rank_correlation(points[:, 0], points[:, 1]),
        **_how(intervals, seed, metric, "all"),
    )
    return [*rows, _metric(metric, "all", found)] if found else rows


def _how(intervals: Intervals, seed: int, metric: str, part: str) -> dict[str, Any]:
    draw = derive_seed(seed, "bootstrap", "preference_model", metric, part)
    return {"confidence": intervals.confidence, "resamples": intervals.resamples, "seed": draw}


def centre(rows: Sequence[Row]) -> dict[str, list[Point]]:
    """Length in characters and reward of each response, minus its question's means; lone responses say nothing.

    rows: with `question_id`, `response` and `reward`.
    """
    groups: dict[str, list[Point]] = defaultdict(list)
    for row in rows:
        groups[row["question_id"]].append((float(len(row["response"])), row["reward"]))
    return {
        question: [tuple(point) for point in (np.array(points) - np.mean(points, axis=0)).tolist()]
        for question, points in groups.items()
        if len(points) > 1
    }


def length_groups(centred: Mapping[str, Sequence[Point]]) -> list[dict[str, float]]:
    """Up to ten groups of about as many responses, by length: mean length and mean reward, each within its question."""
    points = np.array(sorted(point for group in centred.values() for point in group))
    if not len(points):
        return []
    return [
        {"length": float(part[:, 0].mean()), "reward": float(part[:, 1].mean()), "n": len(part)}
        for part in np.array_split(points, min(_LENGTH_GROUPS, len(points)))
    ]


def _metric(metric: str, part: str, found: Estimate) -> dict[str, Any]:
    return {
        "arm": "preference_model", "reference": None, "metric": metric, "slice": part, "value": found.value,
        "ci_low": found.low, "ci_high": found.high, "interval": found.method, "n": found.n,
    }  # fmt: skip


@click.command()
@click.option("--pairs", type=READABLE, required=True, help="Preference pairs of the ranker, Parquet.")
@click.option("--rewards", type=READABLE, required=True, help="The reward of each response, Parquet.")
@click.option("--responses", type=READABLE, required=True, help="The responses, Parquet.")
@settings_option(Intervals)
@click.option("--judge", default="judge", show_default=True, help="Name of the model that ranked.")
@metrics_options("all measures with intervals")
@click.option("--details", type=WRITABLE, required=True, help="Written: counts, and what the figures show, JSON.")
def main(
    pairs: Path, rewards: Path, responses: Path, settings: Intervals, judge: str, seed: int,
    place: tuple[str, str, str], metrics: Path, details: Path,
) -> None:  # fmt: skip
    """Measure the preference model itself: held-out accuracy, calibration, and whether it goes by length."""
    scored = {tuple(row[name] for name in _PLACE): row["reward"] for row in read_table(rewards, REWARDS).to_pylist()}
    answered = [
        row | {"reward": scored[key]}
        for row in read_table(responses, RESPONSES).to_pylist()
        if (key := tuple(row[name] for name in _PLACE)) in scored
    ]
    by_text = {(row["question_id"], row["response"]): row["reward"] for row in answered}
    compared = reward_differences(read_table(pairs, PAIRS).to_pylist(), by_text)
    held_out = centre([row for row in answered if row["split"] == "held_out"])
    results = [
        row | {"judge": "none" if row["metric"] in _COUNTED else judge}
        for row in preference_metrics(compared, held_out, settings, seed)
    ]
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation="preference_model"))
    parts = slices_of(compared)
    write_json(
        details,
        {
            "pairs": {part: len(own) for part, own in parts.items()},
            "responses": sum(map(len, held_out.values())),
            "reliability": reliability_bins([pair["difference"] for pair in parts.get("all", [])]),
            "lengths": length_groups(held_out),
        },
    )


if __name__ == "__main__":
    run(main)
