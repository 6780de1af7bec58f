"""What a study found as one figure, SVG: a panel for each claim and measure, intervals over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from ethos.drawing import COLOURS, INK, as_svg, draw_points, new_figure, spread, zero_line

Row = Mapping[str, Any]

# What a difference of the measure is counted in.
_UNITS = {
    "likelihood_ratio": "likelihood ratio, nats per token",
    "cue_rate": "cue words per hundred words",
    "log_perplexity": "log-perplexity under base, nats per token",
    "repetition": "repetition, share of words",
    "rank_correlation": "Spearman's correlation of preferences with base's",
    "macro_f1": "macro F1 of the persona",
    "acc": "accuracy",
    "bits_per_byte": "bits per byte (lower is better)",
}
# Panels side by side; inches of a line.
_COLUMNS, _LINE = 3, 0.42
_ALL, _ONE = "D", "o"


def study_figure(rows: Sequence[Row]) -> str:
    """Every claim's differences, for all constitutions and for each. rows: of `study.FIELDS`; a student each has its lines."""
    lines = list(dict.fromkeys((row["student"], row["constitution"]) for row in rows))
    lines.sort(key=lambda line: (line[0], line[1] != "all", line[1]))
    panels = list(dict.fromkeys((row["claim"], row["evaluation"], row["metric"], row["slice"]) for row in rows))
    down = math.ceil(len(panels) / _COLUMNS)
    figure, grid = new_figure(_COLUMNS, 13, down * (1.3 + _LINE * len(lines)), rows=down)
    axes = [axis for row in grid for axis in row]
    for axis, panel in zip(axes, panels, strict=False):
        own = [row for row in rows if (row["claim"], row["evaluation"], row["metric"], row["slice"]) == panel]
        _draw_panel(axis, own, lines)
        axis.set_title(fill(panel[0], 44), fontsize=10)
    for axis in axes[len(panels) :]:
        axis.remove()
    several = len({student for student, _ in lines}) > 1
    for axis in axes[: len(panels)]:
        is_first = axis.get_subplotspec().is_first_col()
        labels = [f"{student}, {name}" if several else name for student, name in lines]
        axis.set_yticks(range(len(lines)), labels if is_first else [""] * len(lines))
    _legend(figure, rows)
    return as_svg(figure, "What the study found", transparent=False)


def _draw_panel(axis, rows: Sequence[Row], lines: Sequence[tuple[str, str]]) -> None:
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    found = {(row["student"], row["constitution"], row["arm"]): row for row in rows}
    for arm, offset in zip(arms, spread(len(arms)), strict=True):
        for place, line in enumerate(lines):
            of_all = line[1] == "all"
            own, marker = found.get((*line, arm)), _ALL if of_all else _ONE
            draw_points(axis, [own], [place + offset], [COLOURS[arm]], marker, light=not of_all)
    [reference] = {row["reference"] for row in rows}
    [measure] = {row["metric"] for row in rows}
    what = f"difference from {reference}" if len(arms) > 1 else f"{arms[0]} − {reference}"
    zero_line(axis)
    axis.set_xlabel(f"{what}\n{_UNITS[measure]}", fontsize=9)
    axis.set_ylim(len(lines) - 0.4, -0.6)


def _legend(figure, rows: Sequence[Row]) -> None:
    """The colour of each arm, and what the marks are."""
    from matplotlib.lines import Line2D

    arms = [arm for arm in COLOURS if any(row["arm"] == arm for row in rows)]
    handles = [Line2D([], [], color=COLOURS[arm], linewidth=2.2, label=arm) for arm in arms]
    seeds = "–".join(map(str, sorted({int(row["n_seeds"]) for row in rows})))
    marks = ((_ALL, "mean of all characters"), (_ONE, f"one character ({seeds} seeds; 95 % over seeds)"))
    handles += [Line2D([], [], color=INK, marker=mark, linestyle="none", label=label) for mark, label in marks]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
