"""Judges that agree with the labels are told from those that do not, and from those that go by length."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ethos.constitution import load_constitution
from ethos.evaluation_settings import Intervals
from ethos.folding import fold
from ethos.prompts import prompt_data
from ethos.proportions import share_with_interval
from ethos.tables import JUDGEMENTS, table_from
from scripts.evaluate_judges import LabelledPair, LabelledPairs, judge_metrics, pairs_of, verdict_metrics
from tests.conftest import ROOT
from tests.given_questions import given_questions

INTERVALS = Intervals(resamples=999)
LABELLED: LabelledPairs = prompt_data("labelled_pairs", LabelledPairs)
MEASURED = {pair.question: name for name, pairs in LABELLED.pairs.items() for pair in pairs}
ALL = [pair for pairs in LABELLED.pairs.values() for pair in pairs]


def judged(pairs: list[LabelledPair], **scores) -> list[dict]:
    """Rows of tables.JUDGEMENTS. scores: by method, a function of a pair."""
    return [
        {"method": method, "measured": MEASURED[pair.question], **pair.model_dump(), "difference": float(score(pair))}
        for method, score in scores.items()
        for pair in pairs
    ]


def found(rows: list[dict], seed: int = 0) -> dict[tuple, dict]:
    assert table_from(rows, JUDGEMENTS).num_rows == len(rows)
    metrics = judge_metrics(rows, INTERVALS, seed)
    by_place = {(row["metric"], row["arm"], row["reference"], row["slice"]): row for row in metrics}
    assert len(by_place) == len(metrics)
    return by_place


def longer(pair: LabelledPair) -> int:
    return len(pair.better) - len(pair.worse)


def test_sixty_pairs_half_subtle_and_longer_is_better_about_half_of_the_time():
    assert len(ALL) == 60 == len({fold(pair.question) for pair in ALL})
    assert sum(pair.subtle for pair in ALL) == 30
    for part in (True, False):
        own = [pair for pair in ALL if pair.subtle is part]
        assert 12 <= sum(longer(pair) > 0 for pair in own) <= 18
    assert {name: len(pairs) for name, pairs in LABELLED.pairs.items()} == {
        "poeticism": 20, "candor": 10, "sarcasm": 10, "humor": 10, "sycophancy": 10
    }  # fmt: skip


@pytest.mark.parametrize("name", LABELLED.pairs)
def test_each_pair_is_of_a_trait(name):
    constitution = load_constitution(ROOT / "constitutions" / f"{name}.yaml")
    pairs = pairs_of(constitution, LABELLED)
    assert len(pairs) == len(LABELLED.pairs[name])
    assert {pair.trait for pair in pairs} == {trait.id for trait in constitution.traits}


def test_no_pair_asks_what_trains_or_nearly_does():
    near = given_questions()
    assert [pair.question for pair in ALL if near.of(pair.question)] == []


def test_pairs_of_a_trait_that_is_gone_are_left_out_and_a_constitution_without_any_has_none():
    poeticism = load_constitution(ROOT / "constitutions" / "poeticism.yaml")
    fewer = poeticism.model_copy(update={"traits": poeticism.traits[1:]})
    assert len(pairs_of(fewer, LABELLED)) == 18
    assert pairs_of(load_constitution(ROOT / "constitutions" / "goodness.yaml"), LABELLED) == []


def test_a_perfect_judge_a_coin_and_one_that_goes_by_length():
    draw = np.random.default_rng(0)
    rows = judged(
        ALL,
        preference_model=lambda pair: 1 + draw.random(),
        likelihood_ratio=longer,
        pairwise=lambda pair: draw.choice([-1.0, 1.0]),
    )
    metrics = found(rows)
    assert metrics["accuracy", "preference_model", "authors", "all"]["value"] == 1
    assert metrics["kappa", "preference_model", "authors", "all"]["value"] == 1
    coin = metrics["accuracy", "pairwise", "authors", "all"]
    assert coin["ci_low"] < 0.5 < coin["ci_high"]
    share = sum(longer(pair) > 0 for pair in ALL) / 60
    assert metrics["accuracy", "likelihood_ratio", "authors", "all"]["value"] == pytest.approx(share)
    assert metrics["prefers_longer", "likelihood_ratio", None, "all"]["value"] == 1
    assert metrics["score_length_correlation", "likelihood_ratio", None, "all"]["value"] == pytest.approx(1)
    assert metrics["prefers_longer", "authors", None, "all"]["value"] == pytest.approx(share)
    by_chance = metrics["score_length_correlation", "preference_model", None, "all"]
    assert by_chance["ci_low"] < 0.2  # the labels regard no length, and so does this judge
    assert ("score_length_correlation", "pairwise", None, "all") not in metrics


def test_the_correlation_with_length_is_spearmans_over_both_responses_of_each_pair():
    scores = {pair.question: math.sin(number) for number, pair in enumerate(ALL)}
    rows = judged(ALL, likelihood_ratio=lambda pair: scores[pair.question])
    own = found(rows)["score_length_correlation", "likelihood_ratio", None, "all"]
    lengths = [sign * longer(pair) for pair in ALL for sign in (1, -1)]
    values = [sign * scores[pair.question] for pair in ALL for sign in (1, -1)]
    assert own["value"] == pytest.approx(stats.spearmanr(lengths, values).statistic)


def test_kappa_is_cohens_over_the_pairs_in_both_orders():
    draw = np.random.default_rng(1)
    first, second = draw.normal(size=60), draw.normal(size=60)
    ones, others = iter(first), iter(second)
    rows = judged(ALL, preference_model=lambda pair: next(ones), likelihood_ratio=lambda pair: next(others))
    own = found(rows)["kappa", "likelihood_ratio", "preference_model", "all"]
    # By its definition, from a table of counts.
    a = np.concatenate([first > 0, first < 0])
    b = np.concatenate([second > 0, second < 0])
    observed = np.mean(a == b)
    expected = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    assert own["value"] == pytest.approx((observed - expected) / (1 - expected))
    assert own["ci_low"] < own["value"] < own["ci_high"] and own["n"] == 60


def test_two_that_judge_other_pairs_are_compared_on_those_that_both_do():
    """The preference model knows one character, the others all: each is right wherever it judges, but for the last pairs."""
    own = [pair for pair in ALL if MEASURED[pair.question] == "poeticism"]
    wrong = {pair.question for pair in (*own[-4:], *ALL[-6:])}
    rows = judged(own, preference_model=lambda pair: 1.0)
    metrics = found(rows + judged(ALL, likelihood_ratio=lambda pair: -1.0 if pair.question in wrong else 1.0))
    assert metrics["pairs", "authors", None, "all"]["value"] == 60
    accuracy = {
        part: metrics["accuracy", "likelihood_ratio", "authors", part] for part in ("all", "poeticism", "sycophancy")
    }
    assert {part: (row["value"], row["n"]) for part, row in accuracy.items()} == {
        "all": (50 / 60, 60), "poeticism": (16 / 20, 20), "sycophancy": (4 / 10, 10)
    }  # fmt: skip
    assert metrics["accuracy", "preference_model", "authors", "all"]["n"] == 20
    both = metrics["kappa", "likelihood_ratio", "preference_model", "all"]
    assert (both["value"], both["n"]) == (pytest.approx(2 * 16 / 20 - 1), 20)


def test_a_pair_without_a_verdict_counts_for_nothing():
    verdicts = iter([0.0] * 10 + [1.0] * 50)
    metrics = found(judged(ALL, pairwise=lambda pair: next(verdicts), likelihood_ratio=lambda pair: 1.0))
    assert metrics["accuracy", "pairwise", "authors", "all"]["n"] == 50
    assert metrics["kappa", "likelihood_ratio", "pairwise", "all"]["n"] == 50
    parts = [metrics["accuracy", "pairwise", "authors", part]["n"] for part in ("plain", "subtle")]
    assert sum(parts) == 50


def test_without_a_labelled_pair_the_table_says_zero_and_no_more():
    [row] = judge_metrics([], INTERVALS, 0)
    assert (row["metric"], row["value"], row["n"]) == ("pairs", 0.0, 0)
    assert verdict_metrics("pairwise", {"pairs": 0, "order_dependent": 0, "unparsed": 0}, INTERVALS) == []


def test_order_dependent_and_unparsed_verdicts_are_results():
    rows = verdict_metrics("pairwise", {"pairs": 20, "decided": 12, "order_dependent": 5, "unparsed": 3}, INTERVALS)
    assert {row["metric"]: row["value"] for row in rows} == {"order_dependent": 0.25, "unparsed": 0.15}
    assert verdict_metrics("likelihood_ratio", {"scored": 40}, INTERVALS) == []


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 10), (20, 20)])
def test_the_interval_of_a_share_is_wilsons(hits, n):
    own, z = share_with_interval(hits, n, confidence=0.95), stats.norm.ppf(0.975)
    centre = (hits + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * math.sqrt(hits * (n - hits) / n + z**2 / 4)
    assert (own.value, own.n) == (hits / n, n)
    assert (own.low, own.high) == pytest.approx((max(0, centre - half), min(1, centre + half)))
