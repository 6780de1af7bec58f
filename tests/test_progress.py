"""Progress is told in lines that read well in a log, not too many of them."""

from __future__ import annotations

import logging

import pytest

from ethos.progress import Progress, spell_seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (3660 * 30, "30 h 30 min"),
    ],
)
def test_seconds_are_spelt_for_people(seconds, text):
    assert spell_seconds(seconds) == text


@pytest.mark.parametrize(
    ("done", "tokens", "seconds", "line"),
    [
        (10, 500, 5.0, "judge: 10/40, 100 tokens/s, 15 s left"),
        (1, 0, 60.0, "judge: 1/40, 39 min 00 s left"),
        (40, 4000, 80.0, "judge: 40/40, 50 tokens/s, in 1 min 20 s"),
        (40, 4000, 0.0, "judge: 40/40, in 0 s"),
    ],
)
def test_a_line_tells_what_is_done_how_fast_and_what_is_left(done, tokens, seconds, line):
    progress = Progress("judge", 40)
    progress.done, progress.tokens = done, tokens
    assert progress.line(seconds) == line


def logged(caplog, every: float) -> list[str]:
    with caplog.at_level(logging.INFO, logger="ethos.progress"):
        progress = Progress("judge", 5, every=every)
        for _ in range(5):
            progress.add(tokens=2)
    return [record.message for record in caplog.records]


def test_fast_work_is_told_once_at_its_end(caplog):
    [line] = logged(caplog, every=3600)
    assert line.startswith("judge: 5/5")


def test_slow_work_is_told_on_the_way(caplog):
    assert [line.split(",")[0] for line in logged(caplog, every=0)] == [f"judge: {done}/5" for done in range(1, 6)]
