"""What several seeds say together: the mean of their results, and an interval for another training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ethos.evaluation_settings import PERSONA_EVALUATIONS
from ethos.settings import Settings
from ethos.statistics import Estimate, t_interval

Row = Mapping[str, Any]
_PLACE = ("run", "student", "constitution", "arm", "reference", "evaluation", "metric", "slice")
_ESTIMATE = ("value", "ci_low", "ci_high", "interval")
# Values that differ by less, relative to them, are equal.
_ROUNDING = 1e-12


def drawn_by_seed(settings: Settings) -> list[str]:
    """The run's evaluations in which each seed draws its own messages or matches; in the others all seeds have the same."""
    return [name for name in settings.evaluation.which if name in (*PERSONA_EVALUATIONS, "preferences")]


def interval_over_seeds(values: Sequence[float], *, confidence: float) -> Estimate:
    """The mean of what seeds gave and Student's t-interval; of equal values none, for they don't prove that another's would be."""
    found = t_interval(values, confidence=confidence)
    if max(values) - min(values) > _ROUNDING * max(1.0, abs(found.value)):
        return found
    return replace(found, low=None, high=None, method="none")


def over_seeds(rows: Iterable[Row], confidence: float) -> list[Row]:
    """A row for each place that two seeds or more have a value at: its mean over seeds, and Student's t-interval.

    rows: of tables.METRICS, one a place and seed. Returns rows of the same columns; `seed` is None, n is what
    the seed with the fewest stands on. Where all seeds have the same value, and the same interval over prompts, it is kept.
    Most evaluations ask every seed the same, so that the interval says how another training would come out on these
    questions, not how others would; where each seed draws its own (`drawn_by_seed`), it is over both. A p-value has no mean
    that means anything.
    """
    places: dict[tuple, list[Row]] = defaultdict(list)
    for row in rows:
        if row["value"] is not None and not row["metric"].endswith("_p"):
            places[tuple(row[name] for name in _PLACE)].append(row)
    found = []
    for own in places.values():
        if len(own) > 1:
            each = [tuple(row[name] for name in _ESTIMATE) for row in own]
            mean = interval_over_seeds([row["value"] for row in own], confidence=confidence)
            told = each[0] if len(set(each)) == 1 else (mean.value, mean.low, mean.high, mean.method)
            found.append(
                {**own[0], "seed": None, **dict(zip(_ESTIMATE, told, strict=True))}
                | {"n": min(row["n"] for row in own), "n_seeds": len(own)}
            )
    return found
