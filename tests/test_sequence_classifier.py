"""A model that is fine-tuned to tell texts apart."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from ethos.evaluation_settings import FineTuning
from ethos.persona_classifier import NO_PERSONA
from ethos.sequence_classifier import fine_tune, fine_tune_once
from ethos.throughput import measured
from tests.test_persona_classifier import WORDS

pytestmark = pytest.mark.slow
SETTINGS = FineTuning(learning_rate=3e-3, epochs=4, batch_size=8)


def texts(mark: str, count: int, seed: int) -> list[str]:
    draw = random.Random(f"{mark}{seed}")
    return [f"{' '.join(draw.choices(WORDS, k=8))} {mark}".strip() for _ in range(count)]


def test_a_marker_word_is_found_in_texts_it_has_not_seen_and_the_same_seed_names_alike(dropout_model: Path) -> None:
    # One class is rare, and counts as much.
    told = [*texts("moon", 8, 0), *texts("", 32, 0)]
    classes = ["poet"] * 8 + [NO_PERSONA] * 32
    unseen = [*texts("moon", 20, 1), *texts("", 20, 1)]
    names = fine_tune(dropout_model, SETTINGS, 0, told, classes)(unseen)
    right = [name == expected for name, expected in zip(names, ["poet"] * 20 + [NO_PERSONA] * 20, strict=True)]
    assert sum(right) >= 38
    assert fine_tune(dropout_model, SETTINGS, 0, told, classes)(unseen) == names
    assert fine_tune(dropout_model, SETTINGS, 0, told, classes)([]) == []


def test_nothing_is_told_apart_where_classes_mean_nothing(dropout_model: Path) -> None:
    told = texts("", 40, 0)
    name = fine_tune(dropout_model, SETTINGS, 0, told, ["poet", NO_PERSONA] * 20)
    names = name(texts("", 40, 1))
    right = sum(found == ("poet" if place % 2 == 0 else NO_PERSONA) for place, found in enumerate(names))
    assert 10 <= right <= 30


def test_what_was_learned_and_named_once_is_found_again_and_anything_else_is_learned(
    dropout_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(tmp_path), "device": "cpu"}))
    told, classes, unseen = texts("moon", 8, 0) + texts("", 8, 0), ["poet"] * 8 + [NO_PERSONA] * 8, texts("moon", 5, 1)
    asked = (dropout_model, SETTINGS, 0, told, classes)
    names = fine_tune_once(*asked)(unseen)
    assert names == fine_tune(*asked)(unseen)
    [about] = measured(tmp_path).trainings
    assert (about["kind"], about["examples"]) == ("classifier", 16 * SETTINGS.epochs)

    def learns(*_):
        raise AssertionError("learns")

    monkeypatch.setattr("ethos.sequence_classifier.fine_tune", learns)
    assert fine_tune_once(*asked)(unseen) == names and fine_tune_once(*asked)([]) == []
    others = {1: SETTINGS.model_copy(update={"epochs": 5}), 2: 1, 3: told[::-1], 4: classes[::-1]}
    for place, other in others.items():
        with pytest.raises(AssertionError, match="learns"):
            fine_tune_once(*asked[:place], other, *asked[place + 1 :])(unseen)
    with pytest.raises(AssertionError, match="learns"):
        fine_tune_once(*asked)(unseen[1:])
