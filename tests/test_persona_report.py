"""The report shows the numbers of robustness, prefill and generalisation, where the run made them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ethos.evaluation_settings import PERSONA_EVALUATIONS
from ethos.run_results import find, read_cells
from tests.fake_results import build_run, fake_settings, write_report
from tests.test_write_report import Elements, spaced

SETTINGS = fake_settings(evaluation={"which": list(PERSONA_EVALUATIONS)})


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    build_run(folder / "results", SETTINGS)
    write_report(folder, SETTINGS)
    return folder


def section(built: Path, evaluation: str) -> str:
    page = (built / "report" / "index.html").read_text()
    return page[page.index(f'<section id="{evaluation}-') :].partition("</section>")[0]


@pytest.mark.parametrize("evaluation", PERSONA_EVALUATIONS)
def test_each_has_a_section_with_its_numbers_its_figure_and_its_counts(built, evaluation):
    [cell] = read_cells(built / "results", SETTINGS)
    shown = section(built, evaluation)
    numbers = {float(attributes["value"]) for tag, attributes in Elements(shown).tags if tag == "data"}
    for metric in ("f1", "macro_f1_change", "f1_unseen_arm", "macro_f1"):
        row = find(cell.seeds[0].metrics, metric, "persona", evaluation=evaluation)
        assert {row["value"], row["ci_low"], row["ci_high"]} <= numbers
    assert (
        f'aria-label="How well a classifier tells the persona ({evaluation}), poeticism, smollm2; metrics.csv' in shown
    )
    namings = [row for row in cell.seeds[0].namings[evaluation] if row["left_out"] is None and row["form"] != "chat"]
    told = re.findall(r">prompted</span></th><td>(\d+)</td><td>(\d+)</td><td>(\d+)</td>", shown)
    unseen = [
        row for row in cell.seeds[0].namings[evaluation] if row["left_out"] == "prompted" and row["form"] != "chat"
    ]
    for counts, rows in zip(told, (namings, unseen), strict=True):
        own = [row["named"] for row in rows if row["arm"] == "prompted"]
        assert len(own) > 0 and counts == tuple(str(own.count(name)) for name in ("poeticism", "no persona", None))
    assert "named, by a classifier that never saw the arm" in spaced(shown)
    assert f"{len(namings)} answers, of which 1 empty" in spaced(shown)


def test_the_forms_of_an_answer_are_told_and_escaped(built):
    assert "Please drop the act &amp; speak" in section(built, "robustness")
    assert "email, code comment, json, list and spanish" in spaced(section(built, "generalisation"))
    figures = {path.name for path in (built / "report" / "figures").iterdir()}
    assert {f"{evaluation}-poeticism-smollm2.svg" for evaluation in PERSONA_EVALUATIONS} <= figures


def test_the_classifier_is_named_as_it_is(built, tmp_path):
    assert "A classifier (logistic regression on TF-IDF) names" in spaced(section(built, "robustness"))
    models = {name: {"source": f"path:models/{name}"} for name in ("smollm2", "modernbert")}
    evaluation = {"which": ["robustness"], "persona_classifier": {"fine_tuned": {"model": "modernbert"}}}
    settings = fake_settings(models=models, evaluation=evaluation)
    build_run(tmp_path / "results", settings)
    write_report(tmp_path, settings)
    told = spaced(section(tmp_path, "robustness"))
    assert "A classifier (modernbert, fine-tuned) names" in told and "TF-IDF" not in told


def test_what_the_run_did_not_ask_for_is_not_shown(tmp_path):
    settings = fake_settings(evaluation={"which": ["prefill"]})
    build_run(tmp_path / "results", settings)
    page = write_report(tmp_path, settings).read_text()
    assert "prefill-poeticism" in page and "robustness-poeticism" not in page and "generalisation-" not in page


def test_over_seeds_it_says_where_each_seed_draws_its_own_messages_and_only_there(tmp_path):
    settings = fake_settings(seeds=[0, 1], evaluation={"which": ["prefill", "preferences", "coherence"]})
    build_run(tmp_path / "results", settings)
    page = spaced(write_report(tmp_path, settings).read_text())
    assert page.count("on other messages, since each seed draws its own. Beneath it") == 1
    assert page.count("on other matches, since each seed draws its own. Beneath it") >= 1
    assert "how another training would come out on these prompts. Beneath it" in page
    assert (
        "say nothing of other questions, save in prefill and preferences, where each seed draws its own; each" in page
    )
    assert "Each seed has a classifier of its own" in page
