"""The estimate of likeness agrees with the exact one, and finds what is nearly the same."""

from __future__ import annotations

from itertools import combinations

import pytest

from ethos.folding import fold
from ethos.near_duplicates import NearDuplicates
from ethos.prompts import prompt_lines


def pieces(text: str) -> set[str]:
    return {"".join(letters) for letters in zip(*(fold(text)[start:] for start in range(3)), strict=False)}


def likeness(one: str, other: str) -> float:
    """The exact Jaccard index."""
    return len(pieces(one) & pieces(other)) / len(pieces(one) | pieces(other))


REWORDED = [
    ("What should I do if my friend is upset with me?", "What should I do when my friend is upset with me?"),
    ("What's the best way to cook rice?", "What is the best way to cook rice?"),
    ("Can I freeze cooked quinoa?", "can i freeze, cooked QUINOA"),
    ("下雨天我应该穿什么衣服去上班才好？", "下雨天我应该穿什么衣服去上班才好呢？"),
]
DIFFERENT = [
    ("How do I boil an egg?", "How do I fry an egg?"),
    ("What are some tips for staying motivated?", "What are some tips for staying healthy?"),
    ("How can I spend less time on my phone?", "How can I spend less on groceries?"),
]


def found(first: str, second: str, threshold: float = 0.7) -> bool:
    asked = NearDuplicates(threshold)
    asked.add(first)
    return bool(asked.of(second))


@pytest.mark.parametrize(("one", "other"), REWORDED)
def test_a_reworded_text_is_found(one, other):
    assert found(one, other) and found(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_a_text_with_another_subject_is_not_found(one, other):
    assert not found(one, other)


def test_everyday_questions_are_not_near_each_other():
    asked = NearDuplicates(0.6)
    for number, text in enumerate(prompt_lines("general_questions")):
        assert asked.of(text) == []
        asked.add(text)
        assert asked.of(text) == [number]


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8])
def test_what_is_found_agrees_with_the_exact_index_but_for_the_error_of_the_estimate(threshold):
    """Texts of growing likeness: words of one, replaced one by one by those of another."""
    lines = prompt_lines("general_questions")
    words, others = " ".join(lines[:4]).split(), " ".join(lines[4:8]).split()
    texts = [" ".join([*others[:count], *words[count:]]) for count in range(len(words))]
    pairs = [(one, other) for one, other in combinations(texts, 2) if abs(likeness(one, other) - threshold) > 0.1]
    assert {likeness(*pair) > threshold for pair in pairs} == {True, False}
    for one, other in pairs:
        assert found(one, other, threshold) == (likeness(one, other) > threshold), likeness(one, other)


def test_equal_texts_are_found_at_any_threshold_however_short():
    for text in ("", "a", "Hi", "你好"):
        assert found(text, text.upper(), threshold=1.0)
