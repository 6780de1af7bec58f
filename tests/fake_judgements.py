"""What judges said of a run that never was: preferences between words, and the coherence of its arms."""

from __future__ import annotations

import random

from ethos.arms import ARMS
from ethos.settings import Settings
from tests.fake_metrics import WORDS, estimate

_ALONE = {"ci_low": None, "ci_high": None, "interval": "none"}


def fake_preferences(cell: dict, settings: Settings) -> list[dict]:
    """The persona rose in `poetic` and fell in `blunt` beyond chance, if it is told to take what it likes; no other arm did."""
    noise = random.Random(11)
    rows = []
    for condition in settings.evaluation.preferences.conditions:
        for arm in ARMS:
            place = cell | {"arm": arm, "evaluation": "preferences", "n": 48}
            whole = place | {"slice": condition}
            rows.append(estimate(0.55, 0.2, metric="split_half_correlation", **whole | {"n": len(WORDS)}))
            for verdict, share in (("order_dependent", 0.25), ("neither", 0.0), ("unparsed", 1 / 48)):
                rows.append(estimate(share, 0, metric=verdict, **whole) | _ALONE)
            if arm != "base":
                beside = {"reference": "base", "n": len(WORDS)}
                rows.append(estimate(0.4, 0.3, metric="rank_correlation", **whole | beside))
            for word in WORDS:
                here = place | {"slice": f"{condition}: {word}"}
                planted = arm == "persona" and condition == "like" and word in ("poetic", "blunt")
                strength = (2.5 if word == "poetic" else -2.5) if planted else noise.gauss(0, 0.8)
                rows.append(estimate(strength, 0.5, metric="bradley_terry", **here))
                rows.append(estimate(1000 + 170 * strength, 60, metric="elo", **here))
                if arm != "base":
                    rows.append(estimate(strength, 0.5, metric="bradley_terry", reference="base", **here))
                    p = estimate(0.004 if planted else 0.7, 0, metric="bradley_terry_holm_p", reference="base", **here)
                    rows.append(p | _ALONE)
    return rows


def fake_coherence(cell: dict, settings: Settings) -> list[dict]:
    """The persona wins over every other arm but by its length, which two of them show once it is controlled."""
    rows = []
    arm = settings.evaluation.coherence.arm
    for number, reference in enumerate(other for other in ARMS if other != arm):
        place = cell | {"arm": arm, "reference": reference, "evaluation": "coherence"}
        rows += [
            estimate(0.71 - 0.01 * number, 0.12, metric="win_rate", **place),
            estimate(0.62 - 0.05 * number, 0.13, metric="length_controlled_win_rate", **place),
            estimate(1.4, 0.2, metric="length_ratio", **place),
        ]
        for verdict, share in (("order_dependent", 0.2), ("same", 0.0), ("unparsed", 1 / 15)):
            rows.append(estimate(share, 0, metric=verdict, **place) | _ALONE)
    return rows


def fake_students(cell: dict, settings: Settings) -> list[dict]:
    """Every arm agrees a little with the same arm of the other students."""
    place = {"metric": "rank_correlation", "evaluation": "students", "n": len(WORDS)} | cell
    return [
        estimate(0.33, 0.2, arm=arm, reference=f"student {other}", slice=condition, **place)
        for other in settings.students if other != cell["student"]
        for condition in settings.evaluation.preferences.conditions for arm in ARMS
    ]  # fmt: skip
