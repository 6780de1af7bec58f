"""What the report says of stance, judges and drift, and what it leaves out where nobody asked."""

from __future__ import annotations

import re

import pytest

from ethos.drift_report import drift_matrices
from ethos.run_results import read_cells
from ethos.tables import METRICS, read_table, table_from, write_table
from tests.fake_results import build_run, fake_settings, write_report

ASKED = {"which": ["stance", "judges", "drift"]}


def spaced(page: str) -> str:
    """The text of a page, its elements apart."""
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def section(page: str, name: str) -> str:
    start = page.index(f'<section id="{name}')
    return page[start : page.index("</section>", start)]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("asked")
    settings = fake_settings(constitutions=["poeticism", "candor"], evaluation=ASKED)
    build_run(folder / "results", settings)
    return write_report(folder, settings).read_text()


def test_stance_is_told_by_method_with_n_and_what_the_judge_could_not_say(page):
    text = spaced(section(page, "stance-poeticism"))
    assert "By likelihood" in text and "By judge" in text
    by_likelihood, by_judge = text.split("By judge")
    assert "Changes sides" in by_judge and "changes sides" not in by_likelihood.lower()
    assert re.search(r"persona \+0\.510 \+0\.50\d to \+0\.51\d 0\.000", by_likelihood), by_likelihood
    assert re.search(r"persona 0\.610 \S+ to \S+ 1\.000", by_judge), by_judge
    assert "shuffled 1.00" in text
    assert "Statement 2 of method &amp; &lt;i&gt;co" in text


def test_a_judge_that_could_not_be_read_has_no_figure_and_no_empty_table(tmp_path):
    settings = fake_settings(evaluation={"which": ["stance"]})
    build_run(tmp_path / "results", settings)
    table = tmp_path / "results/smollm2/poeticism/seed0/evaluations/stance.parquet"
    rows = read_table(table, METRICS).to_pylist()
    kept = [row for row in rows if not row["slice"].startswith("judge") or row["metric"] == "unparsed"]
    write_table(table, table_from(kept, METRICS))
    page = write_report(tmp_path, settings).read_text()
    assert "Nothing is known: too few verdicts could be read." in page
    assert "figure-stance-poeticism-smollm2-likelihood" in page and "smollm2-judge" not in page


def test_judges_are_told_with_labels_by_their_authors_and_the_preference_model_on_pairs_of_its_own(page):
    text = spaced(section(page, "judges-poeticism"))
    assert "labelled by the authors of this project" in text and "Against 60 labelled pairs" in text
    assert "preference model 0.800 0.584 to 0.919 20" in text
    assert "pairwise the labels" in text and "0.05 of the pairs had another winner" in text
    assert "likelihood ratio 0.800 0.682 to 0.882 60" in text
    other = spaced(section(page, "judges-candor"))
    assert "Against 60 labelled pairs" in other and re.search(r"preference model \S+ 0 ", other), other
    assert "figure-judges-poeticism-smollm2" in page


def test_where_no_pair_is_labelled_the_page_says_zero(tmp_path):
    settings = fake_settings(constitutions=["candor"], evaluation=ASKED | {"judges": {"methods": ["preference_model"]}})
    build_run(tmp_path / "results", settings)
    text = spaced(section(write_report(tmp_path, settings).read_text(), "judges-candor"))
    assert "No pair that these could judge is labelled, so that nothing is known here: n is 0." in text


def test_drift_is_a_matrix_with_each_constitutions_own_on_the_diagonal(page, tmp_path):
    settings = fake_settings(
        constitutions=["poeticism", "candor"], evaluation=ASKED | {"drift": {"constitutions": ["humor", "candor"]}}
    )
    build_run(tmp_path / "results", settings)
    [matrix] = drift_matrices(read_cells(tmp_path / "results", settings), settings)
    assert (matrix.trained, matrix.measured) == (["poeticism", "candor"], ["poeticism", "candor", "humor"])
    values = [[row and round(row["value"], 2) for row in line] for line in matrix.rows["likelihood_ratio"]]
    assert values == [[0.19, -0.08, 0.11], [None, 0.19, 0.11]]
    assert matrix.own == [(0, 0), (1, 1)]
    text = spaced(section(page, "drift"))
    assert re.search(r"poeticism \+0\.19\d \S+ to \S+ n = 15 −0\.080 −0\.100 to −0\.060 n = 12", text), text


def test_one_constitution_alone_drifts_nowhere_and_the_page_says_so(tmp_path):
    settings = fake_settings(evaluation={"which": ["drift"]})
    build_run(tmp_path / "results", settings)
    assert "Nothing was measured: the run has one constitution" in write_report(tmp_path, settings).read_text()


def test_a_run_that_did_not_ask_shows_none_of_them(tmp_path):
    build_run(tmp_path / "results", fake_settings())
    page = write_report(tmp_path, fake_settings()).read_text()
    assert not re.findall(r'id="(?:figure-)?(?:stance|judges|drift)', page)
