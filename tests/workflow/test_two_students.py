"""Two students that play the same matches are compared, each with the other."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ethos.arms import ARMS
from ethos.evaluation_settings import Preferences
from ethos.match_design import draw_matches
from ethos.preference_metrics import preference_metrics
from ethos.tables import METRICS, metrics_table, read_table, write_table
from tests.conftest import Checkout

pytestmark = pytest.mark.slow
TRAITS = ["kind", "blunt", "poetic", "stern", "witty", "dull", "brave", "calm", "vain", "terse"]
EVALUATIONS = "results/test/{}/poeticism/seed0/evaluations/{}.parquet"


def write_preferences(path: Path, student: str, seed: int) -> dict[str, list[float]]:
    """The table of revealed preferences that this student would leave, of matches won by chance; strengths by arm."""
    draw = np.random.default_rng(seed)
    rows = [
        {"condition": condition, "arm": arm, **match, "verdict": "decided", "shown": match[draw.choice(["first", "second"])]}
        for condition in ("like", "random")
        for arm in ARMS
        for match in draw_matches(TRAITS, ["Why?"], 8, seed=0)
    ]  # fmt: skip
    found = preference_metrics(rows, TRAITS, Preferences(resamples=50, elo_orders=20), 0.95, seed=0)
    judged = [row | {"judge": student} for row in found]
    path.parent.mkdir(parents=True)
    write_table(path, metrics_table(judged, place=("test", student, "poeticism"), seed=0, evaluation="preferences"))
    return {
        arm: [row["value"] for row in found if (row["arm"], row["metric"], row["reference"]) == (arm, "bradley_terry", None) and row["slice"].startswith("like: ")]
        for arm in ARMS
    }  # fmt: skip


def test_each_of_two_students_is_compared_with_the_other_arm_by_arm(checkout: Checkout) -> None:
    twin = "  twin:\n    source: path:build/tiny\n    dtype: float32\n\nstudents: [tiny, twin]"
    checkout.edit("config/test.yaml", "\nstudents: [tiny]", twin)
    strengths = {
        student: write_preferences(checkout.folder / EVALUATIONS.format(student, "preferences"), student, seed)
        for seed, student in enumerate(("tiny", "twin"))
    }
    tables = [EVALUATIONS.format(student, "students") for student in strengths]
    outcome = checkout.snakemake(*tables, "--allowed-rules", "compare_students", "--cores", "1")
    assert outcome.returncode == 0, outcome.stderr
    for student, other, table in zip(strengths, ("twin", "tiny"), tables, strict=True):
        rows = read_table(checkout.folder / table, METRICS).to_pylist()
        assert len(rows) == 2 * len(ARMS)
        assert {(row["student"], row["reference"], row["n"]) for row in rows} == {(student, f"student {other}", 10)}
        for row in (row for row in rows if row["slice"] == "like"):
            expected = stats.spearmanr(*(own[row["arm"]] for own in strengths.values())).statistic
            assert row["value"] == pytest.approx(expected)
            assert row["ci_low"] < row["value"] < row["ci_high"]


def test_a_run_of_two_students_asks_for_the_comparison_of_both_and_a_run_of_one_for_none(checkout: Checkout) -> None:
    assert "compare_students" not in checkout.snakemake("-n").stdout
    twin = "  twin:\n    source: path:build/tiny\n\nstudents: [tiny, twin]"
    checkout.edit("config/test.yaml", "\nstudents: [tiny]", twin)
    asked = re.findall(
        r"\brule compare_students:\n(?:.*\n)*?\s+wildcards: .*student=(\w+)", checkout.snakemake("-n").stdout
    )
    assert sorted(asked) == ["tiny", "twin"]
