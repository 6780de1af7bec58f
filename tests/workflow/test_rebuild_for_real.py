"""What an edit really costs: the jobs that ran, the calls and trainings that were made, and the same bytes as a clean run."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ethos.work import calls_by_stage
from tests.conftest import Checkout, results_by_content
from tests.workflow.test_rebuild import (
    another_judge,
    plan,
    replace,
    rules_of,
    touch,
    with_another_question,
    with_another_trait,
    without_its_last_trait,
)

GENERATION = {"generate_questions", "generate_responses", "generate_teacher_responses", "rank_responses"}
TRAININGS = {"preference_model", "aligned", "shuffled", "distilled", "introspection", "steered"}
DISTILLATION = {"distilled", "introspection"}
ALIGNMENT = {"aligned", "shuffled"}
CANDOR = Path("results/test/tiny/candor/responses.parquet")


@dataclass(frozen=True)
class Cost:
    """What was done: calls by stage, trainings by the folder of what they made."""

    calls: Counter[str]
    trainings: Counter[str]


def cost(checkout: Checkout) -> Cost:
    """All that the engine and the trainers counted in a checkout's store."""
    calls: Counter[str] = Counter()
    trainings: Counter[str] = Counter()
    for (stage, kind), count in calls_by_stage(checkout.folder / "store").items():
        (trainings if kind.endswith("training") else calls)[stage] += count
    return Cost(calls, trainings)


def rebuild(checkout: Checkout) -> tuple[dict[str, set[str]], Cost]:
    """Run, and return the rules that ran by constitution, and what it cost."""
    expected, before = rules_of(plan(checkout)), cost(checkout)
    outcome = checkout.snakemake()
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert plan(checkout) == {}
    after = cost(checkout)
    return expected, Cost(after.calls - before.calls, after.trainings - before.trainings)


def assert_a_clean_run_gives_the_same(checkout: Checkout, folder: Path) -> None:
    clean = checkout.copy(folder, "results", "store", ".snakemake", "logs", "benchmarks")
    outcome = clean.snakemake()
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert_equal_results(checkout, clean)


def assert_a_clean_run_of_candor_gives_the_same(checkout: Checkout, folder: Path) -> None:
    """What belongs to candor alone; the evaluations that are left out don't read each other's results."""
    clean = checkout.copy(folder, "results", "store", ".snakemake", "logs", "benchmarks")
    clean.edit("config/test.yaml", "[poeticism, candor]", "[candor]")
    clean.edit("config/test.yaml", "evaluation:\n", "evaluation:\n  which: [drift]\n")
    outcome = clean.snakemake()
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    made, expected = results_by_content(checkout.folder), results_by_content(clean.folder)
    own = [name for name in expected if "candor" in name]
    assert len(own) > 40 and [name for name in own if made.get(name) != expected[name]] == []


def assert_equal_results(first: Checkout, second: Checkout) -> None:
    one, other = results_by_content(first.folder), results_by_content(second.folder)
    assert [name for name in other if one.get(name) != other[name]] == []


@pytest.fixture
def copy(finished_pair: Checkout, tmp_path: Path) -> Checkout:
    return finished_pair.copy(tmp_path / "copy")


def responses(checkout: Checkout) -> list[dict]:
    return pq.read_table(checkout.folder / CANDOR).to_pylist()


def one_trait(checkout: Checkout) -> str:
    """Change the text of one trait of candor; returns its id."""
    rows = responses(checkout)
    text = (checkout.folder / "constitutions/candor.yaml").read_text()
    first = rows[0]["trait"]
    at = text.index(f"id: {first}")
    (checkout.folder / "constitutions/candor.yaml").write_text(
        text[:at] + text[at:].replace("    text: ", "    text: In truth, ", 1)
    )
    return first


@pytest.mark.slow
def test_a_comment_costs_nothing(copy: Checkout) -> None:
    copy.edit("constitutions/poeticism.yaml", "name: poeticism", "# A remark.\nname:   poeticism")
    touch(copy)
    assert rebuild(copy) == ({}, Cost(Counter(), Counter()))


@pytest.mark.slow
def test_a_trait_costs_the_calls_that_contain_it_and_gives_what_a_clean_run_gives(
    copy: Checkout, tmp_path: Path
) -> None:
    before = {(row["question_id"], row["author"], row["sample"]) for row in responses(copy)}
    trait = one_trait(copy)
    jobs, spent = rebuild(copy)
    assert set(jobs) == {"candor", "poeticism", ""}
    assert jobs["poeticism"] == {"name_persona", "evaluate_judges"}  # which tell candor's answers and pairs too
    rows = responses(copy)
    # In trait scope a response in character holds its own trait; a plain one, its question alone.
    own = [row for row in rows if row["author"] == "in_character" and row["trait"] == trait]
    new = [row for row in rows if (row["question_id"], row["author"], row["sample"]) not in before]
    touched = {(row["question_id"], row["author"], row["sample"]) for row in [*own, *new]}
    assert spent.calls["generate_responses"] == len(touched) < len(rows)
    assert 0 < spent.calls["rank_responses"] < sum(row["trait"] == trait for row in rows) * 2 + 2 * len(new) + 1
    assert spent.trainings <= Counter(TRAININGS)
    assert_a_clean_run_of_candor_gives_the_same(copy, tmp_path / "clean")


@pytest.mark.slow
def test_new_code_with_the_same_calls_costs_jobs_but_no_call_and_no_training(copy: Checkout) -> None:
    copy.edit("ethos/responses.py", "annotations\n", "annotations\n\nLIMIT = 1\n")
    results = results_by_content(copy.folder)
    jobs, spent = rebuild(copy)
    assert "generate_responses" in jobs["candor"]
    assert spent == Cost(Counter(), Counter())
    assert results_by_content(copy.folder) == results


@pytest.mark.long
def test_without_the_store_results_stand_and_what_is_made_again_has_the_same_bytes(
    copy: Checkout, finished_pair: Checkout
) -> None:
    shutil.rmtree(copy.folder / "store")
    assert plan(copy) == {}
    shutil.rmtree(copy.folder / "results")
    _, spent = rebuild(copy)
    assert_equal_results(copy, finished_pair)
    assert spent.trainings == cost(finished_pair).trainings


Edit = Callable[[Checkout], object]


@pytest.mark.long
@pytest.mark.parametrize(
    ("edit", "generates", "trains"),
    [
        pytest.param(one_trait, GENERATION, TRAININGS, id="one trait, trait scope"),
        pytest.param(with_another_question, GENERATION, TRAININGS, id="a question added"),
        pytest.param(with_another_trait, GENERATION, TRAININGS, id="a trait added"),
        pytest.param(replace("config/test.yaml", "[poeticism, candor]", "[poeticism, candor, humor]"), GENERATION, TRAININGS, id="a persona added"),
        pytest.param(replace("config/test.yaml", "[poeticism, candor]", "[candor]"), set(), set(), id="a persona removed"),
        pytest.param(replace("prompts/generate_questions.jinja", "{{ count }}", "exactly {{ count }}"), GENERATION, TRAININGS, id="a prompt of questions"),
        pytest.param(replace("prompts/character.jinja", "{{ traits[0] }}", "I am so: {{ traits[0] }}"), GENERATION - {"generate_questions"}, TRAININGS, id="a prompt of responses"),
        pytest.param(replace("config/test.yaml", "preference_model: &training\n  learning_rate: 1.0e-3", "preference_model: &training\n  learning_rate: 2.0e-3"), set(), {"preference_model"} | ALIGNMENT, id="learning rate"),
        pytest.param(replace("config/test.yaml", "  lora: {rank: 4, alpha: 8}\n  reflections", "  lora: {rank: 2, alpha: 8}\n  reflections"), set(), {"introspection"}, id="LoRA rank"),
        pytest.param(replace("config/test.yaml", "distillation:\n", "distillation:\n  nll: 0.2\n"), set(), DISTILLATION, id="distillation"),
        pytest.param(replace("config/test.yaml", "threads: 1", "threads: 1\n  batch_size: 7\n  log_level: debug"), set(), set(), id="execution settings"),
        pytest.param(replace("ethos/statistics.py", '"""Intervals and rankings', '"""Rankings and intervals'), set(), set(), id="docstring"),
        pytest.param(replace("scripts/rank_responses.py", "1 + sum(", "sum([1]) + sum("), set(), set(), id="behaviour, same calls"),
        pytest.param(replace("config/test.yaml", "    traits: 6", "    traits: 8"), set(), set(), id="one evaluation setting"),
    ],
)  # fmt: skip
def test_an_edit_makes_the_calls_and_trainings_it_must_and_gives_what_a_clean_run_gives(
    copy: Checkout, tmp_path: Path, edit: Edit, generates: set[str], trains: set[str]
) -> None:
    edit(copy)
    jobs, spent = rebuild(copy)
    assert set(spent.calls) & GENERATION == generates
    # A training whose data came out as before is in the store already.
    assert set(spent.trainings) <= trains
    assert bool(spent.trainings) == bool(trains)
    assert max(spent.trainings.values(), default=0) <= 2
    if jobs:
        assert_a_clean_run_gives_the_same(copy, tmp_path / "clean")


@pytest.mark.long
def test_another_judge_costs_its_verdicts_and_trainings_only_where_pairs_changed(
    copy: Checkout, tmp_path: Path
) -> None:
    def pairs() -> list[list[tuple[str, str]]]:
        cells = [copy.folder / "results/test/tiny" / name / "pairs.parquet" for name in ("poeticism", "candor")]
        return [[(row["chosen"], row["rejected"]) for row in pq.read_table(cell).to_pylist()] for cell in cells]

    before = pairs()
    another_judge(copy)
    _, spent = rebuild(copy)
    changed = sum(one != other for one, other in zip(before, pairs(), strict=True))
    assert set(spent.calls) & GENERATION == {"rank_responses"}
    assert spent.trainings["preference_model"] == changed
    assert set(spent.trainings) <= {"preference_model"} | ALIGNMENT
    assert_a_clean_run_gives_the_same(copy, tmp_path / "clean")


@pytest.mark.long
def test_a_removed_trait_costs_what_goes_to_other_traits_and_gives_what_a_clean_run_gives(
    copy: Checkout, tmp_path: Path
) -> None:
    before = {row["question_id"] for row in responses(copy)}
    without_its_last_trait(copy)
    jobs, spent = rebuild(copy)
    assert set(jobs) == {"candor", ""}
    # An everyday question that had the removed trait is now asked for another; nothing else is asked.
    new = [row for row in responses(copy) if row["question_id"] not in before]
    assert spent.calls["generate_questions"] == 0
    assert spent.calls["generate_responses"] == len(new)
    assert spent.calls["rank_responses"] <= 2 * len(new)
    assert_a_clean_run_gives_the_same(copy, tmp_path / "clean")


@pytest.mark.long
def test_a_trait_in_constitution_scope_costs_its_questions_and_that_constitutions_responses(
    copy: Checkout, tmp_path: Path
) -> None:
    # Up to the responses: told a whole constitution, the tiny model never comes to an end, and nothing is left to train on.
    targets = [f"results/test/tiny/{name}/responses.parquet" for name in ("poeticism", "candor")]
    copy.edit("config/test.yaml", "scope: trait", "scope: constitution")
    assert copy.snakemake(*targets).returncode == 0
    before, rows = cost(copy).calls, responses(copy)
    one_trait(copy)
    assert copy.snakemake(*targets).returncode == 0
    spent = cost(copy).calls - before
    old = {row["question_id"] for row in rows if row["author"] == "plain"}
    new = [row for row in responses(copy) if row["author"] == "plain" and row["question_id"] not in old]
    in_character = [row for row in responses(copy) if row["author"] == "in_character"]
    assert spent["generate_responses"] == len(in_character) + len(new)
    assert 0 < spent["generate_questions"] <= 2  # lists asked for this trait
    clean = copy.copy(tmp_path / "clean", "results", "store", ".snakemake", "logs", "benchmarks")
    assert clean.snakemake(*targets).returncode == 0
    for target in targets:
        assert (copy.folder / target).read_bytes() == (clean.folder / target).read_bytes()
