"""Every figure of a report has beside it the rows that it shows, and says which arm and seed its points are of."""

from __future__ import annotations

import csv
import re
from xml.etree import ElementTree

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
        mean = not name.startswith(("accuracy", "calibration", "contribution-ranking", "overoptimisation"))
        legend = 2 + mean  # a marker a seed, and that of the mean
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


def test_points_say_their_arm_and_whether_they_are_of_a_seed_or_of_the_mean(figures):
    effects = figures["effects-poeticism-smollm2"].svg
    tags = re.findall(r'<g ((?:data-[a-z]+="[^"]*" ?)+)>', effects)
    # Two panels, a line and a point each; the name of the arm is of no seed, and the legend's of no arm.
    for seed in ("1", "mean"):
        assert tags.count(f'data-arm="persona" data-seed="{seed}"') == 2 * 2
        assert tags.count(f'data-seed="{seed}"') == 2
    assert tags.count('data-arm="persona"') == 1


def seeds_of_points(svg: str) -> list[str | None]:
    """The `data-seed` of what every marker stands in."""
    found = []

    def look(element: ElementTree.Element, seed: str | None) -> None:
        seed = element.get("data-seed", seed)
        if element.tag.endswith("}use"):
            found.append(seed)
        for child in element:
            look(child, seed)

    look(ElementTree.fromstring(svg), None)
    return found


def test_every_point_of_every_figure_goes_with_its_seed(figures):
    for name, figure in figures.items():
        seeds = seeds_of_points(figure.svg)
        assert set(seeds) <= {"0", "1", "mean"} and (seeds or name.startswith(("curves", "contributions-"))), name
