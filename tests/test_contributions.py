"""A trait is left out whole, nothing that is held out trains, and a contribution is what its name says."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ethos.constitution import Constitution, load_constitution
from ethos.errors import BadInput
from ethos.evaluation_settings import Intervals
from ethos.leave_out import leave_out_each, without_trait
from ethos.seeds import derive_seed
from ethos.statistics import mean_with_interval
from ethos.tables import QUESTIONS, read_table, table_from, write_table
from scripts.leave_out_trait import main as leave_out_trait
from scripts.measure_contributions import compare_contributions
from tests.conftest import ROOT

CANDOR = ROOT / "constitutions" / "candor.yaml"
INTERVALS = Intervals(resamples=999)


def test_a_left_out_trait_is_gone_and_nothing_else():
    whole = load_constitution(CANDOR)
    for trait in whole.traits:
        said = without_trait(whole, trait.id).canonical()
        assert trait.text not in str(said["traits"]) and trait.questions[0] not in str(said["traits"])
        assert said["traits"] == [other for other in whole.canonical()["traits"] if other["id"] != trait.id]
        assert said["cues"] == whole.canonical()["cues"]


def test_no_constitution_of_a_user_has_the_name_of_one_that_was_made():
    whole = load_constitution(CANDOR)
    for name in leave_out_each(whole):
        with pytest.raises(ValueError, match="name"):
            Constitution.model_validate(whole.canonical() | {"name": name})


def test_the_only_trait_can_not_be_left_out_nor_one_that_is_not_there():
    whole = load_constitution(CANDOR)
    with pytest.raises(BadInput, match="has no trait 'calm'"):
        without_trait(whole, "calm")
    with pytest.raises(BadInput, match="one trait alone"):
        leave_out_each(whole.model_copy(update={"traits": whole.traits[:1]}))


def question(trait: str, text: str, split: str, source: str = "written") -> dict:
    return {"question_id": f"{trait} {text}", "trait": trait, "text": text, "source": source, "split": split}


def test_the_files_without_a_trait_read_as_what_the_workflow_takes_them_for(tmp_path: Path):
    """And every question that stays keeps its split: what is held out under the whole constitution never trains."""
    whole = load_constitution(CANDOR)
    gone, stays = whole.traits[0].id, whole.traits[1].id
    rows = [
        question(gone, "a?", "held_out"),
        question(gone, "b?", "train", "general"),
        question(stays, "a?", "held_out"),
        question(stays, "c?", "train", "generated"),
    ]
    write_table(tmp_path / "questions.parquet", table_from(rows, QUESTIONS))
    made = {"constitution": tmp_path / "made" / "candor.yaml", "questions": tmp_path / "made.parquet"}
    arguments = ["--constitution", CANDOR, "--questions", tmp_path / "questions.parquet", "--trait", gone]
    for name, path in made.items():
        arguments += [f"--{name}-without", path]
    outcome = CliRunner().invoke(leave_out_trait, [*map(str, arguments)], catch_exceptions=False)
    assert outcome.exit_code == 0
    assert load_constitution(made["constitution"]) == without_trait(whole, gone)
    assert read_table(made["questions"], QUESTIONS).to_pylist() == rows[2:]


ARM = "distilled"


def measures(arm: str, values: dict[tuple[str, str], float], metric: str = "likelihood_ratio") -> list[dict]:
    return [
        {"arm": arm, "question_id": name, "trait": trait, "sample": 0, "metric": metric, "value": value}
        for (name, trait), value in values.items()
    ]


KEYS = [(f"q{number}", trait) for trait in ("calm", "kind") for number in range(3)]


def contributions(shifts: dict[str, dict[str, float]]) -> dict[tuple, dict]:
    """What is found when leaving a trait out lowers each trait's questions by so much."""
    levels = {key: float(number**2) for number, key in enumerate(KEYS)}
    rows = measures("base", dict.fromkeys(KEYS, 0.0)) + measures(ARM, levels)
    for left_out, shift in shifts.items():
        rows += measures(f"without {left_out}", {key: level - shift[key[1]] for key, level in levels.items()})
    found = compare_contributions(rows, ARM, list(shifts), INTERVALS, 0)
    places = [(row["arm"], row["reference"], row["metric"], row["slice"]) for row in found]
    assert len(set(places)) == len(places)
    return dict(zip(places, found, strict=True))


def test_a_contribution_is_the_whole_minus_the_arm_without_the_trait():
    found = contributions({"calm": {"calm": 2.0, "kind": 0.5}, "kind": {"calm": -1.0, "kind": 4.0}})
    values = {
        (reference, part): (row["value"], row["n"])
        for (arm, reference, metric, part), row in found.items()
        if arm == ARM and metric == "likelihood_ratio" and str(reference).startswith("without ")
    }
    assert values == {
        ("without calm", "calm"): (2.0, 3),
        ("without calm", "kind"): (0.5, 3),
        ("without calm", "all"): (1.25, 6),
        ("without kind", "calm"): (-1.0, 3),
        ("without kind", "kind"): (4.0, 3),
        ("without kind", "all"): (1.5, 6),
    }


def test_the_interval_is_of_the_paired_differences():
    found = contributions({"calm": {"calm": 2.0, "kind": 0.5}})
    row = found[ARM, "without calm", "likelihood_ratio", "all"]
    draw = derive_seed(0, "bootstrap", ARM, "without calm", "likelihood_ratio", "all")
    same = mean_with_interval([2.0] * 3 + [0.5] * 3, confidence=0.95, resamples=999, seed=draw)
    assert (row["ci_low"], row["ci_high"]) == (same.low, same.high)
    own = found[ARM, "without calm", "likelihood_ratio", "calm"]
    assert (own["value"], own["ci_low"], own["ci_high"]) == (2.0, None, None)


def test_the_tests_of_the_whole_are_corrected_for_their_number():
    """Six differences of one sign are the rarest two of 64 assignments of signs; the larger p of two stays as it is."""
    found = contributions({"calm": {"calm": 2.0, "kind": 0.5}, "kind": {"calm": -1.0, "kind": 1.0}})
    p = {
        reference: row["value"]
        for (_, reference, metric, _), row in found.items()
        if metric == "likelihood_ratio_holm_p"
    }
    assert p == pytest.approx({"without calm": 2 * 2 / 64, "without kind": 1.0})


def test_a_trait_whose_responses_could_not_be_measured_is_left_out_of_the_tests():
    rows = measures(ARM, dict.fromkeys(KEYS, 1.0)) + measures("without calm", dict.fromkeys(KEYS, None))
    found = compare_contributions(rows, ARM, ["calm"], INTERVALS, 0)
    assert {(row["arm"], row["reference"]) for row in found} == {(ARM, None)}
