"""The report tells what each trait contributes where the run asked for it, and of every trait how each arm shows it."""

from __future__ import annotations

import re

import pytest

from ethos.contribution_figures import contributions_figure
from ethos.contributions import contribution, ranked_traits
from ethos.run_results import read_cells
from tests.fake_metrics import TRAITS
from tests.fake_results import build_run, fake_settings, write_report

SETTINGS = fake_settings(
    constitutions=["poeticism", "humor"], contributions={"constitution": "poeticism", "arm": "distilled"}, seeds=[0, 1]
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    build_run(folder / "results", SETTINGS)
    (folder / "results/smollm2/humor/seed0/evaluations/contributions.parquet").unlink()  # asked for of poeticism alone
    return folder


@pytest.fixture(scope="module")
def cell(built):
    return read_cells(built / "results", SETTINGS)[0]


@pytest.fixture(scope="module")
def page(built):
    return write_report(built, SETTINGS).read_text()


def section(page: str, name: str) -> str:
    start = page.index(f'<section id="{name}')
    return page[start : page.index("</section>", start)]


def test_traits_are_ranked_by_what_they_contribute_to_the_whole_over_all_seeds(cell):
    ranked = ranked_traits(cell, "distilled")
    means = [sum(contribution(seed, "distilled", trait)["value"] for seed in cell.seeds) for trait in ranked]
    assert sorted(ranked) == sorted(TRAITS) and means == sorted(means, reverse=True)


def test_only_the_constitution_that_was_asked_for_has_the_section(page):
    assert page.count('<section id="contributions-') == 1 and '<section id="contributions-poeticism-smollm2"' in page
    without = fake_settings()
    assert without.contributions is None


def test_the_section_shows_each_contribution_with_its_interval_and_corrected_p(cell, page):
    shown = {float(value) for value in re.findall(r'<data value="([^"]+)"', section(page, "contributions-"))}
    for seed in cell.seeds:
        for trait in TRAITS:
            row = contribution(seed, "distilled", trait)
            assert {row["value"], row["ci_low"], row["ci_high"]} <= shown
            assert contribution(seed, "distilled", trait, trait)["value"] in shown
            assert contribution(seed, "distilled", trait, metric="likelihood_ratio_holm_p")["value"] in shown


def test_the_heat_map_says_every_number_and_how_many_questions_stand_behind_it(cell):
    seed = cell.seeds[0]
    svg = contributions_figure(cell, seed, "distilled")
    texts = re.findall(r">([^<>]+)</text>", svg)
    for trait in TRAITS:
        for part in ("all", *TRAITS):
            number = f"{contribution(seed, 'distilled', trait, part)['value']:+.2f}".replace("-", "−")
            assert number in texts
        assert f"{trait.replace('_', ' ')} (3)" in texts
    assert "whole character (15)" in texts
    assert svg == contributions_figure(cell, seed, "distilled")


def test_the_colours_of_the_heat_map_are_centred_at_zero(cell):
    """The same size above and below zero is as far from white: a map of one sign has no cell of the other's colour."""
    seed = cell.seeds[0]
    rows = [row | {"value": abs(row["value"])} for row in seed.metrics if row["evaluation"] == "contributions"]
    cells = contributions_figure(cell, type(seed)(**vars(seed) | {"metrics": rows}), "distilled")
    colours = re.findall(r"fill: #([0-9a-f]{6}); stroke: #ffffff", cells)
    assert len(colours) == len(TRAITS) * (len(TRAITS) + 1)
    assert all(int(colour[4:], 16) >= int(colour[:2], 16) - 2 for colour in colours), "orange, in a map without a minus"


def test_what_cannot_be_seen_is_said(page):
    for name in ("contribution-ranking-poeticism-smollm2", "contributions-poeticism-smollm2-seed1"):
        figure = page[page.index(f'<figure id="figure-{name}"') :]
        assert re.match(r'(?s).{0,200}<svg [^>]*role="img" aria-label="What each trait contributes', figure)


def test_every_trait_is_shown_in_every_arm_the_weakest_first(cell, page):
    def gain(trait: str) -> float:
        return sum(
            row["value"]
            for row in cell.metrics
            if (row["metric"], row["reference"], row["slice"]) == ("likelihood_ratio", "base", trait)
            and row["evaluation"] == "character"
            and row["arm"] in ("persona", "aligned")
        )

    tables = section(page, "measures-poeticism").split("<summary>Likelihood ratio by trait")[1:]
    first = re.findall(r'<tr><th scope="row">([a-z ]+)</th>', tables[0].split("</table>")[0])
    assert first == [trait.replace("_", " ") for trait in sorted(TRAITS, key=gain)]
    assert "<summary>Cue words by trait" in tables[0]
