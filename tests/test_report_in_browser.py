"""The report in a real browser: nothing from outside is asked for, nothing that a model wrote runs, and filters show what they say."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from ethos.arms import ARMS
from ethos.evaluation_settings import EVALUATIONS
from tests.browsing import labels, metrics, points, rows_beside, shown_rows, unfold, visible, wait_until
from tests.fake_results import build_run, fake_settings, write_report

pytestmark = pytest.mark.slow  # each starts a page


def browser_path() -> str:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no browser is installed (chromium, chromium-browser or google-chrome), and CI must have one")
        pytest.skip("no browser is installed (chromium, chromium-browser or google-chrome)")
    return path


@pytest.fixture(scope="module")
def browser():
    path = browser_path()
    from playwright.sync_api import sync_playwright

    quiet = [
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=quiet)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """Two personas, two seeds, every evaluation."""
    folder = tmp_path_factory.mktemp("run")
    settings = fake_settings(
        constitutions=["poeticism", "humor"],
        seeds=[0, 1],
        evaluation={"which": EVALUATIONS, "preferences": {"conditions": ["like"]}},
    )
    build_run(folder / "results", settings)
    return write_report(folder, settings)


@pytest.fixture
def window(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(120_000)  # ms; a busy machine takes long over the figures
    page.messages = []
    page.on("console", lambda message: page.messages.append(message.text))
    page.on("pageerror", lambda error: page.messages.append(str(error)))
    yield page
    assert page.messages == []
    page.close()


def test_the_page_opens_in_a_real_browser_and_runs_nothing(tmp_path, window):
    build_run(tmp_path / "results", fake_settings())
    address = write_report(tmp_path, fake_settings()).as_uri()
    requests, failures = [], []
    window.on("request", lambda request: requests.append(request.url))
    window.on("requestfailed", lambda request: failures.append(request.url))
    window.goto(address, wait_until="load")
    window.wait_for_timeout(300)
    assert (window.messages, failures) == ([], [])
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert window.title() == "poeticism: run demo"
    figure = window.locator("#figure-effects-poeticism-smollm2 svg")
    assert figure.is_visible() and figure.bounding_box()["height"] > 150
    assert window.locator("#headline .badge.no").count() == 5
    assert window.locator(".response", has_text="<script>document.title='x'</script>").first.is_visible()
    for width in (1280, 390):
        window.set_viewport_size({"width": width, "height": 900})
        assert window.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"


def test_a_script_that_is_not_the_page_s_own_does_not_run(report, window):
    window.goto(report.as_uri())
    window.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'document.title = \"x\"'}))"
    )
    assert window.title() == "poeticism: run demo"
    assert any("Content Security Policy" in message for message in window.messages)
    window.messages.clear()


def test_an_arm_that_is_hidden_is_gone_from_cards_tables_examples_and_figures(report, window):
    window.goto(report.as_uri())
    cell = "#measures-poeticism-smollm2"
    assert visible(window, f"{cell} table") == []  # long tables are closed until asked for
    window.locator("#filters summary").focus()
    window.keyboard.press("Enter")
    assert visible(window, "#filters legend")
    unfold(window)
    assert "aligned" in visible(window, f"{cell} table >> nth=0 >> tbody th")
    box = window.get_by_label("aligned", exact=True)
    box.focus()
    window.keyboard.press("Space")  # with no mouse
    assert not box.is_checked()
    assert "aligned" not in visible(window, f"{cell} tbody th") and "persona" in visible(window, f"{cell} tbody th")
    heads = visible(window, "#quality-poeticism-smollm2 table >> nth=0 >> th")
    assert not any("aligned" in head for head in heads) and any("persona" in head for head in heads)
    assert not any("aligned" in label for label in visible(window, ".answer .label"))
    assert set(visible(window, "#headline .verdict-card h4")) == {"persona\n6 of 6 yes"}
    figure = "#figure-effects-poeticism-smollm2 svg"
    assert not any(each.is_visible() for each in window.locator(f"{figure} [data-arm=aligned]").all())
    assert any(each.is_visible() for each in window.locator(f"{figure} [data-arm=persona]").all())
    # A column goes as a whole: what is left stands under its own head.
    columns = window.evaluate(
        "[...document.querySelectorAll('#quality-poeticism-smollm2 table:first-of-type tr')].map((row) => "
        "[...row.cells].filter((cell) => cell.offsetParent).length)"
    )
    assert len(set(columns[:6])) == 1


@pytest.mark.parametrize("seed", ["0", "mean"])
def test_a_seed_that_is_hidden_is_gone_from_every_figure(report, window, seed):
    window.goto(report.as_uri())
    unfold(window)
    before = points(window)
    assert ("mean of 2 seeds" if seed == "mean" else "seed 0") in labels(window)
    window.locator(f"input[name=seed][value='{seed}']").uncheck()
    after = points(window)
    followed = [name for name in before if before[name]]
    assert {name.split("-")[0] for name in followed} >= {"effects", "traits", "judges", "calibration", *EVALUATIONS} - {
        "drift"
    }
    for name in followed:
        own = [row for row in rows_beside(report, name) if row["seed"] == ("" if seed == "mean" else seed)]
        start = 4 if name.startswith("overoptimisation") and seed != "mean" else 0  # step 0, of which there is no row
        assert before[name] - after[name] == len(own) + start, name
    assert ("mean of 2 seeds" if seed == "mean" else "seed 0") not in labels(window)
    drift = "#drift > [data-student]"
    assert {found.get_attribute("data-seed") for found in window.locator(drift).all() if found.is_visible()} == {
        "0",
        "1",
        "mean",
    } - {seed}


def test_an_arm_that_is_hidden_is_gone_from_every_figure_of_arms(report, window):
    window.goto(report.as_uri())
    unfold(window)
    before = points(window)
    window.locator("input[name=arm][value=aligned]").uncheck()
    after = points(window)
    of_arms = [
        name
        for name in before
        if name.startswith(("effects", "traits", "coherence", "preferences", "stance", "capabilities"))
    ]
    of_arms += [name for name in before if name.startswith(("robustness", "prefill", "generalisation"))]
    assert len(of_arms) == 2 * 10  # stance has two methods
    for name in of_arms:
        column = "reference" if name.startswith("coherence") else "arm"
        own = [row for row in rows_beside(report, name) if row[column] == "aligned"]
        assert own and before[name] - after[name] == len(own), name
    assert not {"aligned", "over aligned"} & labels(window)
    assert {"persona", "over base"} <= labels(window)


def test_a_persona_or_an_arm_that_is_hidden_is_gone_from_the_drift_of_the_run(report, window):
    window.goto(report.as_uri())
    cells = "#drift figure >> nth=0 >> text"
    rows = "#drift table >> nth=0 >> tbody tr"
    numbers = [text for text in visible(window, cells) if re.fullmatch(r"[+−]\d\.\d\d", text)]
    assert len(numbers) == 2 * 2
    unfold(window)
    window.locator("input[name=constitution][value=humor]").uncheck()
    numbers = [text for text in visible(window, cells) if re.fullmatch(r"[+−]\d\.\d\d", text)]
    assert len(numbers) == 2
    assert [line.split()[0] for line in visible(window, rows)] == ["poeticism"]
    window.locator("input[name=arm][value=persona]").uncheck()
    assert visible(window, "#drift figure") == []


def test_numbers_read_back_through_the_filters_are_those_of_metrics_csv(report, window):
    window.goto(report.as_uri())
    window.evaluate("document.querySelector('#filters details').open = true")
    for label in ("humor", *(arm for arm in ARMS if arm != "persona"), "0", "1"):
        window.get_by_label(label, exact=True).uncheck()
    window.locator("select[name=evaluation]").select_option("character")
    window.locator("select[name=slice]").select_option("all")
    expected = metrics(report, arm="persona", constitution="poeticism", seed="", evaluation="character", slice="all")
    found = shown_rows(window)
    assert len(found) == len(expected) == 3 * 7
    columns = [cell.inner_text() for cell in window.locator("#results-table th").all()]
    place = {name: columns.index(name) for name in ("metric", "compared with", "value", "low", "high", "seed")}
    rows = {(row["metric"].replace("_", " "), row["reference"] or "none"): row for row in expected}
    for line in found:
        row = rows[line[place["metric"]], line[place["compared with"]]]
        exact = [float(line[place[name]]) for name in ("value", "low", "high")]
        assert exact == [float(row[name]) for name in ("value", "ci_low", "ci_high")]
        assert line[place["seed"]] == "mean"
    window.locator("select[name=reference]").select_option("base")
    assert window.locator("#results-status").inner_text().startswith("7 of ")
    unfold(window)
    # and in the tables of the page: the levels of the arm, over the seeds
    levels = [
        float(found.get_attribute("value"))
        for found in window.locator("#measures-poeticism-smollm2 table >> nth=0 >> tbody .value data").all()
        if found.is_visible()
    ]
    assert sorted(levels) == sorted(float(row["value"]) for row in expected if not row["reference"])
    assert not window.locator("#humor-smollm2").is_visible()
    assert visible(window, "h4.seed") and set(visible(window, "h4.seed")) == {"Mean of 2 seeds"}
    assert not any("by itself" in text for text in visible(window, "summary"))


def test_the_address_keeps_the_choice_and_a_link_of_the_contents_does_not_lose_it(report, browser, window):
    window.goto(report.as_uri())
    window.evaluate("document.querySelector('#filters details').open = true")
    window.get_by_label("base", exact=True).uncheck()
    window.locator("select[name=metric]").select_option("cue_rate")
    window.locator("nav a", has_text="How to read this").click()
    window.wait_for_url(re.compile(r"#reading\?arm="))
    assert not window.get_by_label("base", exact=True).is_checked()
    other = browser.new_page()
    other.goto(window.url)
    assert other.locator("input[name=arm][value=base]").is_checked() is False
    assert other.locator("input[name=arm]:checked").count() == len(ARMS) - 1
    assert shown_rows(other) == shown_rows(window) and len(shown_rows(other)) > 0
    wait_until(other, lambda: other.locator("#reading").bounding_box()["y"] < 700)  # it scrolls to its place
    other.evaluate("document.querySelector('#filters details').open = true")
    other.get_by_role("button", name="Show all").click()
    assert other.locator("input[name=arm]:checked").count() == len(ARMS)
    assert "arm=" not in other.url and "cue_rate" in other.url
    other.close()


def test_what_is_closed_is_printed(report, window):
    window.goto(report.as_uri())
    seen = "[...document.querySelectorAll('details:not([open]) td')].map((cell) => cell.checkVisibility({contentVisibilityAuto: true}))"
    assert not any(window.evaluate(seen))
    window.emulate_media(media="print")
    assert len(window.evaluate(seen)) > 1000 and all(window.evaluate(seen))


def test_the_first_table_leads_to_every_evaluation_and_holds_the_numbers_of_metrics_csv(report, window):
    window.goto(report.as_uri())
    table = window.locator("#summary-poeticism-smollm2 table >> nth=0")
    (row,) = metrics(
        report, arm="persona", constitution="poeticism", seed="", metric="flattery", slice="judge", reference="base"
    )
    line = table.locator("tr", has_text="flatters − base, by judge")
    shown = [found.get_attribute("value") for found in line.locator("td").nth(1).locator("data").all()]
    assert [float(value) for value in shown] == [float(row[name]) for name in ("value", "ci_low", "ci_high")]
    assert row["n"] in line.locator("td").last.inner_text()
    for link in window.locator("#summary-poeticism-smollm2 a").all():
        assert window.locator(link.get_attribute("href")).is_visible()
    names = {name.lower().replace(" ", "_") for name in visible(window, "#summary-poeticism-smollm2 a")}
    assert names == {"character", "preference_model", *EVALUATIONS}


def test_without_scripts_the_page_is_whole(report, browser):
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(report.as_uri())
    assert not plain.locator("#filters").is_visible() and not plain.locator("#results-table").is_visible()
    assert plain.get_by_text("the file needs none").is_visible()
    assert plain.locator("#headline .verdict-card").first.is_visible() and plain.locator("#humor-smollm2").is_visible()
    context.close()
