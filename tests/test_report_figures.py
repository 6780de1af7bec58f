"""Every figure of a report has beside it the rows that it shows, and says which arm and seed its points are of."""

from __future__ import annotations

import csv
import re

import pytest

from ethos.report_figures import draw_figures
from ethos.run_results import read_cells
from ethos.tables import METRICS
from tests.fake_results import build_run, fake_settings, write_report

SETTINGS = fake_settings(seeds=[0, 1], contributions={"constitution": "poeticism", "arm": "distilled"})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    build_run(folder / "results", SETTINGS)
    return folder


@pytest.fixture(scope="module")
def figures(built):
    return draw_figures(read_cells(built / "results", SETTINGS), SETTINGS)


def test_beside_every_figure_are_as_many_rows_as_it_has_points(figures):
    """A marker is a `use` of its shape; the legend has one a seed, and one of the mean where that is shown."""
    for name, figure in figures.items():
        if name.startswith(("curves", "contributions-")):  # lines and a heat map
            continue
        mean = name.startswith(("effects", "traits"))
        legend = 0 if name.startswith("preferences") else 2 + mean
        bases = 2 * 4 if name.startswith("overoptimisation") else 0  # step 0, which is no comparison
        assert figure.svg.count("<use ") == len(figure.rows) + legend + bases, name
    lines = figures["curves-poeticism-smollm2"].rows
    assert len(lines) == 2 * 5 * 30 and {
        row["margin"] is None for row in lines if row["training"] == "introspection"
    } == {True}
    assert len(figures["contributions-poeticism-smollm2-seed1"].rows) == 5 * 6


def test_the_rows_are_written_as_they_are_and_linked(built, figures):
    page = write_report(built, SETTINGS)
    text = page.read_text()
    for name, figure in figures.items():
        with open(page.parent / "tables" / f"{name}.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row.get("value", "") for row in rows] == [
            repr(row["value"]) if "value" in row else "" for row in figure.rows
        ]
        assert f'<a href="tables/{name}.csv">' in text
    assert list(figures["effects-poeticism-smollm2"].rows[0]) == METRICS.names


def test_points_say_their_arm_and_seed_and_those_of_the_mean_no_seed(figures):
    effects = figures["effects-poeticism-smollm2"].svg
    tags = re.findall(r'<g ((?:data-[a-z]+="[^"]*" ?)+)>', effects)
    # Two panels, a line and a point each; the mean's beside the name of the arm.
    assert tags.count('data-arm="persona" data-seed="1"') == 2 * 2
    assert tags.count('data-arm="persona"') == 2 * 2 + 1
    assert "shows:" not in effects
