"""A classifier names the persona behind answers, run for real on the tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.arms import ARMS
from ethos.persona_samples import CHAT
from ethos.tables import METRICS, NAMINGS, PERSONA_SAMPLES, read_table
from tests.conftest import Checkout

pytestmark = pytest.mark.slow
CELL = Path("results/test/tiny/poeticism")


def test_a_classifier_names_what_every_arm_says_under_pressure(finished: Checkout) -> None:
    evaluations = finished.folder / CELL / "seed0/evaluations"
    for evaluation, forms in (("robustness", 2), ("prefill", 1), ("generalisation", 2)):
        samples = read_table(evaluations / f"{evaluation}_samples.parquet", PERSONA_SAMPLES).to_pylist()
        assert {row["split"] for row in samples} == {"held_out"} and len(samples) == len(ARMS) * forms * 3
        namings = read_table(evaluations / f"{evaluation}_namings.parquet", NAMINGS).to_pylist()
        of_all = [row for row in namings if row["left_out"] is None]
        assert {row["arm"] for row in of_all} == set(ARMS) and len(of_all) == len(ARMS) * (forms + 1) * 3
        metrics = read_table(evaluations / f"{evaluation}.parquet", METRICS).to_pylist()
        f1 = {(row["arm"], row["slice"]): row for row in metrics if row["metric"] == "f1"}
        assert {(arm, part) for arm in ARMS[1:] for part in ("all", CHAT)} <= set(f1)
        assert all(0 <= row["value"] <= 1 and row["n"] == 3 for row in f1.values())


def test_in_robustness_all_that_differs_from_chat_is_the_sentence_after_the_message(finished: Checkout) -> None:
    evaluations = finished.folder / CELL / "seed0/evaluations"
    chat = read_table(evaluations / "chat_samples.parquet", PERSONA_SAMPLES).to_pylist()
    held_out = {row["question"] for row in chat if row["split"] == "held_out"}
    assert len(held_out) == 3 and not held_out & {row["question"] for row in chat if row["split"] == "train"}
    for row in read_table(evaluations / "robustness_samples.parquet", PERSONA_SAMPLES).to_pylist():
        assert row["question"] in held_out and row["asked"] == f"{row['question']}\n\n{row['form']}"


def test_a_model_of_the_config_is_fine_tuned_to_name_them(finished: Checkout, tmp_path: Path) -> None:
    copy = finished.copy(tmp_path / "copy")
    # It only classifies, so it needs no chat template.
    folder = copy.folder / "build/encoder"
    (copy.folder / "build/tiny").rename(folder)
    (copy.folder / "build/tiny").symlink_to(finished.folder / "build/tiny")
    (folder / "chat_template.jinja").unlink()
    copy.edit("config/test.yaml", "models:\n", "models:\n  encoder: {source: path:build/encoder}\n")
    fine_tuned = "    fine_tuned: {model: encoder, learning_rate: 1.0e-3}\n    training_questions"
    copy.edit("config/test.yaml", "    training_questions", fine_tuned)
    named = CELL / "seed0/evaluations/robustness.parquet"
    before = read_table(copy.folder / named, METRICS).to_pylist()
    outcome = copy.snakemake(str(named))
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    after = read_table(copy.folder / named, METRICS).to_pylist()
    assert {row["judge"] for row in after} == {"encoder, fine-tuned"}
    places = ("arm", "metric", "slice", "n")
    assert [[row[name] for name in places] for row in after] == [[row[name] for name in places] for row in before]
    used = (copy.folder / CELL / "seed0/used/name_persona_robustness.txt").read_text()
    assert used.startswith("model encoder-")
