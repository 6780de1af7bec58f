"""A model that is fine-tuned to tell texts apart."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ethos.evaluation_settings import FineTuning
from ethos.persona_classifier import NO_PERSONA
from ethos.sequence_classifier import fine_tune
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
