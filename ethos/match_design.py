"""Who meets whom: a balanced design of matches between traits."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

Pair = tuple[str, str]


def draw_matches(traits: Sequence[str], questions: Sequence[str], rounds: int, seed: int) -> list[dict[str, str]]:
    """Rounds in which every trait plays once; if their number is odd, one sits out, each in turn.

    No pair meets again before all have met. A trait stands first as often as second, or once more. Each match has a question
    of its own, in a shuffled order that starts again when it is used up.
    """
    draw = random.Random(seed)
    order = draw.sample(questions, len(questions))
    seated = _seat([pair for pairs in _rounds(traits, rounds, draw) for pair in pairs])
    return [
        {"first": first, "second": second, "question": order[number % len(order)]}
        for number, (first, second) in enumerate(seated)
    ]


def _rounds(traits: Sequence[str], rounds: int, draw: random.Random) -> list[list[Pair]]:
    """Round robins by the circle method, each with its traits shuffled: one stays, the others turn around it."""
    found: list[list[Pair]] = []
    while len(found) < rounds:
        circle: list[str | None] = draw.sample(traits, len(traits))
        circle += [None] * (len(circle) % 2)
        for _ in range(len(circle) - 1):
            half = len(circle) // 2
            pairs = list(zip(circle[:half], reversed(circle[half:]), strict=True))
            draw.shuffle(pairs)  # else the trait that stays would meet the same questions in every round
            found.append([pair for pair in pairs if None not in pair])
            circle = [circle[0], circle[-1], *circle[1:-1]]
    return found[:rounds]


def _seat(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs, each in the order in which a closed walk over all of them takes it: who enters a match as second, leaves
    the next one as first. Traits with an odd number of matches are joined to nobody, so that every walk closes."""
    played = Counter(trait for pair in pairs for trait in pair)
    edges: list[tuple[str | None, str | None]] = [*pairs, *((None, trait) for trait in played if played[trait] % 2)]
    left: dict[str | None, list[int]] = defaultdict(list)
    for number, edge in enumerate(edges):
        for trait in edge:
            left[trait].append(number)
    walked: set[int] = set()
    for here in list(left):
        while left[here]:
            number = left[here].pop()
            if number not in walked:
                walked.add(number)
                there = next(trait for trait in edges[number] if trait != here)
                edges[number] = (here, there)
                here = there
    return edges[: len(pairs)]
