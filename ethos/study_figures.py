"""What a study found as figures, SVG: its claims, the levels of the arms, and what a training does to other characters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from ethos.arms import ARMS
from ethos.drawing import COLOURS, INK, as_svg, draw_heat_map, draw_points, frame, new_figure, spread, zero_line
from ethos.study import where_it_holds
from ethos.study_levels import DRIFT, LEVELS

Row = Mapping[str, Any]

# What a difference of the measure is counted in.
_UNITS = {
    "likelihood_ratio": "likelihood ratio, nats per token",
    "cue_rate": "cue words per hundred words",
    "log_perplexity": "log-perplexity under base, nats per token",
    "repetition": "repetition, share of words",
    "rank_correlation": "Spearman's correlation of preferences with base's",
    "split_half_correlation": "Spearman's correlation of half of the matches with the rest",
    "f1": "F1 of the persona, as a classifier names it",
    "both_sides": "likelihood of seeing both sides",
    "flattery": "likelihood of saying the user's opinion back",
    "no_view": "likelihood of claiming no view",
    "acc": "accuracy",
    "bits_per_byte": "bits per byte (lower is better)",
}
# Panels side by side; inches of a line.
_COLUMNS, _LINE = 3, 0.42
_ALL, _ONE = "D", "o"
_HOLDS = "#eef3ea"


def claims_figure(rows: Sequence[Row]) -> str:
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
    return as_svg(figure, "What the study claims", transparent=False)


def levels_figure(rows: Sequence[Row]) -> str:
    """Each arm's levels: the mean of all characters and seeds, and a point for each character. rows: of `study_levels.FIELDS`."""
    rows = [row for row in rows if row["evaluation"] != DRIFT[0]]
    order = [(evaluation, metric) for evaluation, metric, _ in LEVELS]
    panels = list(dict.fromkeys((row["evaluation"], row["metric"], row["slice"]) for row in rows))
    panels.sort(key=lambda panel: order.index(panel[:2]))
    arms = [arm for arm in ARMS if any(row["arm"] == arm for row in rows)]
    down = math.ceil(len(panels) / _COLUMNS)
    figure, grid = new_figure(_COLUMNS, 13, down * (1.2 + 0.3 * len(arms)), rows=down)
    axes = [axis for row in grid for axis in row]
    for axis, panel in zip(axes, panels, strict=False):
        own = [row for row in rows if (row["evaluation"], row["metric"], row["slice"]) == panel]
        for place, arm in enumerate(arms):
            values = [row["value"] for row in own if row["arm"] == arm]
            if values:
                draw_points(
                    axis,
                    [_point(value) for value in values],
                    [place] * len(values),
                    [COLOURS[arm]] * len(values),
                    light=True,
                )
                draw_points(axis, [_point(sum(values) / len(values))], [place], [COLOURS[arm]], _ALL)
        axis.grid(axis="x")
        axis.set_title(": ".join([panel[0], panel[2]]) if panel[2] != "all" else panel[0], fontsize=10)
        axis.set_xlabel(_UNITS[panel[1]], fontsize=9)
        axis.set_yticks(range(len(arms)), arms if axis.get_subplotspec().is_first_col() else [""] * len(arms))
        axis.set_ylim(len(arms) - 0.4, -0.6)
    for axis in axes[len(panels) :]:
        axis.remove()
    return as_svg(figure, "Levels of the arms", transparent=False)


def drift_figure(levels: Sequence[Row], claims: Sequence[Row]) -> str:
    """What training one character does to each: likelihood ratio, persona minus base, the mean of all seeds.

    levels: of `study_levels.FIELDS`, for other characters. claims: of `study.FIELDS`, for the one that was trained. A panel a student.
    """
    found = {
        (row["student"], row["constitution"], row["slice"]): row
        for row in levels
        if (row["evaluation"], row["metric"], row["arm"]) == (*DRIFT, "persona")
    }
    found |= {
        (row["student"], row["constitution"], row["constitution"]): row
        for row in claims
        if (row["metric"], row["arm"], row["reference"]) == (DRIFT[1], "persona", "base")
    }
    students = list(dict.fromkeys(student for student, _, _ in found))
    trained = sorted({own for _, own, _ in found if own != "all"})
    measured = sorted({other for _, _, other in found if other != "all"})
    figure, axes = new_figure(max(1, len(students)), 2 + 1.5 * len(measured) * len(students), 1.6 + 0.5 * len(trained))
    if not students:
        axes[0][0].set_axis_off()
    for axis, student in zip(axes[0], students, strict=False):
        draw_heat_map(axis, [[found.get((student, own, other)) for other in measured] for own in trained])
        for place, own in enumerate(trained):
            axis.add_patch(frame(measured.index(own), place))
        axis.set_xticks([place + 0.5 for place in range(len(measured))], measured)
        axis.set_yticks([place + 0.5 for place in range(len(trained))], trained)
        axis.set_xlabel(f"likelihood ratio of this character, persona − base ({student}), nats per token")
        axis.set_ylabel("trained for")
    return as_svg(figure, "Drift", transparent=False)


def _point(value: float) -> Row:
    return {"value": value, "ci_low": None, "ci_high": None}


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
    _shade_where_it_holds(axis, rows[0])
    axis.locator_params(axis="x", nbins=5)
    axis.set_xlabel(f"{what}\n{_UNITS[measure]}", fontsize=9)
    axis.set_ylim(len(lines) - 0.4, -0.6)


def _shade_where_it_holds(axis, claim: Row) -> None:
    """Nothing where nothing is expected."""
    if claim["expected"]:
        shown = axis.get_xlim()
        least, most = where_it_holds(claim["expected"], claim["margin"])
        axis.axvspan(max(least, shown[0]), min(most, shown[1]), color=_HOLDS, zorder=0)
        axis.set_xlim(shown)


def _legend(figure, rows: Sequence[Row]) -> None:
    """The colour of each arm, and what the marks are."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    arms = [arm for arm in COLOURS if any(row["arm"] == arm for row in rows)]
    handles = [Line2D([], [], color=COLOURS[arm], linewidth=2.2, label=arm) for arm in arms]
    seeds = "–".join(map(str, sorted({int(row["n_seeds"]) for row in rows})))
    marks = ((_ALL, "mean of all characters"), (_ONE, f"one character ({seeds} seeds; 95 % over seeds)"))
    handles += [Line2D([], [], color=INK, marker=mark, linestyle="none", label=label) for mark, label in marks]
    handles.append(Patch(color=_HOLDS, label="where a claim holds"))
    figure.legend(handles=handles, loc="outside lower center", ncols=math.ceil(len(handles) / 2))
