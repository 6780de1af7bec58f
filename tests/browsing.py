"""What a reader sees of a report that is open in a browser, and the rows that it should see."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest


def metrics(report: Path, **place: str) -> list[dict[str, str]]:
    with open(report.parent / "metrics.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if all(row[name] == value for name, value in place.items())]


def shown_rows(window) -> list[list[str]]:
    """The table of all results: the text of its cells, and the exact value where one has it."""
    return window.evaluate(
        "[...document.querySelectorAll('#results-rows tr')].map((row) => [...row.cells].map((cell) => "
        "cell.querySelector('data')?.value ?? cell.textContent))"
    )


def wait_until(window, holds: Callable[[], bool]) -> None:
    """Playwright's own wait evaluates text, which the page forbids."""
    for _ in range(600):
        if holds():
            return
        window.wait_for_timeout(100)
    pytest.fail("waited for a minute")


def visible(window, selector: str) -> list[str]:
    """The texts of what can be seen."""
    return window.locator(selector).evaluate_all(
        "(all) => all.filter((one) => one.checkVisibility() && one.getClientRects().length).map((one) => one.innerText ?? one.textContent.trim())"
    )


def unfold(window) -> None:
    """Open what is closed, the filters too."""
    window.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")


def points(window) -> dict[str, int]:
    """How many markers of each figure can be seen, without those of its legend."""
    return window.evaluate(
        "Object.fromEntries([...document.querySelectorAll('figure')].map((figure) => [figure.id.slice(7), "
        "[...figure.querySelectorAll('use')].filter((point) => "
        "!point.closest('[id*=legend]') && point.getClientRects().length).length]))"
    )


def labels(window) -> set[str]:
    """The words in figures that can be seen."""
    return set(
        window.evaluate(
            "[...document.querySelectorAll('figure text')].filter((text) => text.getClientRects().length)"
            ".map((text) => text.textContent.trim())"
        )
    )


def rows_beside(report: Path, figure: str) -> list[dict[str, str]]:
    with open(report.parent / "tables" / f"{figure}.csv", newline="") as file:
        return list(csv.DictReader(file))
