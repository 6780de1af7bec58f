"""`ethos plan` tells what a run, or an edit, will cost, and a budget ends a run before it costs more."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ethos.files import read_json
from ethos.work import Work
from tests.conftest import Checkout
from tests.workflow.test_accept import ethos

pytestmark = pytest.mark.slow


def plan(checkout: Checkout, *arguments: str) -> dict[str, Any]:
    """The plan, with its stages by name."""
    outcome = ethos(checkout, "plan", "--json", "--configfile", "config/test.yaml", *arguments)
    assert outcome.returncode == 0, outcome.stderr
    told = json.loads(outcome.stdout)
    return told | {"stages": {stage["stage"]: stage for stage in told["stages"]}}


def records(checkout: Checkout) -> dict[str, Work]:
    return {path.name: Work(**read_json(path)) for path in (checkout.folder / "store/work").glob("*.json")}


def calls(works: Iterable[Work]) -> int:
    """Requests to models."""
    return sum(work.calls for work in works if not work.kind.endswith(" training"))


def tokens(works: list[Work]) -> int:
    return sum(work.prompt_tokens + work.completion_tokens for work in works)


def files(checkout: Checkout) -> set[Path]:
    return {path for name in ("results", "logs", "store") for path in (checkout.folder / name).rglob("*")}


def test_a_finished_run_has_nothing_to_do_and_the_calls_and_tokens_that_are_on_record(finished: Checkout) -> None:
    told = plan(finished)
    total, used = told["total"], told["used"]
    assert not any(total[name] for name in ("jobs_to_do", "calls_to_do", "tokens_to_do", "seconds", "disk"))
    works = list(records(finished).values())
    assert used["tokens"] == tokens(works) > 0 and used["hours"] > 0 == used["gpu_hours"]
    assert total["exact"] and told["longest_path"] == {"seconds": 0, "stages": []}
    # What two jobs asked is on record once, unless both asked it at the same time.
    asked = calls(works)
    assert asked <= total["calls"] < 1.1 * asked
    for stage in ("sample_arms", "rank_responses", "evaluate_coherence", "train_preference_model"):
        made = [work for work in works if work.stage.partition(",")[0] == stage]
        assert told["stages"][stage]["calls"] == sum(work.calls for work in made), stage
        assert told["stages"][stage]["tokens"] == pytest.approx(tokens(made)), stage


def test_a_second_character_takes_the_calls_that_were_told_and_the_tokens_within_a_fifth(
    finished: Checkout, finished_pair: Checkout, tmp_path: Path
) -> None:
    copy = finished.copy(tmp_path / "copy")
    copy.edit("config/test.yaml", "[poeticism]", "[poeticism, candor]")
    plan_of_both, before = plan(copy), records(finished)
    told, stages = plan_of_both["total"], plan_of_both["stages"]
    made = [work for name, work in records(finished_pair).items() if name not in before]
    assert told["measured"] and told["trainings_to_do"] == sum(work.kind.endswith(" training") for work in made) == 6
    assert told["tokens_to_do"] == pytest.approx(tokens(made), rel=0.2)
    assert told["calls_to_do"] == pytest.approx(calls(made), rel=0.2)
    counted = {rule for rule, stage in stages.items() if stage["calls_to_do"] and stage["exact"]}
    assert counted >= {"sample_chat", "sample_robustness", "sample_prefill", "evaluate_capabilities", "evaluate_judges"}
    for rule in counted:
        # A plan counts base in each character's job; it has answered in the first one's.
        stored = calls(work for work in before.values() if work.stage == f"{rule}, base")
        asked = calls(work for work in made if work.stage.partition(",")[0] == rule)
        assert stages[rule]["calls_to_do"] == asked + stored, rule


def test_an_edited_trait_is_told_to_cost_its_share_and_nothing_runs(finished: Checkout, tmp_path: Path) -> None:
    copy = finished.copy(tmp_path / "copy")
    copy.edit("constitutions/poeticism.yaml", "cues:", "cues:\n  - brook")
    assert plan(copy)["total"]["calls_to_do"] == 0  # counted anew, by nobody's answers
    copy.edit(
        "constitutions/poeticism.yaml",
        "id: savours_sound\n    text: >-\n",
        "id: savours_sound\n    text: >-\n      Always,\n",
    )
    before = files(copy)
    stages = plan(copy)["stages"]
    for stage in ("generate_questions", "generate_responses", "generate_teacher_responses", "rank_responses"):
        told = stages[stage]
        assert told["jobs_to_do"] == 1 and told["calls_to_do"] == pytest.approx(told["calls"] / 10)
    assert stages["train_distilled"]["trainings_to_do"] == 1
    assert stages["prepare_model"]["jobs_to_do"] == 0
    assert files(copy) == before
    copy.edit("config/test.yaml", "per_question: 2", "per_question: 3")
    stages = plan(copy)["stages"]
    assert stages["generate_responses"]["calls_to_do"] == stages["generate_responses"]["calls"] == 64 * 4


def test_a_first_run_is_told_by_the_settings_and_a_part_of_it_alone(checkout: Checkout) -> None:
    told = plan(checkout, "results/test/tiny/poeticism/responses.parquet")
    assert list(told["stages"]) == ["prepare_model", "generate_questions", "generate_responses"]
    assert told["stages"]["generate_responses"]["calls_to_do"] == 64 * 3
    assert not (checkout.folder / "results").exists()
    outcome = ethos(checkout, "plan", "--configfile", "config/test.yaml")
    assert outcome.returncode == 0 and "\n~ time: by stated defaults" in outcome.stdout and outcome.stderr == ""


def test_a_run_that_would_pass_its_budget_ends_before_it_starts(checkout: Checkout) -> None:
    checkout.edit("config/test.yaml", "execution:\n", "execution:\n  budget: {tokens: 1000}\n")
    target = "results/test/tiny/poeticism/responses.parquet"
    outcome = checkout.snakemake(target)
    assert outcome.returncode == 1 and "Traceback" not in outcome.stderr
    [line] = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: execution.budget.tokens: 0 of 1,000 are used, and what is to do takes about ")
    assert not (checkout.folder / "store").exists() and not (checkout.folder / "logs/test/jobs.json").exists()
    assert checkout.snakemake("-n", target).returncode == 0
    told = ethos(checkout, "plan", "--configfile", "config/test.yaml", target).stdout.splitlines()[-1]
    assert told.startswith("Budget of tokens: 1,000; used 0, to use about ")


def _error(outcome: subprocess.CompletedProcess[str]) -> str:
    assert outcome.returncode == 1 and outcome.stdout == "" and "Traceback" not in outcome.stderr
    return outcome.stderr


def test_a_mistake_is_told_as_it_is_by_the_workflow(checkout: Checkout) -> None:
    asked = ("plan", "--configfile", "config/test.yaml")
    assert _error(ethos(checkout, "plan", "--configfile", "config/no.yaml")).startswith("error: config/no.yaml: ")
    assert "No rule to produce nonsense" in _error(ethos(checkout, *asked, "nonsense"))
    checkout.edit("config/test.yaml", "judge: tiny", "judge: tinny")
    assert _error(ethos(checkout, *asked)).count("\n") == 1


def test_a_file_that_is_no_yaml_is_told_with_its_line(checkout: Checkout) -> None:
    for file, asked in (("config/test.yaml", ("--configfile", "config/test.yaml")), ("config.yaml", ())):
        checkout.edit(file, "\nmodels:\n", "\nmodels: [\n")
        told = _error(ethos(checkout, "plan", *asked))
        assert re.fullmatch(rf"error: {file}:\d+: broken YAML, [^\n]*\n", told)
