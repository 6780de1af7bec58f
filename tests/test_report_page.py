"""The report's page keeps a model's text text, runs no script but its own, and takes nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re

import pytest

from ethos.metric_rows import MOST_ROWS, json_for_page, rows_for_page
from ethos.tables import METRICS
from tests.fake_results import HOSTILE, build_run, fake_settings, write_report
from tests.page_elements import Elements


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("run")
    build_run(folder / "results", fake_settings())
    write_report(folder, fake_settings())
    return (folder / "report" / "index.html").read_text()


def test_a_hostile_response_stays_text(page):
    elements = Elements(page)
    assert {tag for tag, _ in elements.tags}.isdisjoint({"img", "iframe", "object"})
    assert not [name for _, attributes in elements.tags for name in attributes if name.startswith("on")]
    assert elements.text.count(HOSTILE) == 3  # one answer of aligned in each example


def test_the_only_script_that_runs_is_the_page_s_own(page):
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    assert [attributes for attributes, _ in scripts] == [' type="application/json" id="results-data"', ""]
    digest = base64.b64encode(hashlib.sha256(scripts[1][1].encode()).digest()).decode()
    (policy,) = (found["content"] for tag, found in Elements(page).tags if "http-equiv" in found)
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:"


def test_what_is_only_data_cannot_end_its_script_element():
    row = dict.fromkeys(METRICS.names) | {"metric": "</script><script>alert(1)</script>", "value": math.nan}
    text = json_for_page([row])
    found = json.loads(text)
    assert "<" not in text
    assert dict(zip(found["columns"], found["rows"][0], strict=True))["metric"] == row["metric"]


def test_a_large_run_s_page_carries_the_rows_over_the_most_of_every_evaluation():
    slices = {
        "character": ["all", "writes_in_verse"],
        "preferences": ["like", "like: poetic", "random: blunt"],
        "stance": ["judge", "judge, ethics"],
        "capabilities": ["mmlu"],
        "drift": ["humor"],
        "overoptimisation": ["step 5 of 13"],
    }
    places = [{"evaluation": name, "slice": part} for name, parts in slices.items() for part in parts]
    rows = places * (MOST_ROWS // len(places) + 1)
    assert rows_for_page(rows[:MOST_ROWS]) == rows[:MOST_ROWS]
    carried = {(row["evaluation"], row["slice"]) for row in rows_for_page(rows)}
    assert carried == {(name, parts[0]) for name, parts in slices.items()}


def test_nothing_comes_from_outside(page):
    links = [
        value
        for _, attributes in Elements(page).tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "srcset", "action")
    ]
    beside = ("tables/", "metrics.csv", "questions.csv")
    assert links and all(link.startswith(("#", "data:", *beside)) for link in links)
    assert not re.search(r"@import|url\((?!#)", page)


def test_every_id_is_given_once(page):
    ids = [attributes["id"] for _, attributes in Elements(page).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {
        value[1:]
        for _, attributes in Elements(page).tags
        for name, value in attributes.items()
        if name.endswith("href") and value.startswith("#")
    }
    assert targets <= set(ids)
