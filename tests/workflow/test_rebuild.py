"""What an edit costs: jobs run again only when the meaning of something changed, and a dry run says what that was."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Checkout

pytestmark = pytest.mark.slow

QUESTIONS = {"generate_questions"}
RESPONSES = {"generate_responses", "generate_teacher_responses"}
REPORT = {"write_report", "record_run"}
MEASURING = {"evaluate_character", "watch_alignment"}
BEYOND = {"evaluate_stance", "evaluate_drift", "evaluate_capabilities", "evaluate_coherence"}
# A classifier tells all constitutions apart, and so names the answers of each anew when those of one are others.
NAMING = {"sample_chat", "sample_robustness", "sample_prefill", "sample_generalisation", "name_persona"}
EVALUATIONS = {"sample_arms", "evaluate_preferences"} | MEASURING | BEYOND | NAMING
# What follows from each stage on, in one constitution; the report joins all constitutions.
FROM_INTROSPECTION_TRAINING = {"train_introspection", "merge_persona"} | EVALUATIONS
FROM_INTROSPECTION = {"generate_introspection"} | FROM_INTROSPECTION_TRAINING
FROM_DISTILLATION = {"train_distilled"} | FROM_INTROSPECTION
FROM_ALIGNMENT = {"train_aligned", "train_shuffled"} | EVALUATIONS
FROM_PREFERENCE_MODEL = {"train_preference_model", "evaluate_preference_model", "evaluate_judges"} | FROM_ALIGNMENT
FROM_RANKINGS = {"rank_responses", "compare_rankers"} | FROM_PREFERENCE_MODEL
FROM_STEERING = {"find_steering_vector"} | EVALUATIONS
FROM_RESPONSES = RESPONSES | FROM_RANKINGS | FROM_DISTILLATION | FROM_STEERING
ALL = QUESTIONS | FROM_RESPONSES

# Evaluations of what is not an arm.
INTERVALS = {"evaluate_preference_model", "compare_rankers", "evaluate_judges"}

Plan = dict[tuple[str, str], str]


@pytest.fixture
def copy(finished_pair: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished run of poeticism and candor that may be edited."""
    return finished_pair.copy(tmp_path / "copy")


def plan(checkout: Checkout) -> Plan:
    """The jobs of a dry run, as (rule, constitution; empty for a join), and their reasons."""
    outcome = checkout.snakemake("-n")
    assert outcome.returncode == 0, outcome.stderr
    jobs: Plan = {}
    for block in re.split(r"\n(?=(?:local)?rule )", "\n" + outcome.stdout)[1:]:
        rule = block.split()[1].rstrip(":")
        constitution = re.search(r"constitution=(\w+)", block)
        jobs[rule, constitution.group(1) if constitution else ""] = re.search(r"reason: (.*)", block).group(1)
    jobs.pop(("all", ""), None)
    return jobs


def rules_of(jobs: Plan) -> dict[str, set[str]]:
    """The rules of a plan by constitution; the joins under an empty name."""
    rules: dict[str, set[str]] = {}
    for rule, constitution in jobs:
        rules.setdefault(constitution, set()).add(rule)
    return rules


def in_both(rules: set[str]) -> dict[str, set[str]]:
    return {"": REPORT} | ({"poeticism": rules, "candor": rules} if rules else {})


def key_order(checkout: Checkout) -> None:
    checkout.edit("config/test.yaml", "teacher: tiny\njudge: tiny\n", "judge: tiny\nteacher: tiny\n")
    path = checkout.folder / "constitutions/candor.yaml"
    head, traits = path.read_text().split("\ntraits:\n")
    path.write_text(f"traits:\n{traits.rstrip()}\n{head}\n")


def touch(checkout: Checkout) -> None:
    for folder in ("constitutions", "prompts", "scripts", "ethos", "rules", "report", "config", "build/tiny"):
        for file in (checkout.folder / folder).iterdir():
            file.touch()


def replace(path: str, old: str, new: str) -> Callable[[Checkout], None]:
    return lambda checkout: checkout.edit(path, old, new)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(replace("constitutions/poeticism.yaml", "name: poeticism", "# A remark.\nname:   poeticism"), id="comment and layout of a constitution"),
        pytest.param(key_order, id="key order"),
        pytest.param(touch, id="touch"),
        pytest.param(replace("config/test.yaml", "threads: 1", "threads: 1\n  batch_size: 7\n  training_batch_size: 2\n  log_level: debug"), id="execution settings"),
        pytest.param(replace("ethos/statistics.py", '"""Intervals and rankings', '"""Rankings and intervals'), id="docstring of a module"),
        pytest.param(replace("scripts/rank_responses.py", "def rank(", "# A remark.\ndef rank("), id="comment in a script"),
        pytest.param(replace("ethos/progress.py", "left", "to go"), id="a log line"),
        pytest.param(replace("constitutions/candor.yaml", "description: ", "description: Yes, "), id="description"),
    ],
)  # fmt: skip
def test_an_edit_without_meaning_rebuilds_nothing(copy: Checkout, edit: Callable[[Checkout], None]) -> None:
    edit(copy)
    assert plan(copy) == {}


TRAIT = """
  - id: counts_twice
    text: I count twice before I name a number.
    questions: ["How many legs has a spider?"]
"""


def without_its_last_trait(checkout: Checkout) -> None:
    path = checkout.folder / "constitutions/candor.yaml"
    path.write_text(path.read_text().rpartition("\n  - id:")[0] + "\n")


def with_another_trait(checkout: Checkout) -> None:
    path = checkout.folder / "constitutions/candor.yaml"
    path.write_text(path.read_text().rstrip() + TRAIT)


def with_another_question(checkout: Checkout) -> None:
    text = (checkout.folder / "constitutions/candor.yaml").read_text()
    first = re.search(r"\n    questions:\n", text).group()
    (checkout.folder / "constitutions/candor.yaml").write_text(
        text.replace(first, f"{first}      - Was my teacher wrong about the moon?\n", 1)
    )


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            replace("constitutions/candor.yaml", "    text: >-\n      ", "    text: >-\n      In truth, "),
            "trait .*: text changed",
        ),
        (with_another_question, "question added to trait .*"),
        (with_another_trait, "trait counts_twice added"),
        (without_its_last_trait, "trait .* removed"),
    ],
    ids=["texts", "question added", "trait added", "trait removed"],
)
def test_an_edit_of_a_constitution_rebuilds_that_constitution_and_the_report_and_names_the_trait(
    copy: Checkout, edit: Callable[[Checkout], None], said: str
) -> None:
    edit(copy)
    jobs = plan(copy)
    assert rules_of(jobs) == {"candor": ALL, "poeticism": {"name_persona", "evaluate_judges"}, "": REPORT}
    assert re.search(f": {said}$", jobs["generate_questions", "candor"]), jobs


def test_a_persona_that_comes_rebuilds_its_own_and_what_tells_personas_apart_and_so_does_one_that_goes(
    copy: Checkout,
) -> None:
    copy.edit("config/test.yaml", "[poeticism, candor]", "[poeticism, candor, humor]")
    assert rules_of(plan(copy)) == {"humor": ALL, "poeticism": {"name_persona"}, "candor": {"name_persona"}, "": REPORT}
    copy.edit("config/test.yaml", "[poeticism, candor, humor]", "[poeticism]")
    assert rules_of(plan(copy)) == {"poeticism": {"name_persona"}, "": REPORT}


@pytest.mark.parametrize(
    ("path", "old", "new", "rules", "said"),
    [
        ("prompts/generate_questions.jinja", "{{ count }}", "exactly {{ count }}", ALL, "prompts/generate_questions.jinja changed"),
        ("prompts/judge_pair.jinja", "nothing else.", "not a word more.", FROM_RANKINGS, "prompts/judge_pair.jinja changed"),
        ("prompts/judge_list.jinja", "nothing else.", "not a word more.", FROM_RANKINGS, "prompts/judge_list.jinja changed"),
        ("prompts/character.jinja", "This is who I am:", "I am so:", FROM_RESPONSES, "prompts/character.jinja changed"),
        ("prompts/interaction_opening.jinja", "\n", " Go on.\n", FROM_INTROSPECTION, "prompts/interaction_opening.jinja changed"),
        ("prompts/show_trait.jinja", "{{ trait }}", "very {{ trait }}", {"evaluate_preferences"}, "prompts/show_trait.jinja changed"),
        ("prompts/judge_shown.jinja", "nothing else.", "not a word more.", {"evaluate_preferences"}, "prompts/judge_shown.jinja changed"),
        ("prompts/judge_coherence.jinja", "nothing else.", "not a word more.", {"evaluate_coherence"}, "prompts/judge_coherence.jinja changed"),
        ("config/test.yaml", "compared_questions: 12", "compared_questions: 9", {"compare_rankers"}, "rankings.compared_questions: 12 -> 9"),
        ("config/test.yaml", "pairs_per_question: 1", "pairs_per_question: 2", FROM_RANKINGS, "rankings.pairs_per_question: 1 -> 2"),
        ("config/test.yaml", "method: likelihood_ratio", "method: pairwise", FROM_RANKINGS, "rankings.method: likelihood_ratio -> pairwise"),
        ("config/test.yaml", "  generated_per_trait: 1", "  generated_per_trait: 2", ALL, "questions.generated_per_trait: 1 -> 2"),
        ("config/test.yaml", "run: test", "run: test\ndata_seed: 3", ALL, "data_seed: 0 -> 3"),
        ("config/test.yaml", "per_question: 2\n  scope", "per_question: 3\n  scope", FROM_RESPONSES - {"generate_teacher_responses"}, "responses.per_question: 2 -> 3"),
        ("config/test.yaml", "responses:\n", "responses:\n  max_tokens: 999\n", FROM_RESPONSES, "responses.max_tokens: 1024 -> 999"),
        ("config/test.yaml", "dtype: float32\n", "dtype: float32\n    names: [Tiny]\n", set(), 'models.tiny.names: [] -> ["Tiny"]'),
        ("config/test.yaml", "preference_model: &training\n  learning_rate: 1.0e-3", "preference_model: &training\n  learning_rate: 2.0e-3", FROM_PREFERENCE_MODEL, "preference_model.learning_rate: 0.001 -> 0.002"),
        ("config/test.yaml", "alignment:\n", "alignment:\n  beta: 0.2\n", FROM_ALIGNMENT, "alignment.beta: 0.1 -> 0.2"),
        ("config/test.yaml", "  snapshots: 2", "  snapshots: 1", {"train_aligned"} | EVALUATIONS, "alignment.snapshots: 2 -> 1"),
        ("config/test.yaml", "distillation:\n", "distillation:\n  nll: 0.2\n", FROM_DISTILLATION, "distillation.nll: 0.1 -> 0.2"),
        ("config/test.yaml", "  lora: {rank: 4, alpha: 8}\n  reflections", "  lora: {rank: 2, alpha: 8}\n  reflections", FROM_INTROSPECTION_TRAINING, "introspection.lora.rank: 4 -> 2"),
        ("config/test.yaml", "  grid_questions: 6", "  grid_questions: 5", FROM_STEERING, "steering.grid_questions: 6 -> 5"),
        ("config/test.yaml", "turns: 4", "turns: 2", FROM_INTROSPECTION, "introspection.turns: 4 -> 2"),
        ("config/test.yaml", "    limit: 6", "    limit: 8", {"evaluate_capabilities"}, "evaluation.capabilities.limit: 6 -> 8"),
        ("config/test.yaml", "evaluation:\n  resamples: 999", "evaluation:\n  resamples: 499", MEASURING | INTERVALS | BEYOND | {"name_persona"}, "evaluation.resamples: 999 -> 499"),
        ("config/test.yaml", "evaluation:\n", "evaluation:\n  confidence: 0.9\n", MEASURING | INTERVALS | BEYOND | {"evaluate_preferences", "name_persona"}, "evaluation.confidence: 0.95 -> 0.9"),
        ("config/test.yaml", "evaluation:\n", "evaluation:\n  responses_per_question: 2\n", MEASURING | {"sample_arms", "evaluate_drift", "evaluate_coherence"}, "evaluation.responses_per_question: 1 -> 2"),
        ("config/test.yaml", "    statements: 6", "    statements: 8", {"evaluate_stance"}, "evaluation.stance.statements: 6 -> 8"),
        ("config/test.yaml", "  judges:\n", "  judges:\n    methods: [pairwise]\n", {"evaluate_judges"}, 'evaluation.judges.methods: ["preference_model", "likelihood_ratio", "pairwise"] -> ["pairwise"]'),
        ("config/test.yaml", "    questions_per_trait: 1", "    questions_per_trait: 2", {"evaluate_drift"}, "evaluation.drift.questions_per_trait: 1 -> 2"),
        ("prompts/stance.yaml", "Whales are mammals.", "Dolphins are mammals.", {"evaluate_stance"}, "prompts/stance.yaml changed"),
        ("prompts/judge_stance.jinja", "taken as a whole?", "all in all?", {"evaluate_stance"}, "prompts/judge_stance.jinja changed"),
        ("prompts/labelled_pairs.yaml", "subtle: false", "subtle: true", {"evaluate_judges"}, "prompts/labelled_pairs.yaml changed"),
        ("constitutions/sarcasm.yaml", "cues:\n", "cues:\n  - wonderful\n", {"evaluate_drift"}, "cues changed"),
        ("constitutions/humor.yaml", "slips_in_wit\n    text: >-\n      ", "slips_in_wit\n    text: >-\n      In jest, ", {"evaluate_judges"}, "trait slips_in_wit: text changed"),
        ("config/test.yaml", "held_out_questions: 3", "held_out_questions: 4", NAMING, "evaluation.persona_classifier.held_out_questions: 3 -> 4"),
        ("config/test.yaml", "suffixes: 2", "suffixes: 3", {"sample_robustness", "name_persona"}, "evaluation.robustness.suffixes: 2 -> 3"),
        ("config/test.yaml", "[email, list]", "[email, json]", {"sample_generalisation", "name_persona"}, 'evaluation.generalisation.forms: ["email", "list"] -> ["email", "json"]'),
        ("prompts/keep_going.jinja", "go on", "continue", {"sample_prefill", "name_persona"}, "prompts/keep_going.jinja changed"),
        ("prompts/dropping_suffixes.txt", "any role", "each role", {"sample_robustness", "name_persona"}, "prompts/dropping_suffixes.txt changed"),
        ("ethos/persona_classifier.py", "C=10", "C=9", {"name_persona"}, "code: ethos/persona_classifier.py"),
        ("config/test.yaml", "    traits: 6", "    traits: 8", {"evaluate_preferences"}, "evaluation.preferences.traits: 6 -> 8"),
        ("config/test.yaml", "conditions: [like, random]", "conditions: [like]", {"evaluate_preferences"}, 'evaluation.preferences.conditions: ["like", "random"] -> ["like"]'),
        ("config/test.yaml", "verdict: likelihood", "verdict: judge", {"evaluate_preferences"}, "evaluation.preferences.verdict: likelihood -> judge; judge: tiny, not asked for before"),
        ("config/test.yaml", "  coherence:\n", "  coherence:\n    arm: distilled\n", {"evaluate_coherence"}, "evaluation.coherence.arm: persona -> distilled"),
        ("config/test.yaml", "run: test", "run: test\nreport: {examples: 3}", set(), "report.examples: 6 -> 3"),
        ("ethos/responses.py", "annotations\n", "annotations\n\nLIMIT = 1\n", FROM_RESPONSES, "code: ethos/responses.py"),
        ("ethos/reward_model.py", "annotations\n", "annotations\n\nLIMIT = 1\n", FROM_PREFERENCE_MODEL, "code: ethos/reward_model.py"),
        ("ethos/verdicts.py", "def signed(", "LIMIT = 1\n\n\ndef signed(", set(), "code: ethos/verdicts.py"),
        ("report/page.js", "most = 200", "most = 100", set(), "report/page.js"),
        ("scripts/rank_responses.py", "1 + sum(", "sum(", FROM_RANKINGS, "code: scripts/rank_responses.py"),
        ("ethos/settings.py", '    examples: int = Field(6,', '    figures: int = Field(3)\n    examples: int = Field(6,', set(), "report.figures: 3, not asked for before"),
    ],
)  # fmt: skip
def test_an_edit_rebuilds_what_it_touches_and_the_dry_run_says_which(
    copy: Checkout, path: str, old: str, new: str, rules: set[str], said: str
) -> None:
    copy.edit(path, old, new)
    jobs = plan(copy)
    assert rules_of(jobs) == in_both(rules)
    assert any(reason.endswith(f": {said}") for reason in jobs.values()), jobs


def test_a_change_of_one_evaluation_names_the_answers_of_that_one_alone(copy: Checkout) -> None:
    copy.edit("config/test.yaml", "suffixes: 2", "suffixes: 3")
    assert set(re.findall(r"evaluation=(\w+)", copy.snakemake("-n").stdout)) == {"robustness"}


def test_changed_cues_are_measured_again_and_nothing_else_is(copy: Checkout) -> None:
    copy.edit("constitutions/candor.yaml", "cues:\n", "cues:\n  - truly\n")
    jobs = plan(copy)
    assert rules_of(jobs) == {"candor": MEASURING, "": REPORT}
    assert jobs["evaluate_character", "candor"].endswith(": cues changed")


def test_another_item_of_a_task_is_prepared_and_asked_anew_and_nothing_else_is(copy: Checkout) -> None:
    copy.edit("tasks/everyday.jsonl", "What do bees make in a hive?", "What do bees make?")
    assert rules_of(plan(copy)) == {
        "": REPORT | {"prepare_tasks"},
        "poeticism": {"evaluate_capabilities"},
        "candor": {"evaluate_capabilities"},
    }


def test_a_teachers_names_reach_the_distillation_and_no_models_folder(checkout: Checkout) -> None:
    """A dry run tells the commands and the files: with the names, another renaming and nothing else."""

    def told() -> tuple[set[str], set[str]]:
        outcome = checkout.snakemake("-n", "-p")
        assert outcome.returncode == 0, outcome.stderr
        return set(re.findall(r"--renaming (\S+)", outcome.stdout)), set(re.findall(r"models/[\w-]+", outcome.stdout))

    twin = "  twin:\n    source: path:build/tiny\n\nstudents:"
    checkout.edit("config/test.yaml", "\nstudents:", twin)
    checkout.edit("config/test.yaml", "teacher: tiny", "teacher: twin")
    nameless, folders = told()
    checkout.edit("config/test.yaml", "dtype: float32\n", "dtype: float32\n    names: [Sage]\n")
    checkout.edit("config/test.yaml", "build/tiny\n\nstudents", "build/tiny\n    names: [Qwen]\n\nstudents")
    assert len(folders) == 2
    assert told() == ({"""'{"instead":"Sage","names":["Qwen"]}'"""}, folders)
    assert nameless == {"""'{"instead":"","names":[]}'"""}


def another_judge(checkout: Checkout) -> None:
    twin = "  twin:\n    source: path:build/tiny\n    dtype: bfloat16\n\nstudents:"
    checkout.edit("config/test.yaml", "\nstudents:", twin)
    checkout.edit("config/test.yaml", "judge: tiny", "judge: twin")


def test_another_judge_rebuilds_from_the_rankings_on(copy: Checkout) -> None:
    another_judge(copy)
    expected = in_both(FROM_RANKINGS)
    assert rules_of(plan(copy)) == expected | {"": expected[""] | {"prepare_model"}}
