"""The runs that take days are at least planned whole; how long that takes is measured by tests/bench_plan.py."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT, Checkout

pytestmark = pytest.mark.slow


def planned(checkout: Checkout, *arguments: str, config: str) -> dict[str, int]:
    """The jobs of a dry run by rule."""
    outcome = checkout.snakemake("-n", *arguments, config=config)
    assert outcome.returncode == 0, outcome.stderr
    table = outcome.stdout.partition("Job stats:")[2].partition("total")[0]
    return {rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


@pytest.fixture
def project() -> Checkout:
    """This very checkout: a dry run changes nothing in it."""
    return Checkout(ROOT)


def test_the_published_run_is_planned_whole(project: Checkout) -> None:
    jobs = planned(project, "all", config="config/paper.yaml")
    cells = 11 * 3 * 3  # personas, students, seeds
    for rule in ("train_aligned", "merge_persona", "evaluate_capabilities", "evaluate_preferences"):
        assert jobs[rule] == cells, rule
    assert jobs["write_report"] == 1


def test_what_needs_the_network_is_prepared_in_one_go(project: Checkout) -> None:
    jobs = planned(project, "prepare", config="config/paper.yaml")
    assert (jobs["prepare_model"], jobs["prepare_prompts"], jobs["prepare_tasks"]) == (5, 1, 1)


def test_the_study_is_planned_cell_by_cell(project: Checkout) -> None:
    jobs = planned(project, "study", config="config/study.yaml")
    assert (jobs["write_study_cell"], jobs["compare_seeds"]) == (12, 1)
    assert jobs["train_aligned"] == jobs["evaluate_capabilities"] == 12 and "write_report" not in jobs
