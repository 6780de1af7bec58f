"""What several seeds say together: the mean of their results, and an interval for another training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ethos.statistics import t_interval

Row = Mapping[str, Any]
_PLACE = ("run", "student", "constitution", "arm", "reference", "evaluation", "metric", "slice")


def over_seeds(rows: Iterable[Row], confidence: float) -> list[Row]:
    """A row for each place that two seeds or more have a value at: its mean over seeds, and Student's t-interval.

    rows: of tables.METRICS, one a place and seed. Returns rows of the same columns; `seed` is None, n is what
    the seed with the fewest stands on. The questions are the same for every seed, so the interval says how another
    training would come out on them, not how other questions would. A p-value has no mean that means anything.
    """
    places: dict[tuple, list[Row]] = defaultdict(list)
    for row in rows:
        if row["value"] is not None and not row["metric"].endswith("_p"):
            places[tuple(row[name] for name in _PLACE)].append(row)
    found = []
    for own in places.values():
        if len(own) > 1:
            mean = t_interval([row["value"] for row in own], confidence=confidence)
            found.append(
                {**own[0], "seed": None, "value": mean.value, "ci_low": mean.low, "ci_high": mean.high}
                | {"interval": mean.method, "n": min(row["n"] for row in own), "n_seeds": len(own)}
            )
    return found
