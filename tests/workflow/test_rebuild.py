"""What an edit costs: jobs run again only when the meaning of something changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Checkout

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(finished: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished run that may be edited."""
    return finished.copy(tmp_path / "copy")


def planned(checkout: Checkout) -> set[str]:
    """The rules that a dry run would run."""
    outcome = checkout.snakemake("-n", "--quiet", "rules")
    assert outcome.returncode == 0, outcome.stderr
    full = checkout.snakemake("-n").stdout
    return {line.split()[1].rstrip(":") for line in full.splitlines() if line.startswith(("rule ", "localrule "))} - {
        "all"
    }


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("constitutions/poeticism.yaml", "name: poeticism", "# A remark.\nname:   poeticism"),
        ("config/test.yaml", "threads: 1", "threads: 1\n  batch_size: 7\n  log_level: debug"),
        ("ethos/statistics.py", '"""Intervals and rankings', '"""Rankings and intervals'),
        ("scripts/rank_responses.py", "def rank(", "# A remark.\ndef rank("),
    ],
    ids=["comment and layout of a constitution", "execution settings", "docstring of a module", "comment in a script"],
)
def test_an_edit_without_meaning_rebuilds_nothing(copy: Checkout, path: str, old: str, new: str) -> None:
    copy.edit(path, old, new)
    assert planned(copy) == set()


def test_a_changed_trait_rebuilds_from_the_questions_on(copy: Checkout) -> None:
    copy.edit("constitutions/poeticism.yaml", "built on metaphors", "made of metaphors")
    assert {"generate_questions", "generate_responses", "rank_responses", "train_aligned", "write_report"} <= planned(
        copy
    )
    assert "prepare_model" not in planned(copy)


def test_a_changed_judge_prompt_rebuilds_no_response(copy: Checkout) -> None:
    copy.edit("prompts/judge_pair.jinja", "nothing else.", "not a word more.")
    rules = planned(copy)
    assert "rank_responses" in rules
    assert not {"generate_questions", "generate_responses", "generate_teacher_responses", "train_distilled"} & rules


def test_an_evaluation_setting_rebuilds_evaluations_and_report_only(copy: Checkout) -> None:
    copy.edit("config/test.yaml", "resamples: 999", "resamples: 499")
    assert planned(copy) <= {"sample_arms", "evaluate_character", "evaluate_preferences", "write_report"}


def test_a_learning_rate_rebuilds_that_training_and_what_follows(copy: Checkout) -> None:
    copy.edit("config/test.yaml", "distillation:\n  learning_rate: 1.0e-3", "distillation:\n  learning_rate: 2.0e-3")
    rules = planned(copy)
    assert {"train_distilled", "generate_introspection", "merge_persona", "write_report"} <= rules
    assert (
        not {"generate_questions", "generate_responses", "rank_responses", "train_preference_model", "train_aligned"}
        & rules
    )
