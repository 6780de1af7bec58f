"""The results that a report carries inside it, for a reader to search."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ethos.files import canonical_json

Row = Mapping[str, Any]
# Rows that a page carries of all slices. A large run has hundreds of thousands: its page carries those over the most.
MOST_ROWS = 4000
_PART = re.compile("[,:] ")
_SHOWN = (
    "constitution", "student", "seed", "arm", "reference", "evaluation", "metric", "slice", "value", "ci_low", "ci_high",
    "interval", "n", "n_seeds", "judge",
)  # fmt: skip


def rows_for_page(rows: Sequence[Row]) -> list[Row]:
    """All rows of tables.METRICS where they are few enough for a page, else those over the most of each evaluation.

    These are of the slice `all`; of an evaluation that has none (its slices are tasks, steps, conditions ...), of every
    slice that is no part of another, as `like: poetic` is of `like`, and `judge, ethics` of `judge`.
    """
    if len(rows) <= MOST_ROWS:
        return list(rows)
    over_everything = {row["evaluation"] for row in rows if row["slice"] == "all"}
    return [
        row
        for row in rows
        if (row["slice"] == "all" if row["evaluation"] in over_everything else not _PART.search(row["slice"]))
    ]


def json_for_page(rows: Iterable[Row]) -> str:
    """Rows as JSON that can stand in a script element: nothing in it can end the element."""
    values = [[_finite(row[name]) for name in _SHOWN] for row in rows]
    return canonical_json({"columns": _SHOWN, "rows": values}).replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    """JSON has no word for what is no number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
