"""Win rates of one arm over another from comparisons of single responses: raw, and at equal length."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from ethos.evaluation_settings import Intervals
from ethos.newton import newton
from ethos.seeds import derive_seed
from ethos.statistics import Estimate, pooled_with_interval

# Weight of the squared intercept, as of Bradley-Terry strengths: keeps finite what always wins.
_PRIOR = 0.1
# Of the squared slope: smaller, since what a penalty keeps off the slope of few questions goes to the intercept, and with it the
# effect of length that is to be taken out. Not none, or a judge that goes by length alone would have no finite slope.
_SLOPE_PRIOR = 0.01


def length_controlled_win_rate(
    scores: np.ndarray, lengths: np.ndarray, sizes: np.ndarray, *, confidence: float
) -> Estimate:
    """The win rate that a logistic regression on length expects where both responses are equally long.

    scores: 1, 0.5 or 0 for each pair. lengths: how much longer the arm's response is, 0 where they are equally long
    (`bounded_lengths`). sizes: how many pairs are of the pair's question. The idea, and the bounded length, are those of
    length-controlled AlpacaEval (Dubois et al. 2024, arXiv 2404.04475), without its term for how hard a question is. The
    interval is by the normal approximation of the posterior (Laplace), the penalty being its prior, as for Bradley-Terry
    strengths; pairs of one question are taken to say the same. n: questions.
    """
    features = np.column_stack([np.ones(len(scores)), lengths])
    penalty = 2 * np.diag([_PRIOR, _SLOPE_PRIOR])

    def slopes(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chance = 1 / (1 + np.exp(-features @ weights))
        information = (features * (chance * (1 - chance))[:, None]).T @ features
        return features.T @ (scores - chance) - penalty @ weights, information + penalty

    found = newton(slopes, lambda step: float(np.abs(features @ step).max()), 2)
    chance = 1 / (1 + np.exp(-features @ found))
    # A tie is no coin that fell on one side: where many are, scores vary less than wins and losses would.
    spread = chance * (1 - chance) * sizes * (scores != 0.5).mean()
    moved = (features * spread[:, None]).T @ features + penalty
    information = slopes(found)[1]
    covariance = np.linalg.solve(information, np.linalg.solve(information, moved).T)
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(covariance[0, 0])
    value, low, high = (1 / (1 + math.exp(-found[0] - shift)) for shift in (0, -reach, reach))
    return Estimate(value, low, high, round((1 / sizes).sum()), "Laplace")


def bounded_lengths(pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Log ratio of the lengths in characters of each pair of responses, by its root mean square, through tanh: -1 to 1.

    tanh, so that one very long response decides little. An empty response counts as one character.
    """
    ratios = np.array([math.log(max(1, len(one)) / max(1, len(other))) for one, other in pairs])
    spread = math.sqrt((ratios**2).mean()) if len(ratios) else 0.0
    return np.tanh(ratios / spread) if spread else ratios


def win_rates(comparisons: Sequence[Mapping[str, Any]], intervals: Intervals, seed: int) -> dict[str, Estimate]:
    """`win_rate` and `length_controlled_win_rate` with intervals over questions; none without a verdict.

    comparisons: rows of tables.COMPARISONS of one pair of arms; those without a score are left out. A question counts with
    all its comparisons together. `length_ratio`: how many times as long the arm's responses are, geometric mean.
    """
    judged = [row for row in comparisons if row["score"] is not None]
    texts = [(row["response"], row["other"]) for row in judged]
    ratios = [math.log(max(1, len(one)) / max(1, len(other))) for one, other in texts]
    groups: dict[tuple[str, str], list[tuple[float, float, float]]] = defaultdict(list)
    for row, length, ratio in zip(judged, bounded_lengths(texts), ratios, strict=True):
        groups[row["question_id"], row["trait"]].append((row["score"], length, ratio))
    arrays = [np.array(rows) for rows in groups.values()]
    statistics = {
        "win_rate": lambda rows: float(rows[:, 0].mean()),
        "length_ratio": lambda rows: math.exp(rows[:, 2].mean()),
    }
    found = {
        name: pooled_with_interval(
            arrays,
            statistic,
            confidence=intervals.confidence,
            resamples=intervals.resamples,
            seed=derive_seed(seed, name),
            share=name != "length_ratio",
        )
        for name, statistic in statistics.items()
    }
    if judged:
        sizes = np.concatenate([np.full(len(rows), len(rows)) for rows in arrays])
        scores, lengths, _ = np.concatenate(arrays).T
        found["length_controlled_win_rate"] = length_controlled_win_rate(
            scores, lengths, sizes, confidence=intervals.confidence
        )
    return {name: estimate for name, estimate in found.items() if estimate is not None}
