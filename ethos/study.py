"""What a study asks of its seeds: comparisons of two arms that were named before any result, seed by seed.

Read from the metrics of each student, constitution and seed; a comparison that a run has no rows for is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ethos.statistics import t_interval


@dataclass(frozen=True)
class Claim:
    """A comparison: how much more an arm has of a measure than another. claim: what it is about, in words."""

    claim: str
    metric: str
    arm: str
    reference: str
    evaluation: str = "character"
    slice: str = "all"


_TRAINED = ("distilled", "persona", "aligned")
# What says of an arm how it stands to base, so that it is a level though it names a reference.
_OF_BASE = ("rank_correlation",)
CLAIMS = (
    *(Claim("training shows the character", "likelihood_ratio", arm, "base") for arm in _TRAINED),
    *(Claim("training shows the character", "cue_rate", arm, "base") for arm in _TRAINED),
    *(Claim("the order of preferences matters", metric, "aligned", "shuffled") for metric in ("likelihood_ratio", "cue_rate")),
    *(Claim("introspection adds to distillation", metric, "persona", "distilled") for metric in ("likelihood_ratio", "cue_rate")),
    *(
        Claim("Claude's Character against Open Character Training", metric, "aligned", "persona")
        for metric in ("likelihood_ratio", "cue_rate", "log_perplexity", "repetition")
    ),
    *(Claim("preferences shift", "rank_correlation", arm, "shuffled", "preferences", "like") for arm in _TRAINED),
    *(Claim("training withstands a request to drop the character", "macro_f1", arm, "prompted", "robustness") for arm in _TRAINED),
    *(Claim("capabilities stay", "acc", arm, "base", "capabilities", "everyday") for arm in _TRAINED),
    *(Claim("capabilities stay", "bits_per_byte", arm, "base", "capabilities", "plain_prose") for arm in _TRAINED),
)  # fmt: skip
FIELDS = (
    "student", "constitution", "claim", "evaluation", "metric", "slice", "arm", "reference",
    "value", "ci_low", "ci_high", "interval", "n", "n_seeds",
)  # fmt: skip


def compare_over_seeds(metrics: Iterable[Mapping[str, Any]], *, confidence: float) -> list[dict[str, Any]]:
    """Every claim for each student and constitution, and for `all` constitutions, over seeds.

    metrics: rows of tables.METRICS. A seed gives the difference of two levels on the same prompts, for `all` their mean
    over the constitutions that have it; seeds that lack a constitution which others have are left out there, since their
    mean would be of something else. n: the fewest prompts of a level. Returns rows of FIELDS.
    """
    levels: dict[tuple[str, str, int], dict[tuple[str, ...], tuple[float, int]]] = defaultdict(dict)
    for row in metrics:
        if row["value"] is not None and (row["reference"] is None or row["metric"] in _OF_BASE):
            place = (row["evaluation"], row["metric"], row["slice"], row["arm"])
            levels[row["student"], row["constitution"], row["seed"]][place] = row["value"], row["n"]
    rows = []
    for claim in CLAIMS:
        by_student: dict[str, dict[str, dict[int, tuple[float, int]]]] = defaultdict(lambda: defaultdict(dict))
        for (student, constitution, seed), found in levels.items():
            own, other = (
                found.get((claim.evaluation, claim.metric, claim.slice, arm)) for arm in (claim.arm, claim.reference)
            )
            if own and other:
                by_student[student][constitution][seed] = own[0] - other[0], min(own[1], other[1])
        for student, by_constitution in by_student.items():
            if len(by_constitution) > 1:
                by_constitution |= {"all": _over_constitutions(by_constitution)}
            for constitution, by_seed in by_constitution.items():
                if by_seed:
                    rows.append(_row(claim, student, constitution, by_seed, confidence))
    return rows


def _over_constitutions(found: Mapping[str, Mapping[int, tuple[float, int]]]) -> dict[int, tuple[float, int]]:
    """By seed, the mean over constitutions, and all their prompts."""
    shared = sorted(set.intersection(*(set(by_seed) for by_seed in found.values())))
    return {
        seed: (sum(own[seed][0] for own in found.values()) / len(found), sum(own[seed][1] for own in found.values()))
        for seed in shared
    }


def _row(
    claim: Claim, student: str, constitution: str, by_seed: Mapping[int, tuple[float, int]], confidence: float
) -> dict[str, Any]:
    estimate = t_interval([value for value, _ in by_seed.values()], confidence=confidence)
    return {"student": student, "constitution": constitution, **vars(claim)} | {
        "value": estimate.value,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "interval": estimate.method,
        "n": min(n for _, n in by_seed.values()),
        "n_seeds": estimate.n,
    }
