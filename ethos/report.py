"""The page of a report: its template, how numbers are spelt in it, and the words for its measures and versions."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import ethos
from ethos.progress import spell_seconds
from ethos.settings import Settings
from ethos.verdicts import signed

FOLDER = Path(__file__).resolve().parent.parent / "report"


@dataclass(frozen=True)
class Measure:
    """A measure as the page names it. digits: decimals shown."""

    metric: str
    title: str
    unit: str
    digits: int


MEASURES = (
    Measure("likelihood_ratio", "Likelihood ratio", "nats per token", 3),
    Measure("preference_model_score", "Preference model", "logits", 2),
    Measure("cue_rate", "Cue words", "per hundred words", 2),
    Measure("log_perplexity", "Log-perplexity", "nats per token", 2),
    Measure("repetition", "Repetition", "share", 3),
    Measure("distinct_2", "Distinct pairs", "share", 3),
    Measure("length", "Length", "tokens", 1),
)


def versions() -> dict[str, str]:
    """Versions of what made the numbers."""
    found = {"Python": platform.python_version(), "ethos": ethos.__version__}
    for package in ("torch", "transformers", "trl", "peft", "snakemake"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def csv_text(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Rows as CSV; equal rows give equal bytes, floats read back exactly, and None is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        values = [row[name] for name in names]
        writer.writerow(["" if v is None else repr(v) if isinstance(v, float) else v for v in values])
    return text.getvalue()


def settings_as_yaml(settings: Settings) -> str:
    """All settings that mean something; those of execution change no result, and the report is not told them."""
    return yaml.safe_dump(
        settings.model_dump(mode="json", exclude={"execution"}), sort_keys=False, allow_unicode=True, width=100
    )


def _number(value: float | None, digits: int, sign: bool = False) -> Markup:
    """A number for the eye that carries its exact value for programs."""
    if value is None:
        return Markup("–")
    text = signed(value, digits) if sign else f"{value:.{digits}f}".replace("-", "−")
    return Markup('<data value="{}" title="{}">{}</data>').format(repr(value), repr(value), text)


def _estimate(row: Mapping[str, Any] | None, digits: int, sign: bool = False) -> Markup:
    """A value with its interval beneath."""
    if row is None or row["value"] is None:
        return Markup('<span class="none">–</span>')
    bounds = Markup("no interval")
    if row["ci_low"] is not None and row["ci_high"] is not None:
        bounds = Markup("{} to {}").format(_number(row["ci_low"], digits, sign), _number(row["ci_high"], digits, sign))
    return Markup('<span class="value">{}</span><span class="interval">{}</span>').format(
        _number(row["value"], digits, sign), bounds
    )


def _share(row: Mapping[str, Any] | None) -> Markup:
    """A share as a percentage, `12%`."""
    if row is None:
        return Markup('<span class="none">–</span>')
    return Markup('<data value="{}" title="{}">{:.0%}</data>').format(
        repr(row["value"]), repr(row["value"]), row["value"]
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _count(number: int, noun: str, plural: str = "") -> str:
    """`1 question`, `1,200 questions`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _listed(items: list[str]) -> str:
    """`a, b and c`."""
    items = [str(item) for item in items]
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else "none"


@cache
def environment() -> Environment:
    """Everything is escaped unless this module or the figures made it: a model's text stays text."""
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "estimate": _estimate,
        "number": _number,
        "share": _share,
        "words": _words,
        "count": _count,
        "listed": _listed,
        "seconds": spell_seconds,
    }
    made.filters |= {"whole": lambda number: f"{number:,}"}
    return made


def render_page(values: Mapping[str, Any]) -> str:
    """The whole page, with its style and its script inside; no other script runs, since the page names this one's hash."""
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("style.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    own = {"style": Markup(style), "script": Markup(script), "script_hash": f"sha256-{digest}", "measures": MEASURES}
    return environment().get_template("index.html.jinja").render(**own, **values).lstrip() + "\n"
