"""The report in a real browser: nothing from outside is asked for, and nothing that a model wrote runs."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.fake_results import build_run, fake_settings, write_report


def browser_path() -> str:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no browser is installed (chromium, chromium-browser or google-chrome), and CI must have one")
        pytest.skip("no browser is installed (chromium, chromium-browser or google-chrome)")
    return path


def test_the_page_opens_in_a_real_browser_and_runs_nothing(tmp_path):
    path = browser_path()
    from playwright.sync_api import sync_playwright

    build_run(tmp_path / "results", fake_settings())
    address = write_report(tmp_path, fake_settings()).as_uri()
    with sync_playwright() as playwright:
        quiet = [
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]
        browser = playwright.chromium.launch(executable_path=path, args=quiet)
        try:
            window = browser.new_page(viewport={"width": 1280, "height": 900})
            messages, requests, failures = [], [], []
            window.on("console", lambda message: messages.append(message.text))
            window.on("pageerror", lambda error: messages.append(str(error)))
            window.on("request", lambda request: requests.append(request.url))
            window.on("requestfailed", lambda request: failures.append(request.url))
            window.goto(address, wait_until="load")
            window.wait_for_timeout(300)
            assert (messages, failures) == ([], [])
            assert [url for url in requests if not url.startswith("data:")] == [address]
            assert window.title() == "poeticism: run demo"
            figure = window.locator("#figure-effects-poeticism-smollm2 svg")
            assert figure.is_visible() and figure.bounding_box()["height"] > 150
            assert window.locator("#headline .badge.no").count() == 5
            assert window.locator(".response", has_text="<script>document.title='x'</script>").first.is_visible()
            for width in (1280, 390):
                window.set_viewport_size({"width": width, "height": 900})
                assert window.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        finally:
            browser.close()
