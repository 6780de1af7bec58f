"""The report shows the numbers of robustness, prefill and generalisation, where the run made them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ethos.arms import ARMS
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


def matrices(shown: str) -> list[dict[tuple[str, str], dict[str, int]]]:
    """Both confusion matrices of a section: by arm and what the answers show, how many were named what."""
    found = []
    for table in re.findall(r"<table [^>]*confusion matrix[^>]*>(.*?)</table>", shown, re.DOTALL):
        head, *rows = [
            [spaced(cell) for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row)]
            for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        ]
        names = [name for name in head[2:] if name != "Named rightly"]
        found.append(
            {
                (arm, shows): dict(zip(names, map(int, counts[: len(names)]), strict=True))
                for arm, shows, *counts in rows
            }
        )
    return found


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
    unseen = [
        row for row in cell.seeds[0].namings[evaluation] if row["left_out"] == "prompted" and row["form"] != "chat"
    ]
    named, never_seen = matrices(shown)
    for told, arm, rows in (
        (named["prompted", "poeticism"], "prompted", namings),
        (named["base", "no persona"], "base", namings),
        (never_seen["prompted", "poeticism"], "prompted", unseen),
        (never_seen["prompted", "no persona (base)"], "base", unseen),
    ):
        own = [row["named"] or "empty" for row in rows if row["arm"] == arm]
        assert len(own) > 0 and told == {name: own.count(name) for name in ("poeticism", "no persona", "empty")}
    assert "named, by a classifier that never saw the arm" in spaced(shown)
    assert f"{len(namings)} answers, of which 1 empty" in spaced(shown)


def test_f1_is_counted_from_the_matrices_that_are_shown(tmp_path):
    """That of a persona from those of its own section, macro F1 from those of all."""
    constitutions = ["poeticism", "candor", "humor"]
    settings = fake_settings(constitutions=constitutions, evaluation={"which": ["robustness"]})
    build_run(tmp_path / "results", settings)
    write_report(tmp_path, settings)
    page = (tmp_path / "report" / "index.html").read_text()
    sections = {name: f'<section id="robustness-{name}-smollm2"' for name in constitutions}
    shown = {name: matrices(page[page.index(start) :].partition("</section>")[0]) for name, start in sections.items()}
    cells = {cell.constitution: cell for cell in read_cells(tmp_path / "results", settings)}

    def f1(name: str, right: int, *rows: dict[str, int]) -> float:
        """Of a class that is named `right` times rightly. rows: all answers that show it first, then all others."""
        return 2 * right / (sum(rows[0].values()) + sum(row[name] for row in rows))

    for number, suffix in ((0, ""), (1, "_unseen_arm")):
        for arm in ARMS[1:]:
            base = ("base", "no persona") if number == 0 else (arm, "no persona (base)")
            own = {name: shown[name][number][arm, name] for name in constitutions}
            found = []
            for name in constitutions:
                table = shown[name][number]
                found.append(f1(name, own[name][name], own[name], table[arm, "another persona"], table[base]))
                row = find(cells[name].seeds[0].metrics, f"f1{suffix}", arm, evaluation="robustness")
                assert found[-1] == pytest.approx(row["value"]) and 0 < found[-1] < 1
                others = [own[other] for other in constitutions if other != name]
                assert table[arm, "another persona"] == {key: sum(row[key] for row in others) for key in own[name]}
                assert table[base] == shown["poeticism"][number][base]
            none = shown["poeticism"][number][base]
            found.append(f1("no persona", none["no persona"], none, *own.values()))
            row = find(cells["candor"].seeds[0].metrics, f"macro_f1{suffix}", arm, evaluation="robustness")
            assert sum(found) / 4 == pytest.approx(row["value"])


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
