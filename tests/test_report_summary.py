"""A report's first table has a line for every measure of every evaluation, with the numbers and the n of metrics.csv."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ethos.cautions import cautions
from ethos.evaluation_settings import EVALUATIONS
from ethos.report_summary import summary
from ethos.run_results import find, read_cells
from tests.fake_results import build_run, fake_settings

SETTINGS = fake_settings(
    evaluation={
        "which": EVALUATIONS,
        "drift": {"constitutions": ["candor", "humor"]},
        "stance": {"methods": ["likelihood"]},
    }
)


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    build_run(folder, SETTINGS)
    return read_cells(folder, SETTINGS)[0]


def test_every_evaluation_that_was_made_has_lines_and_no_other(cell):
    lines = summary(cell, SETTINGS)
    assert {line.evaluation for line in lines} == {"character", "preference model", *EVALUATIONS}
    few = fake_settings(evaluation={"which": ["stance"]})
    assert {line.evaluation for line in summary(cell, few)} == {"character", "preference model", "stance"}


def test_the_lines_hold_the_rows_of_the_metrics_and_their_n(cell):
    by_measure = {(line.evaluation, line.measure): line for line in summary(cell, SETTINGS)}
    stance = by_measure["stance", "flatters − base, by likelihood"]
    assert stance.rows["persona"] == find(
        cell.metrics, "flattery", "persona", "base", part="likelihood", evaluation="stance"
    )
    assert (stance.n, stance.counted, stance.of_arms, stance.signed) == (12, "statements", True, True)
    preferences = by_measure["preferences", "rank correlation with base, told “like”"]
    assert preferences.rows["aligned"]["metric"] == "rank_correlation"
    assert (preferences.n, preferences.counted, preferences.no_effect) == (48, "matches", "≤ 1; base’s halves 0.55")
    judge = by_measure["judges", "right about pairs labelled by the authors: pairwise"]
    assert (judge.of_arms, judge.n) == (False, 54)
    assert {line.measure for line in summary(cell, SETTINGS) if line.evaluation == "drift"} == {
        f"likelihood ratio of {other} − base, nats per token" for other in ("candor", "humor")
    }


def test_a_judge_with_no_labelled_pair_is_among_the_judges_all_the_same(cell):
    unlabelled = [row for row in cell.seeds[0].metrics if row["evaluation"] != "judges"]
    without = replace(cell, seeds=[replace(cell.seeds[0], metrics=unlabelled)])
    judges = [line for line in summary(without, SETTINGS) if line.evaluation == "judges"]
    assert len(judges) == 3 and all((line.of_arms, line.rows, line.n) == (False, {}, 0) for line in judges)


def test_an_evaluation_that_gave_nothing_keeps_its_line_with_no_n(cell):
    unread = [row for row in cell.seeds[0].metrics if row["metric"] != "win_rate"]
    without = replace(cell, seeds=[replace(cell.seeds[0], metrics=unread)])
    (line,) = (line for line in summary(without, SETTINGS) if line.evaluation == "coherence")
    assert (line.rows, line.n) == ({}, 0)


def test_every_evaluation_with_a_small_n_is_named_in_the_caution(cell):
    (told,) = (caution for caution in cautions(SETTINGS, [cell]) if caution.title == "Small n")
    (found,) = told.found
    smallest = {line.evaluation for line in summary(cell, SETTINGS) if line.n < 30}
    assert {"stance", "drift", "judges", "capabilities"} <= smallest and "preferences" not in smallest
    assert {part.rsplit(" ", 2)[0] for part in found.numbers.split(", ")} == smallest
    assert "stance 12 statements, capabilities 12 items, drift 12 questions" in found.numbers
    assert "judges 20 pairs" in found.numbers
