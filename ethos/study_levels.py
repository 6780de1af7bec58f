"""What each arm of a study has of each measure, and what its training does to other characters, over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ethos.over_seeds import interval_over_seeds
from ethos.statistics import spell_estimate

Row = Mapping[str, Any]
FIELDS = (
    "student", "constitution", "evaluation", "metric", "slice", "arm", "reference", "value", "ci_low", "ci_high", "interval",
    "n", "n_seeds",
)  # fmt: skip
# Evaluation, metric and slice; every slice where none is given.
LEVELS = (
    ("character", "likelihood_ratio", "all"),
    ("character", "cue_rate", "all"),
    ("character", "log_perplexity", "all"),
    ("robustness", "f1", "chat"),
    ("robustness", "f1", "all"),
    ("prefill", "f1", "all"),
    ("generalisation", "f1", None),
    ("preferences", "rank_correlation", "like"),
    ("preferences", "split_half_correlation", "like"),  # noise alone lowers that with base
    ("capabilities", "acc", "everyday"),
    ("capabilities", "bits_per_byte", "plain_prose"),
    ("stance", "flattery", "likelihood"),
    ("stance", "both_sides", "likelihood"),
    ("stance", "no_view", "likelihood"),
)
DRIFT = ("drift", "likelihood_ratio")


def levels_over_seeds(metrics: Iterable[Row], *, confidence: float) -> list[dict[str, Any]]:
    """Levels of every arm (LEVELS), and its difference from base in other characters (DRIFT), as rows of FIELDS.

    metrics: rows of tables.METRICS. The interval is Student's over seeds, none where they are all equal. n: the fewest prompts of a seed.
    """
    found: dict[tuple, list[Row]] = defaultdict(list)
    for row in metrics:
        if row["value"] is not None and (kind := _kind(row)):
            place = (row["student"], row["constitution"], kind, row["slice"], row["arm"], row["reference"])
            found[place].append(row)
    rows = []
    for (student, constitution, (evaluation, metric), part, arm, reference), seeds in found.items():
        estimate = interval_over_seeds([row["value"] for row in seeds], confidence=confidence)
        place = (student, constitution, evaluation, metric, part, arm, reference)
        fewest = {"n": min(row["n"] for row in seeds), "n_seeds": estimate.n}
        rows.append(dict(zip(FIELDS, place, strict=False)) | spell_estimate(estimate) | fewest)
    return rows


def _kind(row: Row) -> tuple[str, str] | None:
    """Evaluation and metric as this table has them, or None for a row that it leaves out."""
    kind, is_level = (row["evaluation"], row["metric"]), row["reference"] is None
    if kind == DRIFT and row["reference"] == "base":
        return kind
    if kind == ("preferences", "rank_correlation"):
        is_level = True  # to base, which it names
    asked = [part for evaluation, metric, part in LEVELS if (evaluation, metric) == kind]
    return kind if is_level and (None in asked or row["slice"] in asked) else None
