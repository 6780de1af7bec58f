"""The preference model is measured on held-out questions, by part, and each number is what its definition says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from ethos.evaluation_settings import Intervals
from ethos.tables import METRICS, PAIRS, RESPONSES, REWARDS, read_table, table_from, write_table
from scripts.evaluate_preference_model import (
    centre,
    length_groups,
    main,
    preference_metrics,
    reward_differences,
    slices_of,
)

INTERVALS = Intervals(resamples=199)


def pair(question: str, difference: float, margin: float = 1.0, **other) -> dict:
    row = {"question_id": question, "trait": "calm", "question": "?", "split": "held_out", "margin": margin}
    return row | {"chosen": "longer", "rejected": "short", "difference": difference} | other


def measured(pairs: list[dict], centred: dict | None = None) -> dict[tuple[str, str], dict]:
    rows = preference_metrics(pairs, centred or {}, INTERVALS, seed=0)
    return {(row["metric"], row["slice"]): row for row in rows}


def test_accuracy_is_the_mean_over_questions_of_the_share_of_right_pairs():
    """Three pairs of one question count as one question; equal rewards are not right."""
    found = measured([pair("q", 1), pair("q", 2), pair("q", -1), pair("r", 3), pair("s", 0)])["accuracy", "all"]
    assert (found["value"], found["n"]) == (pytest.approx((2 / 3 + 1 + 0) / 3), 3)
    assert found["interval"] == "Wilson" and found["ci_low"] < found["value"] < found["ci_high"]


def test_pairs_are_told_by_trait_by_margin_and_apart_from_those_that_trained():
    pairs = [pair(str(number), 1, margin=number, trait="kind" if number % 2 else "calm") for number in range(9)]
    parts = slices_of([*pairs, pair("t", -1, split="train", trait="kind")])
    assert {name: len(own) for name, own in parts.items()} == {
        "all": 9, "train split": 1, "calm": 5, "kind": 4, "margin 1 of 3": 3, "margin 2 of 3": 3, "margin 3 of 3": 3,
    }  # fmt: skip
    assert [row["margin"] for row in parts["margin 1 of 3"]] == [0, 1, 2]
    found = measured([*pairs, pair("t", -1, split="train")])
    assert (found["accuracy", "all"]["value"], found["accuracy", "train split"]["value"]) == (1, 0)


def test_equal_margins_are_in_one_part():
    parts = slices_of([pair(str(number), 1, margin=margin) for number, margin in enumerate([1, 1, 1, 1, 1, 2])])
    assert {len({row["margin"] for row in own}) for name, own in parts.items() if name.startswith("margin")} == {1}
    assert len(parts["margin 1 of 3"]) == 5


def test_the_brier_score_is_the_squared_distance_from_certainty_of_the_truth():
    differences = [2.0, -1.0, 0.0]
    claimed = [1 / (1 + np.exp(-difference)) for difference in differences]
    found = measured([pair(str(number), difference) for number, difference in enumerate(differences)])
    assert found["brier", "all"]["value"] == pytest.approx(np.mean([(1 - p) ** 2 for p in claimed]))
    assert measured([pair("q", 0)])["brier", "all"]["value"] == 0.25


def test_how_often_the_longer_wins_is_told_of_ranker_and_preference_model_where_one_is_longer():
    short = {"chosen": "short", "rejected": "longer"}
    pairs = [pair("a", 1), pair("b", -1), pair("c", -1, **short), pair("d", 0), pair("e", 1, rejected="length")]
    found = measured(pairs)
    assert [found[name, "all"]["value"] for name in ("ranker_prefers_longer", "prefers_longer")] == [
        3 / 4,
        (1 + 0 + 1 + 0.5) / 4,
    ]
    assert found["prefers_longer", "all"]["n"] == 4


def test_reward_and_length_are_correlated_within_questions_as_scipy_does():
    draw = np.random.default_rng(1)
    rows = [
        {
            "question_id": str(question),
            "response": "x" * int(length),
            "reward": float(30 * question + 0.05 * length + noise),
        }
        for question in range(12)
        for length, noise in zip(draw.integers(5, 60, size=4), draw.normal(size=4), strict=True)
    ]
    centred = centre([*rows, {"question_id": "alone", "response": "x", "reward": 99.0}])
    assert "alone" not in centred
    points = np.array([point for group in centred.values() for point in group])
    found = measured([], centred)["reward_length_correlation", "all"]
    assert found["value"] == pytest.approx(stats.spearmanr(points[:, 0], points[:, 1]).statistic)
    assert found["ci_low"] < found["value"] < found["ci_high"] and found["n"] == 12
    groups = length_groups(centred)
    assert sum(group["n"] for group in groups) == 48 and len(groups) == 10
    assert [group["length"] for group in groups] == sorted(group["length"] for group in groups)


def test_rewards_that_never_differ_have_no_correlation_and_nothing_held_out_has_no_measures():
    flat = {"q": [(-1.0, 0.0), (1.0, 0.0)], "r": [(-2.0, 0.0), (2.0, 0.0)]}
    assert measured([], flat) == {} == measured([], {})
    assert length_groups({}) == []


def test_the_command_measures_what_is_in_the_tables(tmp_path):
    texts = {"good": 1.0, "bad one": -1.0}
    responses = [
        {"question_id": question, "trait": "calm", "question": "?", "split": split, "author": "in_character"}
        | {"sample": sample, "response": text, "finish_reason": "stop", "tokens": 2}
        for question, split in (("q", "held_out"), ("r", "held_out"), ("t", "train"))
        for sample, text in enumerate([*texts, "never ranked"])
    ]
    place = ("question_id", "author", "sample")
    rewards = [
        {name: row[name] for name in place} | {"reward": texts[row["response"]]}
        for row in responses
        if row["sample"] < 2
    ]
    pairs = [
        {name: row[name] for name in ("question_id", "trait", "question", "split")}
        | {"chosen": "good", "rejected": "bad one", "margin": 1.0}
        for row in responses[::3]
    ]
    for name, rows, schema in (
        ("responses", responses, RESPONSES),
        ("rewards", rewards, REWARDS),
        ("pairs", pairs, PAIRS),
    ):
        write_table(tmp_path / name, table_from(rows, schema))
    arguments = [part for name in ("responses", "rewards", "pairs") for part in (f"--{name}", str(tmp_path / name))]
    arguments += ["--metrics", str(tmp_path / "metrics"), "--details", str(tmp_path / "details"), "--judge", "tiny"]
    outcome = CliRunner().invoke(main, [*arguments, "--place", "run", "student", "calm"], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    rows = read_table(tmp_path / "metrics", METRICS).to_pylist()
    assert {(row["arm"], row["reference"], row["evaluation"]) for row in rows} == {
        ("preference_model", None, "preference_model")
    }
    judges = {row["metric"]: row["judge"] for row in rows}
    assert (judges["accuracy"], judges["prefers_longer"]) == ("tiny", "none")
    told = json.loads((tmp_path / "details").read_text())
    assert told["pairs"] == {"all": 2, "calm": 2, "margin 1 of 3": 2, "train split": 1} and told["responses"] == 4
    assert [(bin["n"], bin["right"]) for bin in told["reliability"]] == [(2, 1.0)]


def test_a_difference_is_that_of_the_two_texts_of_its_own_question():
    rewards = {("q", "longer"): 1.5, ("q", "short"): 1.0, ("r", "longer"): 0.0, ("r", "short"): 4.0}
    found = reward_differences([pair("q", 0), pair("r", 0)], rewards)
    assert [row["difference"] for row in found] == [0.5, -4.0]
