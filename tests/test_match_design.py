"""Matches are drawn so that every trait has the same chance: as many matches, in both places, against everyone."""

from __future__ import annotations

from collections import Counter

import pytest

from ethos.match_design import draw_matches
from ethos.prompts import prompt_lines

WORDS = ["kind", "blunt", "poetic", "stern", "witty", "dull"]


def played(matches: list[dict], *places: str) -> Counter:
    return Counter(match[place] for match in matches for place in places or ("first", "second"))


def met(matches: list[dict]) -> Counter:
    return Counter(frozenset((match["first"], match["second"])) for match in matches)


def test_every_trait_plays_equally_often_and_never_itself():
    matches = draw_matches(WORDS, ["a?", "b?"], rounds=7, seed=0)
    assert played(matches) == dict.fromkeys(WORDS, 7)
    assert all(match["first"] != match["second"] for match in matches)


@pytest.mark.parametrize("count", [2, 5, 6, 9, 144])
@pytest.mark.parametrize("rounds", [1, 2, 5, 100])
def test_a_trait_stands_first_as_often_as_second_or_once_more_or_less(count, rounds):
    """A judge that favours a place must not favour a trait."""
    traits = [str(number) for number in range(count)]
    matches = draw_matches(traits, ["a?"], rounds, seed=3)
    first, second = played(matches, "first"), played(matches, "second")
    assert all(abs(first[trait] - second[trait]) <= 1 for trait in traits)
    assert len(matches) == rounds * (count // 2)


@pytest.mark.parametrize("count", [2, 5, 6, 9])
def test_no_pair_meets_again_before_all_have_met(count):
    traits = [str(number) for number in range(count)]
    whole = count - 1 + count % 2  # rounds until all have met
    pairs = count * (count - 1) // 2
    for rounds in range(1, 3 * whole + 1):
        often = met(draw_matches(traits, ["a?"], rounds, seed=1))
        least = min(often.values()) if len(often) == pairs else 0
        assert max(often.values()) - least <= 1
    assert set(met(draw_matches(traits, ["a?"], 2 * whole, seed=1)).values()) == {2}


def test_of_an_odd_number_of_traits_each_sits_out_in_turn():
    for rounds in range(1, 12):
        often = played(draw_matches(WORDS[:5], ["a?"], rounds, seed=0))
        assert max(often.values()) - min(often[word] for word in WORDS[:5]) <= 1


def test_two_rounds_already_join_all_traits_so_that_all_can_be_compared():
    traits = prompt_lines("single_word_traits")
    groups = [{trait} for trait in traits]
    for pair in met(draw_matches(traits, ["a?"], 2, seed=0)):
        joined = [group for group in groups if group & pair]
        groups = [group for group in groups if not group & pair] + [set().union(*joined)]
    assert len(groups) == 1


def test_questions_take_turns_and_a_trait_meets_many():
    matches = draw_matches(WORDS, ["a?", "b?", "c?"], rounds=30, seed=0)
    assert Counter(match["question"] for match in matches) == {"a?": 30, "b?": 30, "c?": 30}
    for word in WORDS:
        assert len({match["question"] for match in matches if word in (match["first"], match["second"])}) == 3


def test_the_design_is_the_same_for_the_same_seed_only():
    first, again, other = (draw_matches(WORDS, ["a?", "b?"], 4, seed) for seed in (0, 0, 1))
    assert first == again != other
