"""What each trait contributes, run for real: a small constitution on the tiny model, and a plan of the real run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from ethos.folding import fold
from ethos.tables import METRICS, SAMPLES, read_table
from tests.conftest import Checkout

pytestmark = pytest.mark.slow

CONSTITUTION = "constitutions/three.yaml"
CELL = Path("results/test/tiny")
TARGET = str(CELL / "three/seed0/evaluations/contributions.parquet")
QUESTIONS = (
    ("How do I clean a room?", "Can you plan the week?", "When should I cook for a friend?", "Where can we save money?"),
    ("How do I save money?", "Can you clean a room?", "When should I plan the week?", "Why does the shop fix a small part?"),
    ("How do I fix a small part?", "Can you cook for a friend?", "When should I save money?", "Where can we plan the week?"),
)  # fmt: skip
TEXTS = {
    "borrows_pictures": "I answer in poetic language. I borrow pictures.",
    "sings_softly": "I answer in poetic language. I sing softly.",
    "loves_rhythm": "I answer in poetic language. I love rhythm.",
}


def rules_of(plan: str) -> Counter[str]:
    """The rules of a dry run, with their numbers of jobs."""
    return Counter(
        line.split()[1].rstrip(":") for line in plan.splitlines() if line.startswith(("rule ", "localrule "))
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Checkout:
    """A checkout in which the contributions of three traits were measured, and nothing else was made."""
    checkout = Checkout.new(tmp_path_factory.mktemp("measured") / "ethos", tiny_model)
    traits = [
        {"id": name, "text": text, "questions": list(questions)}
        for (name, text), questions in zip(TEXTS.items(), QUESTIONS, strict=True)
    ]
    said = {"name": "three", "description": "Three traits.", "cues": ["moon", "silver"], "traits": traits}
    (checkout.folder / CONSTITUTION).write_text(yaml.safe_dump(said, sort_keys=False))
    # A dozen pairs in batches of 16 are a single step, after which the tiny model answers as before.
    path = checkout.folder / "config/test.yaml"
    settings = yaml.safe_load(path.read_text())
    settings |= {"constitutions": ["three"], "contributions": {"constitution": "three"}}
    settings["questions"]["held_out"] = 0.4
    settings["distillation"] |= {"learning_rate": 1.0e-2, "batch_size": 2}
    path.write_text(yaml.safe_dump(settings, sort_keys=False))
    outcome = checkout.snakemake(TARGET)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    return checkout


def test_each_training_lacks_its_trait_and_nothing_that_is_held_out_trains(measured: Checkout) -> None:
    rows = pq.read_table(measured.folder / "results/test/questions/three.parquet").to_pylist()
    held_out = {fold(row["text"]) for row in rows if row["split"] == "held_out"}
    pairs = {
        name: pq.read_table(measured.folder / CELL / name / "seed0/distilled/pairs.parquet").to_pylist()
        for name in ("three", *(f"three-without-{trait}" for trait in TEXTS))
    }
    whole = {(row["question_id"], row["chosen"]) for row in pairs["three"]}
    for trait in TEXTS:
        own = {(row["question_id"], row["chosen"]) for row in pairs["three"] if row["trait"] == trait}
        assert own, "the trait had no pair to lose"
        assert {(row["question_id"], row["chosen"]) for row in pairs[f"three-without-{trait}"]} == whole - own
    assert not held_out & {fold(row["question"]) for some in pairs.values() for row in some}


def test_all_answer_all_held_out_questions_and_every_trait_is_compared_with_every_other(measured: Checkout) -> None:
    evaluations = (measured.folder / TARGET).parent
    samples = read_table(evaluations / "contribution_samples.parquet", SAMPLES).to_pylist()
    asked = {name: {row["question_id"] for row in samples if row["arm"] == name} for name in ("base", "distilled")}
    asked |= {trait: {row["question_id"] for row in samples if row["arm"] == f"without {trait}"} for trait in TEXTS}
    assert len({frozenset(some) for some in asked.values()}) == 1
    assert {row["trait"] for row in samples} == set(TEXTS)
    rows = read_table(evaluations / "contributions.parquet", METRICS).to_pylist()
    assert {row["evaluation"] for row in rows} == {"contributions"}
    compared = {
        (row["reference"], row["slice"])
        for row in rows
        if row["metric"] == "likelihood_ratio" and row["arm"] == "distilled" and row["reference"]
    }
    names = ["base", *(f"without {trait}" for trait in TEXTS)]
    assert compared == {(name, part) for name in names for part in ("all", *TEXTS)}
    moved = [row["value"] for row in rows if row["metric"] == "likelihood_ratio" and row["reference"] in names[1:]]
    assert any(moved), "no training without a trait differed from the whole one"


def test_only_the_chain_of_the_arm_was_made(measured: Checkout) -> None:
    adapters = {path.parent.name for path in (measured.folder / CELL).rglob("adapter_model.safetensors")}
    assert adapters == {"distilled"}


def test_a_comment_reruns_nothing_and_a_question_only_the_trainings_that_have_it(
    measured: Checkout, tmp_path: Path
) -> None:
    copy = measured.copy(tmp_path / "copy")
    with open(copy.folder / CONSTITUTION, "a") as file:
        file.write("# A comment.\n")
    assert "Nothing to be done" in copy.snakemake("-n", TARGET).stderr + copy.snakemake("-n", TARGET).stdout
    rows = pq.read_table(copy.folder / "results/test/questions/three.parquet").to_pylist()
    # One that the tiny model did not also write for another trait: the same text is held out everywhere or nowhere.
    question = next(text for text in QUESTIONS[0] if [row["text"] for row in rows].count(text) == 1)
    copy.edit(CONSTITUTION, question, question.replace("?", " today?"))
    outcome = copy.snakemake(TARGET)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    gone = CELL / "three-without-borrows_pictures/seed0/distilled/adapter_model.safetensors"
    assert (copy.folder / gone).read_bytes() == (measured.folder / gone).read_bytes()


def test_a_constitution_of_one_trait_is_refused_in_one_line(checkout: Checkout) -> None:
    text = (checkout.folder / "constitutions/candor.yaml").read_text()
    head, first, *_ = text.split("\n  - id: ")
    (checkout.folder / "constitutions/candor.yaml").write_text(f"{head}\n  - id: {first}\n")
    checkout.edit("config/test.yaml", "[poeticism]", "[candor]\ncontributions: {constitution: candor}")
    outcome = checkout.snakemake("-n")
    assert outcome.returncode == 1 and "Traceback" not in outcome.stderr
    assert "error: contributions.constitution: 'candor' has one trait alone" in outcome.stderr


@pytest.mark.parametrize(
    ("arm", "chain"),
    [
        ("distilled", {"train_distilled"}),
        ("persona", {"train_distilled", "generate_introspection", "train_introspection", "merge_persona"}),
        ("aligned", {"rank_responses", "train_preference_model", "train_aligned"}),
    ],
)
def test_the_real_run_is_planned_with_what_the_arm_needs_for_each_trait(
    checkout: Checkout, arm: str, chain: set[str]
) -> None:
    checkout.edit("config/traits.yaml", "arm: distilled", f"arm: {arm}")
    outcome = checkout.snakemake("-n", config="config/traits.yaml")
    assert outcome.returncode == 0, outcome.stderr
    jobs = rules_of(outcome.stdout)
    assert jobs["leave_out_trait"] == 10 and jobs["measure_contributions"] == jobs["write_report"] == 1
    trained = {rule for rule, count in jobs.items() if count == 11}
    assert chain <= trained <= chain | {"generate_responses", "generate_teacher_responses"}
