"""The processes of a training share its batches, and see together what one would see."""

from __future__ import annotations

import math
from itertools import chain

import pytest

from ethos.training_batches import Shares


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
@pytest.mark.parametrize(("examples", "rows"), [(24, 3), (25, 1), (27, 2), (35, 3), (5, 1), (1, 3)])
def test_each_example_is_seen_once_an_epoch_in_the_steps_of_one_process(
    examples: int, rows: int, processes: int
) -> None:
    def share(process: int, processes: int, rows: int) -> Shares:
        others = {"seed": 3, "epoch": lambda: 1}
        return Shares([1] * examples, batch=12, rows=rows, process=process, processes=processes, **others)

    alone = share(0, 1, 12)
    shares = [share(process, processes, rows) for process in range(processes)]
    assert len({len(own) for own in shares}) == 1
    drawn = [iter(own) for own in shares]
    for step, (whole, places) in enumerate(zip(alone, map(alone.micro_batches, range(alone.steps)), strict=True)):
        assert len(whole) == len(places[0])
        seen = []
        for own, indices in zip(shares, drawn, strict=True):
            micro_batches = own.micro_batches(step)
            assert 1 <= len(micro_batches) <= math.ceil(12 / processes / rows)
            for places_of_one in micro_batches:
                rows_of_one = next(indices)
                assert 1 <= len(rows_of_one) <= rows
                seen += rows_of_one if places_of_one else []
        assert sorted(seen) == sorted(whole)
    assert all(next(indices, None) is None for indices in drawn)


def test_each_epoch_has_an_order_of_its_own() -> None:
    epoch = 0
    share = Shares([1] * 20, batch=4, rows=4, process=0, processes=1, seed=0, epoch=lambda: epoch)
    first = list(share)
    assert first == list(share)
    epoch = 1
    assert first != list(share)
    assert sorted(chain(*first)) == list(range(20))


def test_the_examples_of_a_step_stand_by_length_and_are_those_of_any_lengths() -> None:
    def share(lengths: list[int], rows: int) -> Shares:
        return Shares(lengths, batch=6, rows=rows, process=0, processes=1, seed=0, epoch=lambda: 0)

    lengths = [(7 * number) % 20 for number in range(20)]
    steps = list(share(lengths, 6))
    assert [[lengths[example] for example in step] for step in steps] == [
        sorted((lengths[example] for example in step), reverse=True) for step in steps
    ]
    assert [sorted(step) for step in steps] == [sorted(step) for step in share([1] * 20, 6)]
    assert list(chain(*share(lengths, 2))) == list(chain(*steps))
