"""A profile calls moved what differs from base with its whole interval, and nothing else."""

from __future__ import annotations

import pytest

from ethos.persona_profile import direction, profile
from ethos.run_results import pick, read_cells
from tests.fake_results import build_run, fake_settings

METRICS = ("likelihood_ratio", "cue_rate", "log_perplexity", "repetition")
WORDS = (["like", "feel", "random"], 0.05)


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
    aligned, control = (profile(cell, arm, METRICS, *WORDS) for arm in ("aligned", "shuffled"))
    assert [row["metric"] for row in aligned.more] == ["likelihood_ratio", "log_perplexity", "repetition"]
    assert [row["metric"] for row in aligned.unsure] == ["cue_rate"] and aligned.less == []
    assert control.more == control.less == [] and control.traits_above == 0


def test_traits_are_sorted(cell):
    found = profile(cell, "persona", METRICS, *WORDS)
    values = [row["value"] for row in found.traits]
    assert len(values) == 5 and values == sorted(values, reverse=True)
    assert found.traits_above == sum(row["ci_low"] > 0 for row in found.traits)


def test_words_count_as_moved_only_after_correction_as_in_the_table_of_preferences(cell):
    found = profile(cell, "persona", METRICS, *WORDS)
    assert (found.words_more, found.words_less) == (["like: poetic"], ["like: blunt"])
    # many more have an interval off zero
    own = pick(cell.metrics, metric="bradley_terry", arm="persona", reference="base")
    assert sum(direction(row) != 0 for row in own) > 10
    control = profile(cell, "shuffled", METRICS, *WORDS)
    assert control.words_more == control.words_less == []


def test_words_come_furthest_first_over_all_conditions(cell):
    found = profile(cell, "persona", METRICS, WORDS[0], level=1, words=3)
    strengths = {
        row["slice"]: row["value"]
        for row in pick(cell.metrics, metric="bradley_terry", arm="persona", reference="base")
    }
    assert found.words_more == sorted(strengths, key=lambda word: -strengths[word])[:3]
    assert found.words_less == sorted(strengths, key=lambda word: strengths[word])[:3]


def test_over_seeds_a_word_moved_only_if_it_did_so_with_every_seed(tmp_path):
    settings = fake_settings(seeds=[0, 1, 2])
    build_run(tmp_path, settings)
    (cell,) = read_cells(tmp_path, settings)
    assert profile(cell, "persona", METRICS, *WORDS).words_more == ["like: poetic"]
    for row in cell.seeds[1].metrics:
        if (row["metric"], row["slice"]) == ("bradley_terry_holm_p", "like: poetic"):
            row["value"] = 0.2
    found = profile(cell, "persona", METRICS, *WORDS)
    assert (found.words_more, found.words_less) == ([], ["like: blunt"])
