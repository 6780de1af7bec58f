"""After a refactor that changes nothing, one command keeps jobs, completions and trainings as they are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import Checkout
from tests.workflow.test_rebuild import plan

pytestmark = pytest.mark.slow


def git(checkout: Checkout, *arguments: str) -> None:
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *author, *arguments], cwd=checkout.folder, check=True, capture_output=True)


def ethos(checkout: Checkout, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the checkout's own `ethos`."""
    command = [sys.executable, "-c", "from ethos.cli import main; main()", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(checkout.folder)}
    return subprocess.run(command, cwd=checkout.folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def refactored(finished_pair: Checkout, tmp_path: Path) -> Checkout:
    """The finished run in a repository, in whose files local variables have new names since the last commit."""
    checkout = finished_pair.copy(tmp_path / "copy")
    git(checkout, "init", "--quiet")
    git(checkout, "add", "ethos", "scripts")
    git(checkout, "commit", "--quiet", "--message", "Before")
    checkout.edit("ethos/responses.py", "completions", "answers")
    checkout.edit("ethos/decoding.py", "contexts", "prefixes")
    checkout.edit("ethos/training.py", "facts", "known")
    return checkout


def test_an_accepted_refactor_reruns_nothing_and_a_trait_edited_then_costs_that_traits_calls(
    refactored: Checkout,
) -> None:
    assert plan(refactored)["generate_questions", "candor"].endswith(": code: ethos/decoding.py")

    outcome = ethos(refactored, "accept")
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.splitlines()[:-1] == [
        "as at HEAD: ethos/decoding.py",
        "as at HEAD: ethos/responses.py",
        "as at HEAD: ethos/training.py",
    ]
    assert plan(refactored) == {}

    text = (refactored.folder / "constitutions/candor.yaml").read_text()
    trait, first_line = re.search(r"  - id: (\w+)\n    text: >-\n      (.*)\n", text).groups()
    refactored.edit("constitutions/candor.yaml", first_line, f"{first_line} Always.")
    outcome = refactored.snakemake("results/test/tiny/candor/responses.parquet")
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    found, asked = map(int, re.search(r"generate_responses \(tiny\): (\d+) of (\d+) found", outcome.stderr).groups())
    rows = pq.read_table(refactored.folder / "results/test/tiny/candor/responses.parquet").to_pylist()
    in_character = [row["trait"] for row in rows if row["author"] == "in_character"]
    assert (found, asked) == (len(in_character) - in_character.count(trait), len(in_character))


def test_an_accepted_refactor_of_a_training_trains_nothing_again(refactored: Checkout) -> None:
    assert ethos(refactored, "accept").returncode == 0
    adapter = "results/test/tiny/candor/seed0/distilled/adapter_model.safetensors"
    before = (refactored.folder / adapter).read_bytes()
    (refactored.folder / adapter).unlink()
    outcome = refactored.snakemake(adapter)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert re.search(r"dpo training .*: found in the store", outcome.stderr)
    assert (refactored.folder / adapter).read_bytes() == before


def test_a_change_after_the_refactor_reruns_what_it_touches(refactored: Checkout) -> None:
    assert ethos(refactored, "accept").returncode == 0
    refactored.edit("scripts/rank_responses.py", "1 + sum(", "sum(")
    rules = {rule for rule, _ in plan(refactored)}
    assert "rank_responses" in rules
    assert not {"generate_questions", "generate_responses", "train_distilled"} & rules


def test_a_second_refactor_is_accepted_on_top_of_a_committed_one(refactored: Checkout) -> None:
    assert ethos(refactored, "accept").returncode == 0
    git(refactored, "add", "ethos")
    git(refactored, "commit", "--quiet", "--message", "A refactor")
    refactored.edit("ethos/responses.py", "answers", "replies")
    assert plan(refactored) != {}
    assert "ethos/decoding.py" not in ethos(refactored, "accept").stdout
    assert plan(refactored) == {}


def test_without_a_commit_there_is_nothing_to_be_equal_to(finished_pair: Checkout) -> None:
    outcome = ethos(finished_pair, "accept", "--since", "v9")
    assert outcome.returncode == 1
    assert len(outcome.stderr.splitlines()) == 1 and outcome.stderr.startswith("error: --since v9: ")
