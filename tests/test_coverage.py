"""Intervals hold the truth about as often as they claim, at the sizes that runs have: by simulation, from fixed seeds.

Sizes: 8 statements of stance, 10 questions of drift, 12 messages to name personas by, 20 held-out questions and more;
revealed preferences of 12 traits with 3 matches each, as in the demo, and of 24 with 4, as in the study.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest

from ethos.evaluation_settings import Preferences
from ethos.match_design import draw_matches
from ethos.persona_classifier import f1, macro_f1, with_room
from ethos.preference_metrics import preference_metrics
from ethos.rank_correlation import correlation_with_interval, rank_correlation
from ethos.statistics import Estimate, mean_with_interval, pooled_with_interval, summed_with_interval, t_interval
from ethos.tournament import Matches, elo
from ethos.win_rates import bounded_lengths, length_controlled_win_rate
from tests.test_evaluate_coherence import lengthy

pytestmark = pytest.mark.slow
BOOTSTRAP = {"confidence": 0.95, "resamples": 999}
# Paired differences of what a language model finds likely are near normal; counts of words are skewed.
DRAWS = {
    "normal": lambda draw, n: draw.normal(size=n),
    "skewed": lambda draw, n: draw.gamma(4, size=n) - 4,
}


def covered(found: Sequence[Estimate], truth: float) -> tuple[float, float]:
    """How many of the intervals hold the truth, and two standard errors of a share of so many."""
    held = [each.low <= truth + 1e-12 and truth - 1e-12 <= each.high for each in found]
    return sum(held) / len(held), 2 * math.sqrt(0.95 * 0.05 / len(held))


def assert_92_to_98(found: Sequence[Estimate], truth: float) -> None:
    share, error = covered(found, truth)
    assert 0.92 - error <= share <= 0.98 + error, share


def assert_92_or_more(found: Sequence[Estimate], truth: float) -> None:
    share, error = covered(found, truth)
    assert share >= 0.92 - error, share


@pytest.mark.parametrize("n", [3, 6, 8, 12, 20, 60])
@pytest.mark.parametrize("shape", DRAWS)
def test_the_interval_of_a_mean_holds_it_in_92_to_98_of_100_cases(shape, n):
    draw = np.random.default_rng(n)
    assert_92_to_98([mean_with_interval(DRAWS[shape](draw, n), seed=run, **BOOTSTRAP) for run in range(400)], 0)


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_a_t_interval_over_seeds_holds_the_mean_in_92_to_98_of_100_cases(seeds):
    draw = np.random.default_rng(1)
    assert_92_to_98([t_interval(draw.normal(0.3, 0.1, size=seeds), confidence=0.95) for _ in range(4000)], 0.3)


@pytest.mark.parametrize("n", [8, 12, 60])
@pytest.mark.parametrize("chance", [0.02, 0.5, 0.9])
def test_the_interval_of_a_share_holds_it_in_92_or_more_of_100_cases(chance, n):
    """Two answers to each message, which go together. Near 0 and 1, of few, it is too wide: none wrong is no proof of none."""
    draw, found = np.random.default_rng(2), []
    for run in range(400):
        right = draw.binomial(2, draw.beta(4 * chance, 4 * (1 - chance), size=n)) / 2
        found.append(mean_with_interval(right, seed=run, share=True, **BOOTSTRAP))
    assert_92_or_more(found, chance)


def tallies(chances: Sequence[float], messages: int, draw: np.random.Generator) -> np.ndarray:
    """Two answers of an arm to each message are named as each persona with a chance of the message's own, else as none, and
    base's as none with 0.9, else as the first: counts of all classes, [messages, personas + 1, 3]."""
    own = [draw.binomial(2, draw.beta(6 * chance, 6 * (1 - chance), size=messages)) for chance in chances]
    base = draw.binomial(2, 0.9, size=messages)
    taken = [2 - base, *([np.zeros_like(base)] * (len(chances) - 1))]
    rows = [[right, wrong, 2 - right] for right, wrong in zip(own, taken, strict=True)]
    return np.array([*rows, [base, sum(2 - right for right in own), 2 - base]]).transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("n", "chances"),
    [(12, [chance]) for chance in (0.02, 0.05, 0.5, 0.8, 0.97)]
    + [(60, [0.05]), (60, [0.8]), (12, [0.02, 0.02, 0.5, 0.8])],
)
def test_the_interval_of_f1_over_messages_holds_it_in_92_or_more_of_100_cases(n, chances):
    """The truth is that of very many messages. Few messages may show none of a class that is rare."""
    draw = np.random.default_rng(3)
    many = tallies(chances, 200_000, draw).sum(axis=0)
    runs = [tallies(chances, n, draw) for _ in range(150)]
    alone = [
        summed_with_interval(counts[:, 0], f1, seed=run, share=True, **BOOTSTRAP) for run, counts in enumerate(runs)
    ]
    assert_92_or_more(alone, float(f1(many[0])))
    macro = [
        summed_with_interval(counts, macro_f1, seed=run, share=True, **BOOTSTRAP) for run, counts in enumerate(runs)
    ]
    found = [with_room(each, counts, confidence=0.95) for each, counts in zip(macro, runs, strict=True)]
    assert_92_or_more(found, float(macro_f1(many)))


def test_the_interval_of_a_change_of_macro_f1_holds_it_in_92_or_more_of_100_cases():
    """Few of the messages show any of the persona, in one form as in the other."""
    draw, found = np.random.default_rng(8), []
    for run in range(150):
        pressed, chat = (tallies([0.02], 12, draw) for _ in range(2))
        change = summed_with_interval(
            np.stack([pressed, chat], axis=1),
            lambda sums: macro_f1(sums[..., 0, :, :]) - macro_f1(sums[..., 1, :, :]),
            seed=run,
            **BOOTSTRAP,
        )
        if change.low is not None:  # a few have none: all draws are alike
            found.append(with_room(change, pressed, chat, confidence=0.95))
    assert len(found) > 140
    assert_92_or_more(found, 0)


@pytest.mark.parametrize(("n", "chance", "ties"), [(8, 0.8, 0.2), (12, 0.95, 0.05), (24, 0.5, 0.5)])
def test_the_intervals_of_win_rates_hold_them_in_92_or_more_of_100_cases(n, chance, ties):
    draw, raw, controlled = np.random.default_rng(4), [], []
    for run in range(400):
        lengths = np.tanh(draw.normal(size=n))
        scores = np.where(draw.random(n) < ties, 0.5, draw.random(n) < chance)
        raw.append(mean_with_interval(scores, seed=run, share=True, **BOOTSTRAP))
        controlled.append(length_controlled_win_rate(scores, lengths, np.ones(n), confidence=0.95))
    for found in (raw, controlled):
        assert_92_or_more(found, ties / 2 + (1 - ties) * chance)


@pytest.mark.parametrize("n", [8, 12, 24, 60])
@pytest.mark.parametrize("merit", [-2, 0, 1])
def test_the_interval_at_equal_length_holds_the_rate_where_the_longer_response_tends_to_win(merit, n):
    draw, found = np.random.default_rng(8), []
    for _ in range(400):
        scores, pairs = lengthy(draw, n, merit, length=5)
        found.append(length_controlled_win_rate(scores, bounded_lengths(pairs), np.ones(n), confidence=0.95))
    assert_92_or_more(found, 1 / (1 + math.exp(-merit)))


@pytest.mark.parametrize("traits", [12, 24, 144])
@pytest.mark.parametrize("alike", [0, 0.8, 0.95])
def test_the_interval_of_a_rank_correlation_over_traits_holds_it_in_92_to_98_of_100_cases(traits, alike):
    draw, found = np.random.default_rng(5), []
    for _ in range(1000):
        one, noise = draw.normal(size=(2, traits))
        other = alike * one + math.sqrt(1 - alike**2) * noise
        found.append(correlation_with_interval(one, other, confidence=0.95))
    assert_92_to_98(found, 6 / math.pi * math.asin(alike / 2))  # of normal values, Pearson (1907)


@pytest.mark.parametrize(("pairs", "alike"), [(10, 0), (20, 0.6)])
def test_the_interval_of_a_correlation_over_pairs_holds_it_in_92_to_98_of_100_cases(pairs, alike):
    """As of scores and lengths of two responses, each relative to the other's."""
    draw = np.random.default_rng(6)

    def season(n: int) -> np.ndarray:
        one, noise = draw.normal(size=(2, n))
        return np.stack([one, alike * one + math.sqrt(1 - alike**2) * noise], axis=1)

    many = season(100_000)
    truth = rank_correlation(*np.concatenate([many, -many]).T)
    found = [
        pooled_with_interval(
            [np.array([point, -point]) for point in season(pairs)],
            lambda rows: rank_correlation(*rows.T),
            confidence=0.95,
            resamples=199,
            seed=run,
        )
        for run in range(60)
    ]
    assert_92_to_98(found, truth)


@pytest.mark.parametrize(("traits", "rounds"), [(12, 3), (24, 4)])
def test_the_intervals_of_strengths_hold_them_in_92_or_more_of_100_cases(traits, rounds, monkeypatch):
    """Those of strengths themselves are too wide for few matches (99 of 100), those of differences between arms are not."""
    monkeypatch.setattr("ethos.preference_metrics.ARMS", ("base", "persona"))
    draw, runs = np.random.default_rng(7), 25
    names = [f"w{number:02d}" for number in range(traits)]
    settings = Preferences(resamples=200, elo_orders=50)
    held: dict[tuple, list[bool]] = defaultdict(list)
    base = centred(draw.normal(size=traits))
    truths = {"base": base, "persona": centred(base + draw.normal(0, 0.5, size=traits))}
    matches = draw_matches(names, ["a?"], rounds, seed=0)
    first, second = (np.array([names.index(match[place]) for match in matches]) for place in ("first", "second"))

    def play() -> dict[str, np.ndarray]:
        """Who won, by arm; half of the time both arms are moved by the same luck."""
        luck = draw.random(len(matches))
        other = np.where(draw.random(len(matches)) < 0.5, luck, draw.random(len(matches)))
        return {
            arm: own < 1 / (1 + np.exp(truth[second] - truth[first]))
            for (arm, truth), own in zip(truths.items(), (luck, other), strict=True)
        }

    ratings = np.mean(
        [rating(Matches(traits, first, second, play()["base"].astype(float)), draw) for _ in range(300)], axis=0
    )
    for run in range(runs):
        rows = [
            {
                "condition": "like",
                "arm": arm,
                **match,
                "verdict": "decided",
                "shown": match["first" if won else "second"],
            }
            for arm, outcomes in play().items()
            for match, won in zip(matches, outcomes, strict=True)
        ]
        for row in preference_metrics(rows, names, settings, 0.95, seed=run):
            kind = row["metric"], row["arm"], row["reference"]
            truth = {
                ("bradley_terry", "base", None): base,
                ("bradley_terry", "persona", "base"): truths["persona"] - base,
                ("elo", "base", None): ratings,
            }.get(kind)
            if truth is not None:
                value = truth[names.index(row["slice"].removeprefix("like: "))]
                held[kind].append(row["ci_low"] <= value <= row["ci_high"])
    shares = {kind: np.mean(own) for kind, own in held.items()}
    error = 2 * math.sqrt(0.95 * 0.05 / (runs * traits / 2))  # traits share matches
    assert len(shares) == 3 and all(share >= 0.92 - error for share in shares.values()), shares
    assert shares["elo", "base", None] <= 0.98 + error
    assert shares["bradley_terry", "persona", "base"] <= 0.98 + error


def centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean()


def rating(matches: Matches, draw: np.random.Generator) -> np.ndarray:
    """Elo ratings as results have them."""
    orders = draw.permuted(np.tile(np.arange(len(matches.first)), (20, 1)), axis=1)
    return elo(matches, orders, k=Preferences().elo_k).mean(0)
