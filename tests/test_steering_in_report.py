"""The report shows every setting that the steering vector was chosen from, and says when none was fluent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ethos.tables import STEERING_GRID, table_from, write_table
from tests.fake_results import STEERING, build_run, fake_settings, write_report

SETTINGS = fake_settings()
NONE_FLUENT = "Nothing that was tried stayed fluent"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    build_run(folder / "results", SETTINGS)
    return folder


def section(built: Path, grid: list[dict], place: str) -> str:
    path = built / "results/smollm2/poeticism/seed0/steered/grid.parquet"
    write_table(path, table_from(grid, STEERING_GRID))
    page = write_report(built, SETTINGS, place).read_text()
    start = page.index('<section id="steering-poeticism-smollm2"')
    return page[start : page.index("</section>", start)]


def test_every_setting_is_shown_and_one_is_chosen(built: Path) -> None:
    text = section(built, STEERING, "report")
    shown = {float(value) for value in re.findall(r'<data value="([^"]+)"', text)}
    names = ("likelihood_ratio", "log_perplexity", "repetition")
    assert shown == {row[name] for row in STEERING for name in names if row[name] is not None}
    assert text.count("<tr>") == 1 + len(STEERING)
    assert text.count("yes, chosen") == 1 and "on 12 training questions, before" in text
    assert NONE_FLUENT not in text and text.count("random direction</th>") == 1


def test_where_nothing_was_fluent_the_reader_is_told(built: Path) -> None:
    grid = [{**row, "fluent": row["direction"] != "character"} for row in STEERING]
    text = section(built, grid, "other")
    assert text.count("no, but chosen") == 1 and NONE_FLUENT in text
