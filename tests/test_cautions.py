"""What a reader should be careful about is found where it is so, and not said where it isn't."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ethos.cautions import cautions
from ethos.run_results import read_cells
from ethos.settings import Settings
from tests.fake_results import build_run, fake_settings

MODELS = {name: {"source": f"path:models/{name}"} for name in ("smollm2", "large", "other")}
# A run that nothing can be said against but that its intervals are of some kind.
BLAMELESS = {"models": MODELS, "teacher": "large", "judge": "other", "rankings": {"method": "pairwise"}}


def told(settings: Settings, cells=()) -> dict[str, list[str]]:
    return {each.title: [found.numbers for found in each.found] for each in cautions(settings, cells)}


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    build_run(folder, fake_settings())
    return read_cells(folder, fake_settings())[0]


def changed(cell, change, **fields):
    """The cell with `change` made to each row of its metrics; rows that become None are left out."""
    seeds = [
        replace(seed, metrics=[new for row in seed.metrics if (new := change(dict(row)))], samples=seed.samples)
        for seed in cell.seeds
    ]
    return replace(cell, seeds=seeds, **fields)


def at(row, metric, arm="persona", reference="base", part="all"):
    return (row["metric"], row["arm"], row["reference"], row["slice"]) == (metric, arm, reference, part)


def test_the_settings_of_a_run_are_told():
    assert set(told(fake_settings(**BLAMELESS))) == {"One seed"}
    assert set(told(fake_settings(**BLAMELESS, seeds=[0, 1]))) == {"2 seeds"}
    assert set(told(fake_settings(**BLAMELESS, seeds=list(range(5))))) == {"Intervals are over seeds"}
    [caution] = cautions(fake_settings(**BLAMELESS, seeds=[0, 1]), [])
    assert "But in preferences each seed draws its own messages or matches" in caution.text
    [caution] = cautions(fake_settings(**BLAMELESS, seeds=[0, 1], evaluation={"which": ["stance"]}), [])
    assert "draws its own" not in caution.text
    both = fake_settings(**BLAMELESS | {"rankings": {"method": "likelihood_ratio"}})
    assert "The likelihood ratio both ranks and measures" in told(both)
    assert "The judge is a student" in told(fake_settings(**BLAMELESS | {"judge": "smollm2"}))
    assert "The teacher is a student" in told(fake_settings(**BLAMELESS | {"teacher": "smollm2"}))
    assert "The teacher is also the judge" in told(fake_settings(**BLAMELESS | {"judge": "large"}))
    one = told(fake_settings(**BLAMELESS | {"teacher": "smollm2", "judge": "smollm2"}))
    assert {"The teacher is also the judge", "The teacher is a student", "The judge is a student"} <= set(one)


def test_a_run_without_blemish_is_told_no_more_than_its_seeds(cell):
    fine = changed(cell, lambda row: row | {"n": 200, "judge": "none"})
    samples = [row | {"finish_reason": "stop"} for row in fine.seeds[0].samples]
    fine = replace(fine, seeds=[replace(fine.seeds[0], samples=samples)])
    assert set(told(fake_settings(**BLAMELESS), [fine])) == {"One seed"}


def test_what_is_wrong_with_the_results_is_told_with_its_numbers(cell):
    found = told(fake_settings(), [cell])
    assert found["Small n"] == [
        "capabilities 12 items, character 15 questions, coherence 15 questions, preference model 24 questions"
    ]
    assert found["The student judges itself"] == [
        "character, coherence, overoptimisation, preference model, preferences"
    ]
    assert found["Many responses were cut off"] == ["prompted 100%"]
    for title in ("The control moved", "No independent measure", "Some responses are empty", "The seeds disagree"):
        assert title not in found


PLANTED = {
    "The control moved": lambda row: row | {"ci_low": 0.01} if at(row, "likelihood_ratio", "shuffled") else row,
    "No independent measure": lambda row: None if row["metric"] == "cue_rate" else row,
    "The preference model is not shown to beat chance": lambda row: (
        row | {"ci_low": 0.49} if at(row, "accuracy", "preference_model", None) else row
    ),
    "Verdicts depend on the order": lambda row: (
        row | {"value": 0.4} if at(row, "order_dependent", "persona", None, "like") else row
    ),
    "Verdicts could not be read": lambda row: (
        row | {"value": 0.2} if at(row, "unparsed", "persona", None, "like") else row
    ),
}


@pytest.mark.parametrize("title", PLANTED)
def test_a_planted_fault_is_told(cell, title):
    assert title not in told(fake_settings(), [cell])
    assert len(told(fake_settings(), [changed(cell, PLANTED[title])])[title]) == 1


@pytest.mark.parametrize(
    ("metric", "title"),
    [("order_dependent", "Verdicts depend on the order"), ("unparsed", "Verdicts could not be read")],
)
def test_coherence_whose_verdicts_are_of_two_arms_is_told_of_too(cell, metric, title):
    def spoil(row):
        return row | {"value": 0.4} if (row["evaluation"], row["metric"]) == ("coherence", metric) else row

    assert told(fake_settings(), [changed(cell, spoil)])[title] == ["coherence 40%"]


def test_a_judge_that_goes_by_place_and_lost_or_empty_responses_are_told(cell):
    judged = replace(cell, rankings={"pairs": 100, "order_dependent": 60, "unparsed": 11})
    found = told(fake_settings(), [judged])
    assert found["Verdicts depend on the order"] == ["ranking 60%"]
    assert found["Verdicts could not be read"] == ["ranking 11%"]
    lost = replace(cell, response_counts={"in_character": {"kept": 40, "refusal": 60}})
    assert told(fake_settings(), [lost])["Most responses were dropped"] == ["in character 60%"]
    samples = [row | {"response": " "} if row["arm"] == "aligned" else row for row in cell.seeds[0].samples]
    empty = replace(cell, seeds=[replace(cell.seeds[0], samples=samples)])
    assert told(fake_settings(), [empty])["Some responses are empty"] == ["aligned 100%"]


def test_seeds_that_disagree_and_intervals_that_are_too_sure_are_told(tmp_path):
    settings = fake_settings(seeds=[0, 1, 2])
    build_run(tmp_path, settings)
    (cell,) = read_cells(tmp_path, settings)
    found = told(settings, [cell])
    assert "3 seeds" in found and "The seeds disagree" not in found
    assert "persona" in found["Intervals over seeds are narrower than over prompts"][0]
    turned = [row | {"value": -0.1} if at(row, "likelihood_ratio") else row for row in cell.seeds[1].metrics]
    split = replace(cell, seeds=[cell.seeds[0], replace(cell.seeds[1], metrics=turned), cell.seeds[2]])
    assert told(settings, [split])["The seeds disagree"] == ["persona above base with 2 of 3 seeds"]
