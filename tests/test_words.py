"""Words are compared by what they mean, roughly, and not by their endings."""

from __future__ import annotations

import pytest

from ethos.words import content_stems, content_words, overlap, stem


@pytest.mark.parametrize(
    "family",
    [
        ("rhyme", "rhymes", "rhyming", "rhymed"),
        ("joke", "jokes"),
        ("battery", "batteries"),
        ("humour", "humor"),
        ("run", "runs"),
        ("glass", "glasses"),
        ("Truthful", "truthfully"),
    ],
)
def test_forms_of_a_word_have_one_stem(family):
    assert len({stem(word) for word in family}) == 1


@pytest.mark.parametrize(("one", "other"), [("care", "car"), ("house", "horse"), ("wine", "win")])
def test_other_words_have_other_stems(one, other):
    assert stem(one) != stem(other)


def test_words_of_grammar_and_pieces_of_contractions_carry_no_meaning():
    assert content_words("I don't think they've been told about Émile’s 2 kettles") == ["émile", "2", "kettles"]
    assert content_stems("What would you do about it?") == frozenset()


def test_overlap_is_the_jaccard_index():
    one, other = content_stems("boil an egg"), content_stems("boiling eggs slowly")
    assert overlap(one, other) == pytest.approx(2 / 3)
    assert overlap(one, one) == 1
    assert overlap(frozenset(), frozenset()) == 0
