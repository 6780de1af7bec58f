"""What jobs ask of models is told beforehand: the rules that run one, the prompts there are, and what a finished run did ask."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ethos.asks import Ask, Train
from ethos.constitution import load_constitution
from ethos.counts import Counts, count
from ethos.evaluation_work import OWN_TASKS, STANCE_REPLIES, STANCE_USERS
from ethos.ledger import read_ledger
from ethos.prompts import prompt_data
from ethos.settings import Settings, load_settings
from ethos.workload import RULES, workload
from scripts.evaluate_judges import LabelledPairs, pairs_of
from scripts.evaluate_stance import USERS, StanceTexts
from tests.conftest import ROOT, Checkout

TINY = load_settings(ROOT / "config/test.yaml")
POETICISM, SARCASM = (load_constitution(ROOT / f"constitutions/{name}.yaml") for name in ("poeticism", "sarcasm"))


def changed(**sections) -> Settings:
    return Settings.model_validate(TINY.model_dump() | sections)


def expected(settings: Settings = TINY) -> Counts:
    return count(settings, POETICISM, [SARCASM])


def calls(rule: str, settings: Settings = TINY) -> int:
    return sum(ask.calls for ask in workload(rule, settings, expected(settings)) if isinstance(ask, Ask))


def test_every_rule_that_asks_for_a_models_resources_has_its_work_counted_and_no_other():
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    assert set(re.findall(r'^ +\*\*\(?resources_of\("(\w+)"', text, re.MULTILINE)) == set(RULES)
    assert workload("write_report", TINY, expected()) == []


def test_what_prompts_hold_is_counted_as_they_stand():
    texts = prompt_data("stance", StanceTexts)
    assert (len(USERS), sum(map(len, texts.replies.values()))) == (STANCE_USERS, STANCE_REPLIES)
    for path in (ROOT / "constitutions").glob("*.yaml"):
        constitution = load_constitution(path)
        pairs = pairs_of(constitution, prompt_data("labelled_pairs", LabelledPairs))
        assert count(TINY, constitution).labelled == (len(pairs), 60)
    assert {path.stem for path in OWN_TASKS.glob("*.yaml")} == {path.stem for path in OWN_TASKS.glob("*.jsonl")}


def test_without_tables_counts_are_those_that_the_settings_ask_for():
    counts = expected()
    assert counts.questions == 5 * 10 + 10 * 1 + 4
    assert counts.held_out == round(0.2 * 64 + 10 * 0.8**5)  # a trait has one held out, whatever is drawn
    assert counts.groups == {("train", 3): counts.train, ("held_out", 3): counts.held_out}
    assert counts.known == {"settings"}


@pytest.mark.parametrize(("method", "each"), [("likelihood_ratio", 2 * 3), ("pairwise", 2 * 3), ("listwise", 2)])
def test_a_ranker_asks_by_its_method(method: str, each: int):
    rankings = TINY.rankings.model_dump() | {"method": method}
    assert calls("rank_responses", changed(rankings=rankings)) == 64 * each


def test_a_comparison_passes_over_the_runs_own_ranker():
    compared = TINY.rankings.model_dump() | {"compared": ["likelihood_ratio", "listwise"]}
    assert calls("compare_rankers", changed(rankings=compared)) == 12 * 2


def test_an_alignment_that_samples_is_trained_on_what_it_samples():
    grpo = TINY.alignment.model_dump() | {"method": "grpo", "batch_size": 16, "epochs": 2}
    for settings, examples in ((TINY, expected().train), (changed(alignment=grpo), expected().train * 2)):
        [training] = workload("train_aligned", settings, expected())
        assert isinstance(training, Train) and (training.examples, training.adapters) == (examples, 2)


def test_a_classifier_that_is_fine_tuned_learns_once_without_each_arm_that_teaches_and_no_other_is_counted():
    assert workload("name_persona", TINY, expected()) == []
    evaluation = TINY.evaluation.model_dump()
    fine_tuned = {"model": "tiny", "epochs": 2, "max_tokens": 64}
    evaluation["persona_classifier"] |= {"fine_tuned": fine_tuned, "training_questions": 10}
    settings = changed(evaluation=evaluation, constitutions=["poeticism", "sarcasm"])
    [training] = workload("name_persona", settings, expected(settings))
    # Answers of base, and of each character's prompted, steered, distilled, persona and aligned arm.
    assert isinstance(training, Train) and training.examples == 6 * (1 + 2 * 5) * 10 * 2
    assert (training.role, training.longest) == ("persona_classifier_model", 64)


@pytest.mark.slow
def test_calls_told_from_the_tables_are_those_that_the_run_made(finished: Checkout) -> None:
    """A ledger names what its job asked, whether the store had it or not. Where calls follow from what models say, they are
    told as the most that there can be."""
    results = finished.folder / "results/test"
    cell = results / "tiny/poeticism"
    counts = count(
        TINY,
        POETICISM,
        [SARCASM],
        questions=results / "questions/poeticism.parquet",
        responses=cell / "responses.parquet",
        samples=cell / "seed0/evaluations/samples.parquet",
    )
    told, exact = {}, set()
    for rule in RULES:
        asks = [ask for ask in workload(rule, TINY, counts) if isinstance(ask, Ask)]
        told[rule] = sum(ask.calls for ask in asks)
        exact |= {rule} if all(ask.source in counts.known for ask in asks) else set()
    made = {path.stem: _completions(path) for path in results.rglob("used/*.txt") if path.stem in RULES}
    assert {rule: told[rule] for rule in made if rule in exact} == {rule: made[rule] for rule in made if rule in exact}
    assert all(made[rule] <= told[rule] <= 2 * made[rule] for rule in made)
    assert len(exact) > len(made) / 2


def _completions(ledger: Path) -> int:
    return sum(entry.startswith("completion ") for entry in read_ledger(ledger))
