"""Steering: which contrasts are drawn, which settings are tried, and which of them is taken by the stated rule."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ethos.errors import BadInput
from ethos.stage_settings import Steering
from ethos.steering import SteeringVector
from scripts.find_steering_vector import at_random, candidates, choose, draw_contrasts
from tests.small_contrasts import response


def rows(*measured: tuple[float | None, float | None, float | None, int]) -> list[dict]:
    """Base and settings of layers 1, 2 ...: likelihood ratio, log-perplexity, repetition, n."""
    names = ("likelihood_ratio", "log_perplexity", "repetition", "n")
    return [
        {"layer": layer, "strength": float(layer > 0), **dict(zip(names, each, strict=True))}
        for layer, each in enumerate(measured)
    ]


BASE = (-0.2, 1.5, 0.0, 10)


@pytest.mark.parametrize(
    ("grid", "fluent", "chosen"),
    [
        pytest.param([(0.1, 1.6, 0.0, 10), (0.2, 1.6, 0.0, 10)], [1, 2], 2, id="the highest likelihood ratio"),
        pytest.param([(0.1, 1.6, 0.0, 10), (0.9, 2.3, 0.0, 10)], [1], 1, id="within the margin of perplexity"),
        pytest.param([(0.1, 1.6, 0.05, 10), (0.9, 1.6, 0.06, 10)], [1], 1, id="within the margin of repetition"),
        pytest.param([(0.1, 1.6, 0.0, 10), (0.9, 1.6, 0.0, 9)], [1], 1, id="answers what base answers"),
        pytest.param([(0.2, 1.6, 0.0, 10), (0.2, 1.6, 0.0, 10)], [1, 2], 1, id="the first of equals"),
        pytest.param([(0.9, 4.0, 0.0, 10), (0.1, 3.0, 0.0, 10)], [], 2, id="none fluent: the least surprising"),
        pytest.param([(None, None, None, 0), (0.1, 3.0, None, 10)], [], 2, id="none answers"),
        pytest.param([(-0.3, 1.5, 0.0, 10)], [1], 1, id="below base"),
    ],
)  # fmt: skip
def test_the_choice_is_the_most_in_character_of_what_is_fluent(grid: list, fluent: list[int], chosen: int) -> None:
    marked = choose(rows(BASE, *grid), Steering(max_perplexity_ratio=2.0, max_repetition_increase=0.05))
    assert [row["layer"] for row in marked if row["chosen"]] == [chosen]
    assert [row["layer"] for row in marked if row["fluent"]] == [0, *fluent]


def test_the_margin_of_perplexity_is_a_ratio() -> None:
    at = (0.1, 1.5 + math.log(2) - 1e-9, 0.0, 10)
    above = (0.2, 1.5 + math.log(2) + 1e-9, 0.0, 10)
    marked = choose(rows(BASE, at, above), Steering(max_perplexity_ratio=2.0))
    assert [row["fluent"] for row in marked] == [True, True, False]


def test_the_grid_has_every_strength_behind_every_layer_once() -> None:
    directions = np.arange(10 * 3, dtype=np.float32).reshape(10, 3)
    grid = candidates(directions, Steering(layers=[0.5, 0.01, 1.0, 0.52], strengths=[2, 1, 2]))
    assert [(each.layer, each.strength) for each in grid] == [(1, 1), (1, 2), (5, 1), (5, 2), (10, 1), (10, 2)]
    assert all(np.array_equal(each.direction, directions[each.layer - 1]) for each in grid)


def test_the_control_is_as_long_and_points_elsewhere_as_the_seed_says() -> None:
    own = SteeringVector(2, 1.5, np.random.default_rng(0).normal(size=64).astype(np.float32))
    control = at_random(own, 0)
    assert (control.layer, control.strength, control.direction.dtype) == (2, 1.5, np.float32)
    assert np.linalg.norm(control.direction) == pytest.approx(np.linalg.norm(own.direction), rel=1e-5)
    assert abs(control.direction @ own.direction) < 0.5 * np.linalg.norm(own.direction) ** 2
    assert control.identity == at_random(own, 0).identity != at_random(own, 1).identity


def test_only_training_questions_with_two_usable_responses_are_drawn() -> None:
    both = [response(number, author) for number in range(20) for author in ("in_character", "plain")]
    both[0] |= {"filtered": "empty"}
    both += [response(0, "in_character", sample=1), response(1, "in_character", sample=1, response="second")]
    others = [response(number, author, split="held_out") for number in (30, 31) for author in ("in_character", "plain")]
    others += [response(40, "in_character"), response(41, "plain"), response(42, "plain")]
    others += [response(42, "in_character", filtered="refusal")]
    directions, grid = draw_contrasts([*both, *others], Steering(questions=100, grid_questions=5), 0)
    assert {contrast.told["question"] for contrast in directions} == {f"Q{number}?" for number in range(20)}
    assert all(told["question"] == plain["question"] for told, plain in directions)
    assert {told["sample"] for told, _ in directions if told["question"] == "Q0?"} == {1}
    assert "second" not in {told["response"] for told, _ in directions}
    assert len(grid) == 5


def test_directions_and_grid_share_no_question_where_there_are_enough_and_the_seed_draws_them() -> None:
    both = [response(number, author) for number in range(20) for author in ("in_character", "plain")]
    settings = Steering(questions=12, grid_questions=8)
    directions, grid = draw_contrasts(both, settings, 0)
    asked = [{told["question"] for told, _ in part} for part in (directions, grid)]
    assert [len(part) for part in asked] == [12, 8] and not asked[0] & asked[1]
    assert draw_contrasts(both[::-1], settings, 0) == (directions, grid)
    assert draw_contrasts(both, settings, 1) != (directions, grid)


def test_without_a_pair_of_responses_the_user_is_told_in_one_line() -> None:
    with pytest.raises(BadInput, match="no training question has both"):
        draw_contrasts([response(1, "plain")], Steering(), 0)
