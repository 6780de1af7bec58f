"""The questions that a report answers with yes or no, from numbers alone; named before a run, in the order shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ethos.run_results import find
from ethos.settings import Report

Row = Mapping[str, Any]
JUDGED_ARMS = ("persona", "aligned")


@dataclass(frozen=True)
class Verdict:
    """holds: None where the run has not the numbers to tell, which never counts as a yes."""

    question: str
    holds: bool | None
    numbers: str

    @property
    def word(self) -> str:
        return {True: "yes", False: "no", None: "cannot tell"}[self.holds]


def signed(value: float | None, digits: int = 3) -> str:
    """`+0.123`, with a true minus sign; `–` where there is no number."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text[1:] if float(f"{value:.{digits}f}") == 0 else text


def spell_interval(row: Row, digits: int = 3) -> str:
    """`+0.123 [+0.050, +0.196]`, or a note that there is no interval."""
    if row["ci_low"] is None or row["ci_high"] is None:
        return f"{signed(row['value'], digits)} (no interval, n = {row['n']})"
    return f"{signed(row['value'], digits)} [{signed(row['ci_low'], digits)},\N{NO-BREAK SPACE}{signed(row['ci_high'], digits)}]"


def above_zero(row: Row | None) -> bool | None:
    """Whether the whole interval lies above zero."""
    return None if row is None or row["ci_low"] is None else row["ci_low"] > 0


def perplexity_ratio(row: Row | None) -> float | None:
    """Perplexity under base, as a multiple of base's own: exp of the paired difference in nats per token."""
    return None if row is None or row["value"] is None else math.exp(row["value"])


def judge_arm(metrics: Sequence[Row], arm: str, margins: Report) -> list[Verdict]:
    """The six questions about one arm. metrics: rows of tables.METRICS of one student, constitution and seed."""
    ratio, style = find(metrics, "likelihood_ratio", arm, "base"), find(metrics, "cue_rate", arm, "base")
    control, paired = (
        find(metrics, "likelihood_ratio", "shuffled", "base"),
        find(metrics, "likelihood_ratio", arm, "shuffled"),
    )
    return [
        Verdict(
            "More in character than base: is the interval above zero?",
            above_zero(ratio),
            _spell(ratio, "likelihood ratio, {arm} − base: {} nats per token"),
        ),
        _above_control(ratio, control, paired),
        _same_way(ratio, style),
        Verdict(
            "Is the style measure’s own interval above zero?",
            above_zero(style),
            _spell(style, "cue rate − base: {} per hundred words"),
        ),
        _perplexity(find(metrics, "log_perplexity", arm, "base"), margins),
        _repetition(find(metrics, "repetition", arm, "base"), margins),
    ]


def _spell(row: Row | None, text: str) -> str:
    return "not measured" if row is None else text.format(spell_interval(row), arm=row["arm"])


def _above_control(ratio: Row | None, control: Row | None, paired: Row | None) -> Verdict:
    question = "More than the shuffled control: does the interval lie above the control’s?"
    if ratio is None or control is None or ratio["ci_low"] is None or control["ci_high"] is None:
        return Verdict(question, None, "no interval for the arm or for the control")
    numbers = f"{ratio['arm']} {spell_interval(ratio)}; control {spell_interval(control)}"
    if paired is not None:
        numbers += f"; paired difference {spell_interval(paired)}"
    return Verdict(question, ratio["ci_low"] > control["ci_high"], numbers)


def _same_way(ratio: Row | None, style: Row | None) -> Verdict:
    question = "Does the independent style measure move the same way?"
    if ratio is None or style is None or ratio["value"] is None or style["value"] is None:
        return Verdict(question, None, "not measured")
    numbers = f"likelihood ratio {signed(ratio['value'])}, cue rate {signed(style['value'])}"
    return Verdict(question, ratio["value"] * style["value"] > 0, numbers)


def _perplexity(row: Row | None, margins: Report) -> Verdict:
    question = "Fluency: is the whole interval of perplexity under base within the margin?"
    ratio = perplexity_ratio(row)
    if ratio is None:
        return Verdict(question, None, "not measured")
    bounds = ""
    if row["ci_low"] is not None and row["ci_high"] is not None:
        bounds = f" [{math.exp(row['ci_low']):.2f},\N{NO-BREAK SPACE}{math.exp(row['ci_high']):.2f}]"
    return Verdict(
        question,
        None if row["ci_high"] is None else math.exp(row["ci_high"]) <= margins.max_perplexity_ratio,
        f"{ratio:.2f}{bounds} times base’s own; at most {margins.max_perplexity_ratio:g}",
    )


def _repetition(row: Row | None, margins: Report) -> Verdict:
    question = "Fluency: is the whole interval of the rise in repetition within the margin?"
    if row is None or row["value"] is None:
        return Verdict(question, None, "not measured")
    allowed, rise = margins.max_repetition_increase, spell_interval(row)
    highest = row["ci_high"]
    if highest is None and row["n"] > 1:  # it is equal everywhere, most often nowhere any
        highest, rise = row["value"], f"{signed(row['value'])} in each of n = {row['n']}"
    return Verdict(
        question,
        None if highest is None else highest <= allowed,
        f"repeated four-word sequences − base: {rise}; at most {signed(allowed)}",
    )
