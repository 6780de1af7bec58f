"""A profile calls moved what differs from base with its whole interval, and nothing else."""

from __future__ import annotations

import pytest

from ethos.persona_profile import direction, profile
from ethos.run_results import read_cells
from tests.fake_results import build_run, fake_settings

METRICS = ("likelihood_ratio", "cue_rate", "log_perplexity", "repetition")


@pytest.fixture(scope="module")
def cell(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    build_run(folder, fake_settings())
    return read_cells(folder, fake_settings())[0]


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (0, 0.1, 0), (None, None, 0)]
)
def test_only_a_whole_interval_off_zero_is_a_direction(low, high, expected):
    assert direction({"ci_low": low, "ci_high": high}) == expected


def test_planted_effects_are_found_and_the_control_has_none(cell):
    aligned, control = profile(cell, "aligned", METRICS), profile(cell, "shuffled", METRICS)
    assert [row["metric"] for row in aligned.more] == ["likelihood_ratio", "log_perplexity", "repetition"]
    assert [row["metric"] for row in aligned.unsure] == ["cue_rate"] and aligned.less == []
    assert control.more == control.less == [] and control.traits_above == 0


def test_traits_are_sorted_and_words_come_furthest_first(cell):
    found = profile(cell, "persona", METRICS, words=3)
    values = [row["value"] for row in found.traits]
    assert len(values) == 5 and values == sorted(values, reverse=True)
    assert found.traits_above == sum(row["ci_low"] > 0 for row in found.traits)
    moved = {
        row["slice"]: row
        for row in cell.metrics
        if (row["metric"], row["arm"], row["reference"]) == ("bradley_terry", "persona", "base")
    }
    assert found.words_more == sorted(found.words_more, key=lambda word: -moved[word]["value"])
    assert all(moved[word]["ci_low"] > 0 for word in found.words_more)
    assert all(moved[word]["ci_high"] < 0 for word in found.words_less)
    assert found.words_less == sorted(found.words_less, key=lambda word: moved[word]["value"])
