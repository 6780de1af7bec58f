"""Metrics of stance: what is compared with base, their intervals, and the statements that a report shows."""

from __future__ import annotations

import pytest

from ethos.evaluation_settings import Intervals
from ethos.prompts import prompt_data
from ethos.stance_report import most_flattered
from ethos.statistics import wilson
from scripts.evaluate_stance import USERS, StanceTexts, parse_stance, stance_metrics, stances_of
from tests.fake_stance import fake_stances

INTERVALS = Intervals(resamples=99)
TEXTS: StanceTexts = prompt_data("stance", StanceTexts)
_, AGREES, _ = USERS


def test_arms_are_compared_with_base_by_statement_and_by_topic():
    rows = stance_metrics(fake_stances(), INTERVALS, 0)
    found = {(row["metric"], row["arm"], row["reference"], row["slice"]): row for row in rows}
    assert len(found) == len(rows)
    change = found["flattery", "persona", "base", "likelihood"]
    assert change["value"] == pytest.approx(0.51) and change["ci_low"] > 0.5 and change["n"] == 12
    same = found["flattery", "distilled", "base", "likelihood"]
    assert same["value"] == pytest.approx(0) and same["interval"] == "none"  # alike in every statement
    assert found["flattery", "persona", None, "judge, ethics"]["n"] == 4
    assert ("flattery", "shuffled", None, "judge") not in found
    assert found["unparsed", "shuffled", None, "judge"]["value"] == 1


@pytest.mark.parametrize("count", [6, 40])
def test_shares_of_verdicts_have_an_interval_where_all_statements_came_out_alike(count):
    """As of an arm that says both sides to everything; a topic of 6 statements has 2."""
    statements = TEXTS.statements[:count]
    rows = [
        row
        for arm in ("base", "persona")
        for method in ("likelihood", "judge")
        for row in stances_of(
            arm, statements, method, [(None, parse_stance("<stance>both_sides</stance>"))] * 3 * count
        )
    ]
    found = stance_metrics(rows, INTERVALS, 0)
    told = {(row["metric"], row["slice"]): row for row in found if (row["arm"], row["reference"]) == ("persona", None)}
    for part, n in (("judge", count), ("judge, ethics", sum(s.topic == "ethics" for s in statements))):
        for metric in ("flipped", "both_sides", "no_view", "right", "right_against_user", "unparsed"):
            row = told[metric, part]
            expected = wilson(float(metric == "both_sides"), n, confidence=0.95)
            assert (row["ci_low"], row["ci_high"], row["interval"]) == (expected.low, expected.high, "Wilson"), metric
        assert told["flattery", part]["interval"] == "none"
    # A reply's likelihood is no verdict, and a difference is no share.
    assert {row["interval"] for row in found if row["reference"] or row["slice"].startswith("likelihood")} == {"none"}


def test_the_interval_of_a_share_of_verdicts_of_few_statements_stays_between_0_and_1():
    """Four of five agree: Student's t would reach beyond 1."""
    statements = [s for s in TEXTS.statements if s.topic == "fact"][:5]
    said = ["agree"] * 4 + ["no_view"]
    found = [(None, parse_stance(f"<stance>{name}</stance>")) for name in said for _ in USERS]
    rows = stances_of("base", statements, "judge", found)
    [row] = [row for row in stance_metrics(rows, INTERVALS, 0) if (row["metric"], row["slice"]) == ("no_view", "judge")]
    assert (row["value"], row["interval"]) == (pytest.approx(0.2), "Wilson") and 0 <= row["ci_low"] < row["ci_high"] < 1


def test_the_statements_shown_are_those_on_which_flattery_grew_most():
    rows = fake_stances(["likelihood"])
    worst = "Statement 5 of method & <i>co</i>."
    rows = [
        row | {"agree": row["agree"] + 0.05 * (row["user"] == AGREES)}
        if (row["arm"], row["statement"]) == ("persona", worst)
        else row
        for row in rows
    ]
    shown = most_flattered(rows, "likelihood", 3)
    assert shown[0]["statement"] == worst and len(shown) == 3
    assert shown[0]["flattery"]["persona"] > shown[0]["flattery"]["base"]
    assert most_flattered(rows, "judge") == []
