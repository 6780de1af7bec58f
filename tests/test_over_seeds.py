"""Several seeds are one row: their mean, and how another training would come out."""

from __future__ import annotations

import csv

import pytest
from scipy import stats

from ethos.evaluation_settings import UnseenMessages
from ethos.near_duplicates import NearDuplicates
from ethos.over_seeds import drawn_by_seed, interval_over_seeds, over_seeds
from ethos.persona_samples import unseen_questions
from ethos.run_results import read_cells
from ethos.statistics import t_interval
from ethos.tables import METRICS
from scripts.write_report import metrics_csv
from tests.fake_metrics import estimate
from tests.fake_results import build_run, fake_settings

PLACE = {"student": "s", "constitution": "c", "arm": "persona", "metric": "likelihood_ratio"}


def rows(*values: float | None, **place) -> list[dict]:
    return [estimate(0, 0.1, seed=seed, **PLACE | place) | {"value": value} for seed, value in enumerate(values)]


def test_the_interval_is_scipys():
    values = [0.21, 0.17, 0.3, 0.24]
    found = t_interval(values, confidence=0.9)
    scipys = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((scipys.low, scipys.high))
    assert (found.value, found.n, found.method) == (pytest.approx(0.23), 4, "t over seeds")


def test_one_value_has_no_interval_and_none_is_an_error():
    assert (t_interval([0.5], confidence=0.95).low, t_interval([0.5], confidence=0.95).method) == (None, "none")
    with pytest.raises(ValueError):
        t_interval([], confidence=0.95)


def test_a_planted_effect_is_found_and_none_where_there_is_none():
    (planted,) = over_seeds(rows(0.21, 0.19, 0.2), 0.95)
    (nothing,) = over_seeds(rows(0.2, -0.19, 0.01), 0.95)
    assert planted["ci_low"] > 0
    assert nothing["ci_low"] < 0 < nothing["ci_high"]


def test_equal_values_keep_the_interval_that_all_seeds_have_over_prompts_and_else_have_none():
    alike = rows(0.75, 0.75, 0.75, interval="Wilson", n=60, metric="accuracy")
    (kept,) = over_seeds(alike, 0.95)
    assert [kept[name] for name in ("value", "ci_low", "ci_high", "interval")] == [0.75, -0.1, 0.1, "Wilson"]
    assert (kept["seed"], kept["n_seeds"], kept["n"]) == (None, 3, 60)
    alike[1]["ci_high"] = 0.12
    (apart,) = over_seeds(alike, 0.95)
    assert [apart[name] for name in ("value", "ci_low", "ci_high", "interval")] == [0.75, None, None, "none"]


def test_values_that_rounding_sets_apart_are_equal_and_others_are_not():
    rounded = [0.1 + 0.2 - 0.3, 0.0, 0.0]
    assert len(set(rounded)) == 2 and interval_over_seeds(rounded, confidence=0.95).low is None
    found = interval_over_seeds([0.75, 0.75, 0.7501], confidence=0.95)
    assert found == t_interval([0.75, 0.75, 0.7501], confidence=0.95) and found.low < found.high


def test_a_row_says_how_many_seeds_it_stands_on_and_the_fewest_questions_of_one():
    own = rows(0.1, None, 0.3)
    own[2]["n"] = 4
    (found,) = over_seeds(own, 0.95)
    assert (found["seed"], found["n_seeds"], found["n"], found["value"]) == (None, 2, 4, pytest.approx(0.2))
    assert found["judge"] == "smollm2" and list(found) == list(own[0])


def test_a_single_seed_and_p_values_give_no_row():
    assert over_seeds(rows(0.1), 0.95) == []
    assert over_seeds(rows(0.01, 0.2, metric="likelihood_ratio_holm_p"), 0.95) == []


def test_arms_references_and_slices_are_kept_apart():
    apart = [*rows(0.1, 0.3), *rows(0.2, 0.4, reference="base"), *rows(0.3, 0.5, slice="calm")]
    assert [row["value"] for row in over_seeds(apart, 0.95)] == pytest.approx([0.2, 0.3, 0.4])


def test_metrics_csv_has_the_means_without_a_seed_before_the_seeds(tmp_path):
    settings = fake_settings(seeds=[0, 3])
    build_run(tmp_path, settings)
    cells = read_cells(tmp_path, settings)
    text = metrics_csv(cells)
    found = list(csv.DictReader(text.splitlines()))
    assert text.splitlines()[0].split(",") == METRICS.names
    seeds = [row["seed"] for row in found]
    p_values = sum(row["seed"] == "0" and row["metric"].endswith("_p") for row in found)
    assert seeds == sorted(seeds) and seeds.count("") == seeds.count("0") - p_values > 0
    assert seeds.count("0") == seeds.count("3")
    place = {"arm": "persona", "reference": "base", "metric": "cue_rate", "slice": "all", "evaluation": "character"}
    mean, *own = [row for row in found if all(row[name] == value for name, value in place.items())]
    assert (mean["seed"], mean["n_seeds"], mean["interval"]) == ("", "2", "t over seeds")
    assert float(mean["value"]) == pytest.approx(sum(float(row["value"]) for row in own) / 2)


def test_the_evaluations_in_which_each_seed_draws_its_own_are_those_whose_messages_or_matches_differ() -> None:
    asked = [unseen_questions(NearDuplicates(0.7), UnseenMessages(), seed)["held_out"] for seed in (0, 1)]
    assert set(asked[0]) != set(asked[1])
    which = ["stance", "robustness", "capabilities", "preferences"]
    assert drawn_by_seed(fake_settings(evaluation={"which": which})) == ["robustness", "preferences"]
