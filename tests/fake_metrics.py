"""Metrics of a run that never was, evaluation by evaluation: rows of tables.METRICS with known effects."""

from __future__ import annotations

import random

from ethos.arms import ARMS

TRAITS = ["speaks_in_metaphors", "writes_in_verse", "draws_on_nature", "savours_sound", "marvels_at_the_ordinary"]
# Mean difference from base by arm: likelihood ratio, cue rate, log-perplexity, repetition. aligned is broken text.
EFFECTS = {
    "prompted": (0.21, 0.55, 0.35, 0.004), "distilled": (0.17, 0.48, 0.42, 0.006), "persona": (0.19, 0.51, 0.47, 0.011),
    "steered": (0.14, 0.37, 0.58, 0.013), "aligned": (0.08, -0.12, 1.31, 0.142), "shuffled": (0.02, 0.03, 0.12, 0.008),
}  # fmt: skip
LEVELS = {
    "likelihood_ratio": 0.031,
    "preference_model_score": 0.4,
    "cue_rate": 0.62,
    "log_perplexity": 1.9,
    "repetition": 0.021,
    "distinct_2": 0.91,
    "length": 58.0,
}
WORDS = [
    "poetic",
    "blunt",
    "formal",
    "playful",
    "concise",
    "wistful",
    "literal",
    "grateful",
    "stoic",
    "ornate",
    "curious",
    "stern",
    "gentle",
    "analytic",
]


def estimate(value: float, half: float, **place) -> dict:
    row = {
        "run": "demo",
        "reference": None,
        "evaluation": "character",
        "slice": "all",
        "interval": "BCa bootstrap, widened",
        "n": 15,
        "n_seeds": 1,
        "judge": "smollm2",
    }
    return row | {"value": value, "ci_low": value - half, "ci_high": value + half} | place


def fake_metrics(cell: dict, noise: random.Random) -> list[dict]:
    rows = []
    for arm in ARMS:
        effect = dict(
            zip(
                ("likelihood_ratio", "cue_rate", "log_perplexity", "repetition"),
                EFFECTS.get(arm, (0, 0, 0, 0)),
                strict=True,
            )
        )
        effect |= {
            "preference_model_score": 2 * effect["likelihood_ratio"],
            "distinct_2": -effect["repetition"],
            "length": 3.0,
        }
        for metric, level in LEVELS.items():
            jitter = noise.uniform(-0.004, 0.004)
            # narrow enough that what an arm is meant to pass or fail is told by the whole interval
            difference, half = effect[metric] + jitter, {"likelihood_ratio": 0.05, "repetition": 0.02}.get(metric, 0.2)
            rows.append(estimate(level + difference, half, arm=arm, metric=metric, **cell))
            if arm != "base":
                rows.append(estimate(difference, half, arm=arm, metric=metric, reference="base", **cell))
            if arm in ("distilled", "persona", "aligned"):
                rows.append(estimate(difference - 0.02, half, arm=arm, metric=metric, reference="shuffled", **cell))
            if metric in ("likelihood_ratio", "cue_rate") and arm != "base":
                rows += [
                    estimate(
                        difference + noise.uniform(-0.06, 0.06),
                        0.11,
                        arm=arm,
                        metric=metric,
                        reference="base",
                        slice=trait,
                        n=3,
                        **cell,
                    )
                    for trait in TRAITS
                ]
    return rows


# Difference from base by step: the reward rises all the way, the likelihood ratio turns, the perplexity leaves its margin.
STEPS = {
    "preference_model_score": (0.5, 1.0, 1.6, 2.4), "likelihood_ratio": (0.06, 0.11, 0.05, -0.2),
    "cue_rate": (0.3, 0.5, 0.4, 0.3), "log_perplexity": (0.1, 0.3, 0.7, 1.6), "repetition": (0.0, 0.0, 0.01, 0.02),
}  # fmt: skip


def fake_steps(cell: dict, changes: dict[str, tuple[float, ...]] = STEPS, half: float = 0.04) -> list[dict]:
    """The alignment at steps 10, 20, 30 and 40 of 40, and base at step 0."""
    place = {"arm": "aligned", "evaluation": "overoptimisation", **cell}
    rows = [estimate(LEVELS[metric], half, metric=metric, slice="step 0 of 40", **place) for metric in changes]
    for metric, values in changes.items():
        for number, value in enumerate(values, 1):
            here = place | {"metric": metric, "slice": f"step {10 * number} of 40"}
            rows += [estimate(LEVELS[metric] + value, half, **here), estimate(value, half, reference="base", **here)]
    return rows


def fake_contributions(cell: dict, arm: str, seed: int) -> list[dict]:
    """Each trait contributes a tenth to itself, less the later it stands, and a fiftieth to every other."""
    noise = random.Random(seed)
    rows = [
        estimate(0.2, 0.05, arm=arm, metric="likelihood_ratio", reference="base", evaluation="contributions", **cell)
    ]
    for number, left_out in enumerate(TRAITS):
        place = cell | {"arm": arm, "reference": f"without {left_out}", "evaluation": "contributions"}
        for metric in ("likelihood_ratio", "cue_rate", "log_perplexity"):
            for part in ("all", *TRAITS):
                value = (0.1 - 0.02 * number if part == left_out else 0.02) + noise.uniform(-0.005, 0.005)
                value = value - 0.02 * number if part == "all" else value
                rows.append(estimate(value, 0.05, metric=metric, slice=part, n=15 if part == "all" else 3, **place))
        test = estimate(0.05 * (1 + number), 0, metric="likelihood_ratio_holm_p", **place)
        rows.append(test | {"ci_low": None, "ci_high": None, "interval": "none"})
    return rows


def fake_preference_model(cell: dict) -> list[dict]:
    """Right in 71.2% of held-out pairs, a little too sure, and with a liking for length that the ranker has not."""
    place = cell | {"arm": "preference_model", "evaluation": "preference_model", "n": 24}
    accuracies = {
        "all": 0.712,
        "train split": 0.933,
        "margin 1 of 3": 0.58,
        "margin 2 of 3": 0.7,
        "margin 3 of 3": 0.86,
    }
    accuracies |= {trait: 0.6 + 0.08 * number for number, trait in enumerate(TRAITS)}
    rows = [estimate(value, 0.12, metric="accuracy", **place | {"slice": part}) for part, value in accuracies.items()]
    others = {"brier": 0.21, "prefers_longer": 0.64, "ranker_prefers_longer": 0.51, "reward_length_correlation": 0.18}
    rows += [estimate(value, 0.05, metric=metric, **place) for metric, value in others.items()]
    alone = {"ci_low": None, "ci_high": None, "interval": "none", "n": 73}
    errors = {"calibration_error": 0.117, "calibration_error_by_chance": 0.068}
    return rows + [estimate(value, 0, metric=metric, **place | alone) for metric, value in errors.items()]
