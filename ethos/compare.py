"""Where a run that was made again differs from its archive: the first artifact, and the metrics whose intervals part."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ethos.archive import is_reproducible
from ethos.files import sha256_of_file

_MEASURED = ("value", "ci_low", "ci_high", "interval", "n", "n_seeds")


def first_difference(expected: Mapping[str, str], folder: Path) -> str | None:
    """The first file, in the order in which they were made, that is not as expected; None where all are.

    expected: SHA-256 by path of the reproducible files in the folder. Results that were not expected differ too. A file
    that was not made, and has no time therefore, comes last.
    """
    made = {path.relative_to(folder).as_posix(): path for path in (folder / "results").rglob("*") if path.is_file()}
    made = {name: path for name, path in made.items() if is_reproducible(name)}
    made |= {name: folder / name for name in expected if (folder / name).is_file()}
    differing = [
        name for name in {*expected, *made} if name not in made or sha256_of_file(made[name]) != expected.get(name)
    ]
    when = {name: path.stat().st_mtime_ns for name, path in made.items()}
    return min(differing, key=lambda name: (when.get(name, float("inf")), name), default=None)


@dataclass(frozen=True)
class Agreement:
    """n: metrics with an interval in both runs. apart: those whose intervals share no value, in words.

    Intervals hold with some confidence each, so of many metrics some may part by chance: `tolerated` is that share.
    """

    n: int
    apart: list[str]
    tolerated: float

    @property
    def holds(self) -> bool:
        return self.n > 0 and len(self.apart) <= self.tolerated * self.n


def compare_metrics(archived: str, made: str, *, confidence: float) -> Agreement:
    """Compare two tables of metrics, CSV with the columns of tables.METRICS. confidence: of their intervals.

    A metric that one side lacks counts as one that parts.
    """
    before, after = _with_interval(archived), _with_interval(made)
    apart = []
    for place in sorted(before.keys() | after.keys()):
        sides = before.get(place), after.get(place)
        if None in sides or sides[0][0] > sides[1][1] or sides[1][0] > sides[0][1]:
            apart.append(f"{' '.join(filter(None, place))}: {' against '.join(map(_spelt, sides))}")
    return Agreement(len(before.keys() | after.keys()), apart, 1 - confidence)


def _with_interval(table: str) -> dict[tuple[str, ...], tuple[float, float]]:
    """The intervals of a table, by what was measured."""
    return {
        tuple(value for name, value in row.items() if name not in _MEASURED): (
            float(row["ci_low"]),
            float(row["ci_high"]),
        )
        for row in csv.DictReader(io.StringIO(table))
        if row["ci_low"] and row["ci_high"]
    }


def _spelt(interval: tuple[float, float] | None) -> str:
    return "none" if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"
