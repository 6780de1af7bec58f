"""A study compares arms seed by seed: its intervals are over trainings, and nothing is compared that is not there."""

from __future__ import annotations

import math
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from scipy import stats

from ethos.statistics import t_interval
from ethos.study import CLAIMS, FIELDS, Claim, compare_over_seeds, verdict
from ethos.study_figures import claims_figure, drift_figure, levels_figure
from ethos.study_levels import levels_over_seeds
from ethos.tables import METRICS, table_from, write_table
from scripts import compare_seeds, write_study_cell


def test_the_interval_over_seeds_is_students():
    values = [0.11, 0.19, 0.16]
    found = t_interval(values, confidence=0.95)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.value, found.n, found.method) == (pytest.approx(0.46 / 3), 3, "t over seeds")


def test_one_seed_has_no_interval():
    found = t_interval([0.2], confidence=0.95)
    assert (found.value, found.low, found.high, found.n, found.method) == (0.2, None, None, 1, "none")


def level(constitution: str, seed: int, arm: str, value: float, metric: str = "likelihood_ratio", **place) -> dict:
    row = {
        "run": "study",
        "student": "small",
        "constitution": constitution,
        "seed": seed,
        "arm": arm,
        "reference": None,
    }
    row |= {
        "evaluation": "character",
        "metric": metric,
        "slice": "all",
        "value": value,
        "ci_low": None,
        "ci_high": None,
    }
    return row | {"interval": "none", "n": 24, "n_seeds": 1, "judge": "small"} | place


def cells(gain: float, spread: float, constitutions=("humor", "candor"), seeds=range(3)) -> list[dict]:
    """persona has `gain` more than distilled, give or take what a training's luck is."""
    draw = random.Random(0)
    return [
        level(constitution, seed, arm, 0.1 + (gain + draw.gauss(0, spread) if arm == "persona" else 0))
        for constitution in constitutions
        for seed in seeds
        for arm in ("distilled", "persona")
    ]


def test_a_planted_gain_is_found_over_seeds_and_none_where_there_is_none():
    for gain, is_found in ((0.3, True), (0.0, False)):
        found = {row["constitution"]: row for row in compare_over_seeds(cells(gain, 0.03), confidence=0.95)}
        assert set(found) == {"humor", "candor", "all"}
        assert (found["all"]["ci_low"] > 0) is is_found and found["all"]["ci_high"] > 0
        assert {row["claim"] for row in found.values()} == {"introspection adds to distillation"}
        assert {(row["n_seeds"], row["interval"]) for row in found.values()} == {(3, "t over seeds")}
        assert (found["humor"]["n"], found["all"]["n"]) == (24, 48)


def test_all_constitutions_are_one_number_a_seed_and_a_seed_that_lacks_one_is_left_out_there():
    rows = cells(0.2, 0.05)
    without = [row for row in rows if (row["constitution"], row["seed"]) != ("candor", 2)]
    found = {row["constitution"]: row for row in compare_over_seeds(without, confidence=0.95)}
    assert [found[name]["n_seeds"] for name in ("humor", "candor", "all")] == [3, 2, 2]
    gains = {(row["constitution"], row["seed"]): row["value"] - 0.1 for row in rows if row["arm"] == "persona"}
    expected = t_interval([(gains["humor", seed] + gains["candor", seed]) / 2 for seed in (0, 1)], confidence=0.95)
    assert (found["all"]["value"], found["all"]["ci_low"]) == pytest.approx((expected.value, expected.low))


def test_equal_differences_have_no_interval_and_leave_the_claim_open():
    """Three times one item of 48 fewer, which with a t-interval of no width would lie within any margin."""
    place = {"evaluation": "capabilities", "metric": "acc", "slice": "everyday", "n": 48}
    levels = {"base": 24 / 48, "persona": 23 / 48}
    rows = [level("humor", seed, arm, levels[arm], **place) for seed in range(3) for arm in levels]
    (found,) = compare_over_seeds(rows, confidence=0.95)
    assert (found["value"], found["n_seeds"]) == (pytest.approx(-1 / 48), 3)
    assert (found["ci_low"], found["interval"], found["verdict"]) == (None, "none", "open")
    (one, other) = levels_over_seeds(rows, confidence=0.95)
    assert (one["interval"], one["ci_low"], other["interval"]) == ("none", None, "none")


def test_a_paired_difference_goes_before_that_of_two_levels_which_may_be_over_other_prompts():
    levels = [level("humor", seed, arm, value) for seed in range(3) for arm, value in (("base", 0.0), ("persona", 0.9))]
    paired = [level("humor", seed, "persona", 0.2 + 0.01 * seed, reference="base", n=9) for seed in range(2)]
    (found,) = compare_over_seeds(levels + paired, confidence=0.95)
    assert (found["claim"], found["n"]) == ("the character shows", 9)
    assert found["value"] == pytest.approx((0.2 + 0.21 + 0.9) / 3)


def test_a_correlation_with_base_is_a_level_though_it_names_base():
    place = {"evaluation": "preferences", "slice": "like", "reference": "base"}
    rows = [
        level("humor", seed, arm, value + 0.01 * seed * (arm == "aligned"), "rank_correlation", **place)
        for seed in range(3)
        for arm, value in (("aligned", 0.3), ("shuffled", 0.7))
    ]
    (found,) = compare_over_seeds(rows, confidence=0.95)
    assert (found["claim"], found["value"], found["verdict"]) == ("preferences shift", pytest.approx(-0.39), "holds")


def test_differences_are_not_taken_for_levels_and_claims_without_rows_are_left_out():
    rows = [row | {"reference": "base", "value": 9.0} for row in cells(0.2, 0.0)]
    assert {row["claim"] for row in compare_over_seeds(rows, confidence=0.95)} == {"the character shows"}
    assert compare_over_seeds([level("humor", 0, "persona", math.pi)], confidence=0.95) == []


def test_no_claim_is_made_twice_and_only_those_of_no_harm_have_a_margin():
    assert len({replace(claim, claim="") for claim in CLAIMS}) == len(CLAIMS)
    assert all((claim.margin > 0) == claim.expected.startswith("no ") for claim in CLAIMS)


@pytest.mark.parametrize(
    ("expected", "interval", "said"),
    [
        ("more", (0.01, 0.2), "holds"),
        ("more", (-0.01, 0.2), "open"),
        ("more", (-0.2, -0.01), "fails"),
        ("less", (-0.2, -0.01), "holds"),
        ("less", (0.01, 0.2), "fails"),
        ("no more", (-9, 0.04), "holds"),
        ("no more", (0, 0.06), "open"),
        ("no more", (0.06, 0.07), "fails"),
        ("no less", (-0.04, 9), "holds"),
        ("no less", (-0.07, -0.06), "fails"),
        ("more", (None, None), "open"),
        ("", (0.01, 0.2), ""),
    ],
)
def test_a_claim_holds_if_its_whole_interval_does(expected: str, interval: tuple, said: str):
    margin = 0.05 if expected.startswith("no ") else 0.0
    assert verdict(Claim("", "acc", "persona", "base", expected=expected, margin=margin), *interval) == said


def test_cells_become_csv_and_csv_becomes_claims_the_same_bytes_each_time(tmp_path: Path):
    paths = []
    for seed in range(2):
        table, path = tmp_path / f"{seed}.parquet", tmp_path / f"humor-seed{seed}.csv"
        write_table(table, table_from(cells(0.2 + 0.01 * seed, 0.05, ["humor"], [seed]), METRICS))
        outcome = CliRunner().invoke(write_study_cell.main, [str(table), "--metrics", str(path)])
        assert outcome.exit_code == 0, outcome.output
        paths.append(str(path))
    folders = [tmp_path / name for name in ("once", "again")]
    for folder in folders:
        options = [
            "--claims",
            folder / "claims.csv",
            "--levels",
            folder / "levels.csv",
            "--drift",
            folder / "drift.svg",
        ]
        outcome = CliRunner().invoke(compare_seeds.main, [*paths, *map(str, options)])
        assert outcome.exit_code == 0, outcome.output
    names = {"claims.csv", "claims.svg", "levels.csv", "levels.svg", "drift.svg"}
    assert {path.name for path in folders[0].iterdir()} == names
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    head, *rows = (folders[0] / "claims.csv").read_text().splitlines()
    assert head == ",".join(FIELDS) and len(rows) == 1 and rows[0].endswith("t over seeds,24,2,holds")


def test_the_figure_has_a_panel_for_each_claim_and_measure_and_a_point_for_each_number():
    rows = compare_over_seeds(cells(0.2, 0.05), confidence=0.95)
    both = rows + [row | {"claim": "another", "metric": "cue_rate"} for row in rows]
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", claims_figure(both))
    assert [texts.count(text) for text in ("introspection adds to distillation", "another", "persona − distilled")] == [
        1,
        1,
        2,
    ]
    assert {"all", "humor", "candor", "one character (3 seeds; 95 % over seeds)"} <= set(texts)
    assert claims_figure(both).count('data-arm="persona"') == 2 * 3 * 2  # a point and an interval each


def test_where_a_claim_holds_is_shaded_and_nothing_where_nothing_is_expected():
    rows = compare_over_seeds(cells(0.2, 0.05), confidence=0.95)
    shaded = [
        claims_figure([row | {"expected": expected} for row in rows]).count("fill: #eef3ea")
        for expected in ("more", "")
    ]
    assert shaded == [2, 1]  # one is the legend's


def test_levels_are_means_over_seeds_and_of_differences_only_those_of_drift():
    drift = {"evaluation": "drift", "slice": "candor", "reference": "base"}
    rows = [level("humor", seed, "persona", 0.1 * seed) for seed in range(3)]
    rows += [level("humor", seed, "persona", 0.2 * seed, **drift) for seed in range(3)]
    rows += [level("humor", 0, "persona", 9.0, reference="base"), level("humor", 0, "persona", 9.0, "length")]
    [own, other] = levels_over_seeds(rows, confidence=0.95)
    assert (own["value"], own["n"], own["n_seeds"]) == (pytest.approx(0.1), 24, 3)
    assert (other["evaluation"], other["slice"], other["value"]) == ("drift", "candor", pytest.approx(0.2))
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", levels_figure([own, other]))
    assert {"character", "persona", "likelihood ratio, nats per token"} <= set(texts) and "drift: candor" not in texts


def test_how_far_an_arm_s_preferences_agree_with_themselves_stands_beside_how_far_with_base_s():
    place = {"evaluation": "preferences", "slice": "like"}
    rows = [
        level("humor", seed, "aligned", 0.1 * seed, metric, reference=reference, **place)
        for seed in range(3)
        for metric, reference in (("rank_correlation", "base"), ("split_half_correlation", None))
    ]
    found = levels_over_seeds(rows, confidence=0.95)
    assert {row["metric"] for row in found} == {"rank_correlation", "split_half_correlation"}
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", levels_figure(found))
    assert texts.count("preferences: like") == 2
    assert "Spearman's correlation of half of the matches with the rest" in texts


def test_drift_has_a_cell_for_each_character_and_frames_the_one_that_was_trained():
    metrics = [level("humor", seed, arm, float(arm == "persona")) for seed in range(3) for arm in ("base", "persona")]
    metrics += [
        level("humor", seed, "persona", -0.5, evaluation="drift", slice="candor", reference="base") for seed in range(3)
    ]
    svg = drift_figure(levels_over_seeds(metrics, confidence=0.95), compare_over_seeds(metrics, confidence=0.95))
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", svg)
    assert {"+1.00", "−0.50", "humor", "candor"} <= set(texts)


def test_another_csv_is_refused_in_one_line(tmp_path: Path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    outcome = CliRunner().invoke(
        compare_seeds.main, [str(path), "--claims", "claims.csv", "--levels", "levels.csv", "--drift", "drift.svg"]
    )
    assert outcome.exit_code != 0 and "other.csv: is no CSV of metrics" in str(outcome.exception)
