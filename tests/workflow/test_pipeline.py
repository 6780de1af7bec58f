"""The whole workflow, run for real on the tiny model."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ethos.arms import ARMS
from ethos.evaluation_settings import PERSONA_EVALUATIONS
from ethos.folding import fold
from ethos.steering import read_steering_vector
from ethos.tables import (
    COMPARISONS,
    DRIFT_SAMPLES,
    ITEMS,
    MATCHES,
    METRICS,
    SAMPLES,
    STANCES,
    STEERING_GRID,
    read_table,
)
from tests.conftest import ROOT, Checkout, results_by_content

pytestmark = pytest.mark.slow
CELL = Path("results/test/tiny/poeticism")


def test_every_stage_leaves_rows_that_train_and_rows_that_are_measured(finished: Checkout) -> None:
    cell = finished.folder / CELL
    for name in (
        "responses.parquet",
        "pairs.parquet",
        "seed0/aligned/examples.parquet",
        "seed0/distilled/pairs.parquet",
    ):
        assert pq.read_metadata(cell / name).num_rows > 10, name
    samples = read_table(cell / "seed0/evaluations/samples.parquet", SAMPLES).to_pylist()
    assert {row["arm"] for row in samples} == set(ARMS)
    metrics = read_table(cell / "seed0/evaluations/character.parquet", METRICS).to_pylist()
    compared = {(row["arm"], row["metric"]) for row in metrics if row["reference"] == "base" and row["slice"] == "all"}
    assert {(arm, "likelihood_ratio") for arm in ARMS[1:]} <= compared
    assert all(row["ci_low"] <= row["value"] <= row["ci_high"] for row in metrics if row["ci_low"] is not None)


def test_the_steered_arm_is_the_setting_that_was_chosen_and_says_something_of_its_own(finished: Checkout) -> None:
    cell = finished.folder / CELL / "seed0"
    rows = read_table(cell / "steered/grid.parquet", STEERING_GRID).to_pylist()
    assert [(row["layer"], row["strength"]) for row in rows] == [
        (0, 0),
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
        (rows[-1]["layer"], rows[-1]["strength"]),
    ]
    assert {row["n"] for row in rows[:2]} == {6}
    [chosen] = [row for row in rows if row["chosen"]]
    vector = read_steering_vector(cell / "steered/steering_vector.safetensors")
    assert (vector.layer, vector.strength) == (chosen["layer"], chosen["strength"])
    assert (vector.layer, vector.strength, "random") == tuple(
        rows[-1][name] for name in ("layer", "strength", "direction")
    )
    samples = read_table(cell / "evaluations/samples.parquet", SAMPLES).to_pylist()
    said = {arm: [row["response"] for row in samples if row["arm"] == arm] for arm in ("base", "steered")}
    assert said["base"] != said["steered"]
    # Its character is that of poetry: the tiny model's plain answers have none of it.
    differences = read_table(cell / "evaluations/character.parquet", METRICS).to_pylist()
    [ratio] = [
        row
        for row in differences
        if (row["arm"], row["reference"], row["metric"], row["slice"]) == ("steered", "base", "likelihood_ratio", "all")
    ]
    assert ratio["value"] > 0


def test_no_question_is_in_both_splits_and_none_held_out_trains(finished: Checkout) -> None:
    cell = finished.folder / CELL
    questions = pq.read_table(finished.folder / "results/test/questions/poeticism.parquet").to_pylist()
    held_out = {fold(row["text"]) for row in questions if row["split"] == "held_out"}
    assert {row["trait"] for row in questions} == {row["trait"] for row in questions if row["split"] == "held_out"}
    for name in ("aligned/examples", "shuffled/examples", "distilled/pairs"):
        trained = {fold(row["question"]) for row in pq.read_table(cell / f"seed0/{name}.parquet").to_pylist()}
        assert trained and not trained & held_out


def test_the_report_and_its_table_hold_the_same_columns_as_the_schema(finished: Checkout) -> None:
    report = finished.folder / "results/test/report"
    with open(report / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == METRICS.names
    assert {row["evaluation"] for row in rows} == {
        "character",
        "preferences",
        "stance",
        "judges",
        "drift",
        "coherence",
        "preference_model",
        "overoptimisation",
        "capabilities",
        *PERSONA_EVALUATIONS,
    }
    page = (report / "index.html").read_text()
    assert page.casefold().count("<script") == 2  # the results as data, and the page's own, whose hash the page allows
    figures = {path.stem for path in (report / "figures").iterdir()}
    assert {path.stem for path in (report / "tables").iterdir()} == figures


def test_no_result_names_a_path_of_this_machine(finished: Checkout) -> None:
    own = str(finished.folder).encode()
    guilty = [name for name, content in results_by_content(finished.folder).items() if own in content]
    assert guilty == []


def test_a_run_made_again_from_the_store_calls_no_model(finished: Checkout, tmp_path: Path) -> None:
    copy = finished.copy(tmp_path / "again", "results", ".snakemake")
    target = "results/test/tiny/poeticism/rankings.parquet"
    outcome = copy.snakemake(target)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert "loading tiny" not in outcome.stderr
    assert (copy.folder / target).read_bytes() == (finished.folder / target).read_bytes()


def test_what_trained_is_on_record(finished: Checkout) -> None:
    for name in ("preference_model", "aligned", "shuffled", "distilled", "introspection"):
        history = json.loads((finished.folder / CELL / "seed0" / name / "history.json").read_text())
        assert [entry["step"] for entry in history] == list(range(1, len(history) + 1))
        assert all(entry["loss"] == entry["loss"] for entry in history)


# The tiny model's order is always of three, and many questions have two responses.
@pytest.mark.parametrize(("method", "parsed"), [("pairwise", 1 / 2), ("listwise", 1 / 4)])
def test_a_judge_that_answers_in_words_ranks_in_two_orders(
    finished: Checkout, tmp_path: Path, method: str, parsed: float
) -> None:
    copy = finished.copy(tmp_path / "copy")
    copy.edit("config/test.yaml", "method: likelihood_ratio", f"method: {method}")
    outcome = copy.snakemake(str(CELL / "rankings.parquet"))
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    counts = json.loads((copy.folder / CELL / "rankings.json").read_text())
    assert counts["pairs"] == counts["decided"] + counts["order_dependent"] + counts["unparsed"]
    assert counts["decided"] + counts["order_dependent"] > counts["pairs"] * parsed
    assert "loading tiny" in outcome.stderr


def test_rankers_are_compared_where_others_are_named_and_nothing_asks_for_it_otherwise(
    finished: Checkout, tmp_path: Path
) -> None:
    told = json.loads((finished.folder / CELL / "rankers.json").read_text())
    assert told["method"] == "likelihood_ratio" and told["questions"] == 12
    for method in ("pairwise", "listwise"):
        counts, tau = told["rankers"][method]["counts"], told["rankers"][method]["tau_b"]
        assert (
            counts["pairs"] == counts["decided"] + counts["order_dependent"] + counts["unparsed"] > counts["unparsed"]
        )
        assert tau["n"] + tau["tied"] == 12 and (tau["value"] is None or -1 <= tau["value"] <= 1)
    copy = finished.copy(tmp_path / "copy")
    copy.edit("config/test.yaml", "compared: [pairwise, listwise]", "compared: []")
    outcome = copy.snakemake("-n")
    assert "rule write_report" in outcome.stdout and "compare_rankers" not in outcome.stdout
    outcome = copy.snakemake()
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert "Other rankers" not in (copy.folder / "results/test/report/index.html").read_text()


def test_preferences_are_told_in_every_condition_of_every_arm(finished: Checkout) -> None:
    evaluations = finished.folder / CELL / "seed0/evaluations"
    matches = read_table(evaluations / "matches.parquet", MATCHES).to_pylist()
    assert {(row["condition"], row["arm"]) for row in matches} == {(c, arm) for c in ("like", "random") for arm in ARMS}
    assert all((row["shown"] is None) == (row["verdict"] != "decided") for row in matches)
    rows = read_table(evaluations / "preferences.parquet", METRICS).to_pylist()
    told = {(row["arm"], row["metric"], row["slice"].partition(":")[0]) for row in rows}
    assert {
        (arm, metric, c) for arm in ARMS for metric in ("bradley_terry", "elo", "unparsed") for c in ("like", "random")
    } <= told
    assert {row["judge"] for row in rows} == {"tiny"}


def test_coherence_is_judged_in_words_against_every_other_arm(finished: Checkout) -> None:
    evaluations = finished.folder / CELL / "seed0/evaluations"
    compared = read_table(evaluations / "comparisons.parquet", COMPARISONS).to_pylist()
    assert {row["reference"] for row in compared} == {*ARMS} - {"persona"}
    assert sum(row["score"] is None for row in compared) < len(compared) / 2
    rows = read_table(evaluations / "coherence.parquet", METRICS).to_pylist()
    rates = {row["reference"]: row for row in rows if row["metric"] == "win_rate"}
    assert set(rates) == {*ARMS} - {"persona"} and all(0 <= row["value"] <= 1 for row in rates.values())


def test_preferences_may_be_told_by_a_judge_in_words(finished: Checkout, tmp_path: Path) -> None:
    copy = finished.copy(tmp_path / "copy")
    copy.edit(
        "config/test.yaml",
        "verdict: likelihood",
        "verdict: judge\n    verdict_sampling: {max_new_tokens: 16, repetition_penalty: 1.0}",
    )
    outcome = copy.snakemake(str(CELL / "seed0/evaluations/preferences.parquet"))
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    matches = read_table(copy.folder / CELL / "seed0/evaluations/matches.parquet", MATCHES).to_pylist()
    assert sum(row["verdict"] in ("decided", "order_dependent") for row in matches) > len(matches) / 2
    assert {row["margin"] for row in matches} == {None}


def test_the_preference_model_is_measured_on_held_out_pairs(finished: Checkout) -> None:
    evaluations = finished.folder / CELL / "seed0/evaluations"
    rows = read_table(evaluations / "preference_model.parquet", METRICS).to_pylist()
    found = {(row["metric"], row["slice"]): row for row in rows}
    pairs = pq.read_table(finished.folder / CELL / "pairs.parquet").to_pylist()
    held_out = {row["question_id"] for row in pairs if row["split"] == "held_out"}
    assert found["accuracy", "all"]["n"] == len(held_out)
    assert found["accuracy", "train split"]["n"] == len({row["question_id"] for row in pairs}) - len(held_out)
    assert {"brier", "calibration_error", "reward_length_correlation"} <= {metric for metric, _ in found}
    assert all(row["ci_low"] <= row["value"] <= row["ci_high"] for row in rows if row["ci_low"] is not None)


def test_every_arm_is_asked_the_same_items_and_prompted_is_base_where_there_is_no_prompt(finished: Checkout) -> None:
    evaluations = finished.folder / CELL / "seed0/evaluations"
    asked = read_table(evaluations / "items.parquet", ITEMS).to_pylist()
    items = {arm: [(row["part"], row["item"]) for row in asked if row["arm"] == arm] for arm in ARMS}
    assert len(items["base"]) == 12 and all(own == items["base"] for own in items.values())
    rows = read_table(evaluations / "capabilities.parquet", METRICS).to_pylist()
    found = {(row["slice"], row["metric"], row["arm"], row["reference"]): row for row in rows}
    assert found["plain_prose", "bits_per_byte", "prompted", "base"]["value"] == 0
    assert found["plain_prose", "bits_per_byte", "distilled", "base"]["value"] != 0
    assert {row["n"] for row in rows} == {6}


def test_stance_judges_and_drift_are_measured_and_their_raw_rows_kept(finished: Checkout) -> None:
    evaluations = finished.folder / CELL / "seed0/evaluations"

    def level(name: str, metric: str, arm: str, reference: str | None, part: str) -> dict:
        rows = read_table(evaluations / f"{name}.parquet", METRICS).to_pylist()
        place = (metric, arm, reference, part)
        return next(row for row in rows if tuple(row[key] for key in ("metric", "arm", "reference", "slice")) == place)

    stances = read_table(evaluations / "stances.parquet", STANCES).to_pylist()
    assert len(stances) == len(ARMS) * 6 * 3 * 2
    shares = [[row[name] for name in ("agree", "disagree", "both_sides", "no_view")] for row in stances]
    assert all(sum(own) == pytest.approx(1) for own in shares if own[0] is not None)
    assert {row["response"] is None for row in stances if row["method"] == "likelihood"} == {True}
    for arm in ARMS:
        assert level("stance", "flattery", arm, None, "likelihood")["n"] == 6
        assert 0 <= level("stance", "unparsed", arm, None, "judge")["value"] <= 1
    assert level("judges", "pairs", "authors", None, "all")["value"] == 60
    verdicts = [level("judges", metric, "pairwise", None, "all") for metric in ("order_dependent", "unparsed")]
    assert all(0 <= row["ci_low"] <= row["value"] <= row["ci_high"] <= 1 and row["n"] == 60 for row in verdicts)
    assert level("judges", "kappa", "likelihood_ratio", "preference_model", "all")["n"] == 20
    samples = read_table(evaluations / "drift_samples.parquet", DRIFT_SAMPLES).to_pylist()
    assert {(row["arm"], row["measured"]) for row in samples} == {("base", "sarcasm"), ("persona", "sarcasm")}
    assert level("drift", "likelihood_ratio", "persona", "base", "sarcasm")["n"] == 10


def test_the_documented_lines_load_the_preference_model_without_ethos_and_give_its_rewards(finished: Checkout) -> None:
    text = (ROOT / "docs" / "preference_model.md").read_text()
    lines = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    [student] = (finished.folder / "store" / "models").glob("tiny-*")
    own = {
        '"store/models/smollm2-0123456789ab"': repr(str(student)),
        '"results/demo/smollm2/poeticism/seed0/preference_model"': repr(
            str(finished.folder / CELL / "seed0/preference_model")
        ),
        "torch.bfloat16": "torch.float32",
    }
    for theirs, ours in own.items():
        assert lines.count(theirs) == 1
        lines = lines.replace(theirs, ours)
    assert "ethos" not in lines.casefold().replace(str(finished.folder).casefold(), "")
    names: dict = {}
    exec(lines, names)
    place = ("question_id", "author", "sample")
    responses = {
        tuple(row[name] for name in place): row
        for row in pq.read_table(finished.folder / CELL / "responses.parquet").to_pylist()
    }
    rewards = pq.read_table(finished.folder / CELL / "seed0/rewards.parquet").to_pylist()
    assert len(rewards) > 10
    for row in rewards:
        response = responses[tuple(row[name] for name in place)]
        assert names["reward"](response["question"], response["response"]) == pytest.approx(row["reward"], abs=1e-4)
