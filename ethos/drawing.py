"""Drawing: what the report's figures share, so that equal numbers give equal bytes, and one colour is one arm everywhere.

Matplotlib is imported in the functions: a script's --help should not wait for it.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ethos.run_results import MEAN, CellResults, SeedResults

Row = Mapping[str, Any]

# Okabe & Ito's palette, a brown and a violet: told apart by colour-blind readers, on light ground and on dark.
COLOURS = {
    "base": "#666b74", "prompted": "#e69f00", "steered": "#a0522d", "distilled": "#56b4e9", "persona": "#2f83c5",
    "aligned": "#d55e00", "shuffled": "#cc79a7", "preference_model": "#009e73", "introspection": "#6c5cf0",
}  # fmt: skip
_ARM_OF = {colour: arm for arm, colour in COLOURS.items()}
_MARKERS = "osD^vP"  # one a seed
MEAN_MARK = "X"  # of all seeds
# Purple and orange: told apart by colour-blind readers, and equally far from the white of zero.
_DIVERGING = "PuOr"
# Colours that a page may replace to follow the reader's light or dark mode.
INK, FAINT = "#20242a", "#d5d9de"


class Figure(NamedTuple):
    """A figure of the report. about: what a reader who cannot see it is told. rows: what it shows, for a table beside it;
    all of the same columns."""

    svg: str
    about: str
    rows: Sequence[Row] = ()


def new_figure(columns: int, width: float, height: float, rows: int = 1, **options):
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(matplotlib.rcParamsDefault)
    plt.rcParams.update(
        {
            "svg.hashsalt": "ethos", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10.5, "text.parse_math": False,
            "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": FAINT, "xtick.color": INK, "ytick.color": INK,
            "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.spines.top": False,
            "axes.spines.right": False, "axes.unicode_minus": True, "legend.frameon": False, "xtick.major.size": 0, "ytick.major.size": 0,
            "grid.color": FAINT, "grid.linewidth": 0.6, "axes.axisbelow": True, "figure.constrained_layout.use": True,
            "figure.constrained_layout.wspace": 0.05, "figure.constrained_layout.hspace": 0.06, "axes.xmargin": 0.07,
        }
    )  # fmt: skip
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **options)


def as_svg(figure, title: str, *, transparent: bool = True) -> str:
    """transparent: whether the ground is the page's; else it is white, for pages of which nothing is known."""
    import matplotlib.pyplot as plt

    buffer = io.StringIO()
    metadata = {"Date": None, "Creator": "Ethos", "Title": title}
    figure.savefig(buffer, format="svg", transparent=transparent, metadata=metadata)
    plt.close(figure)
    text = buffer.getvalue()
    return _TAG.sub(_as_attributes, text[text.index("<svg") :])


_TAG = re.compile(r'id="shows:([a-z0-9_-]*):([a-z0-9]*):([a-z0-9_-]*)"')


def tag(artist, *, arm: str | None = None, seed: int | str | None = None, constitution: str | None = None) -> None:
    """Say which arm, seed (or MEAN) or constitution an artist shows, so that a page can hide it with them.

    `data-arm`, `data-seed` and `data-constitution` in the SVG.
    """
    artist.set_gid(f"shows:{arm or ''}:{'' if seed is None else seed}:{constitution or ''}")


def _as_attributes(match: re.Match[str]) -> str:
    named = zip(("data-arm", "data-seed", "data-constitution"), match.groups(), strict=True)
    return " ".join(f'{name}="{value}"' for name, value in named if value)


def for_page(svg: str, name: str, title: str) -> str:
    """An SVG to be put inside a page: ids that no other figure has, and colours that follow the page's."""
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    for colour, variable in ((INK, "--ink"), (FAINT, "--faint")):
        svg = re.sub(rf"(stroke|fill): ?{colour}", rf"\1: var({variable}, {colour})", svg)
    head, rest = svg.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    width = re.search(r'viewBox="0 0 ([\d.]+)', head)
    label = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    size = f' style="width: {float(width.group(1)) * 4 / 3:.0f}px"' if width else ""
    return f'{head} role="img" aria-label="{label}"{size}>{rest}'


def draw_points(
    axis,
    rows: Sequence[Row | None],
    places: Sequence[float],
    colours: Sequence[str],
    marker: str = "o",
    *,
    seed: int | str | None = None,
    light: bool = False,
) -> None:
    """Points with intervals, lying down; a row that is None leaves its place empty. seed: whose they are, or MEAN.

    light: as what stands behind something else.
    """
    for row, place, colour in zip(rows, places, colours, strict=True):
        if row is None or row["value"] is None:
            continue
        drawn = []
        if row["ci_low"] is not None and row["ci_high"] is not None:
            width, alpha = (1.2, 0.5) if light else (2.2, 1)
            bounds = [row["ci_low"], row["ci_high"]]
            drawn += axis.plot(
                bounds, [place, place], color=colour, linewidth=width, alpha=alpha, solid_capstyle="round"
            )
        size = 4 if light else 6.5
        look = {"marker": marker, "markersize": size, "markeredgecolor": "white", "markeredgewidth": size / 8}
        drawn += axis.plot([row["value"]], [place], color=colour, **look)
        for artist in drawn:
            tag(artist, arm=_ARM_OF.get(colour), seed=seed)


def draw_seeds(
    axis, cell: CellResults, rows_of: Callable[[Sequence[Row]], Sequence[Row | None]], colours: Sequence[str]
) -> None:
    """A line a point (`draw_points`) for every row; with several seeds their mean, and each of them lighter beneath.

    rows_of: what of some rows of tables.METRICS is shown, one a line.
    """
    lines = range(len(colours))
    if len(cell.seeds) == 1:
        draw_points(axis, rows_of(cell.metrics), lines, colours, marks(cell.seeds)[0], seed=cell.seeds[0].seed)
        return
    mean, *offsets = spread(1 + len(cell.seeds))
    draw_points(axis, rows_of(cell.over_seeds), [line + mean for line in lines], colours, MEAN_MARK, seed=MEAN)
    for offset, marker, seed in zip(offsets, marks(cell.seeds), cell.seeds, strict=True):
        places = [line + offset for line in lines]
        draw_points(axis, rows_of(seed.metrics), places, colours, marker, seed=seed.seed, light=True)


def line_height(cell: CellResults, alone: float = 0.42, each: float = 0.16) -> float:
    """Inches a line of `draw_seeds` takes: alone, or with the mean and each of the seeds."""
    return alone if len(cell.seeds) == 1 else 0.3 + each * len(cell.seeds)


def arm_ticks(axis, arms: Sequence[str], names: Sequence[str] = ()) -> None:
    """Each line named by its arm (or by `names`), the first on top; the name goes with the arm."""
    names = names or ["shuffled (control)" if arm == "shuffled" else arm for arm in arms]
    axis.set_yticks(range(len(arms)), names)
    axis.set_ylim(len(arms) - 0.4, -0.6)
    for text, arm in zip(axis.get_yticklabels(), arms, strict=True):
        tag(text, arm=arm)


def draw_heat_map(axis, rows: Sequence[Sequence[Row | None]], constitutions: Sequence[str] = ()):
    """Values as coloured cells with their numbers, the first row on top; zero is white, and a row that is None is left empty.

    constitutions: whose each row is, if it is one's. Returns what a colour bar is made of.
    """
    values = [[math.nan if row is None or row["value"] is None else row["value"] for row in line] for line in rows]
    limit = max((abs(value) for line in values for value in line if value == value), default=0.0) or 1.0
    # Cells as shapes, and not a picture: sharp at every size. They, and what stands on them, look the same in the dark.
    look = {"cmap": _DIVERGING, "vmin": -limit, "vmax": limit, "edgecolors": "white", "linewidth": 1}
    for y, line in enumerate(values):
        mesh = axis.pcolormesh(range(len(line) + 1), [y, y + 1], [line], **look)
        drawn = [mesh]
        for x, value in enumerate(line):
            if value == value:
                colour = "white" if abs(value) > 0.6 * limit else "black"
                text = f"{value:+.2f}".replace("-", "−")
                drawn.append(axis.text(x + 0.5, y + 0.5, text, ha="center", va="center", color=colour, fontsize=8.5))
        for artist in drawn if constitutions else ():
            tag(artist, constitution=constitutions[y])
    axis.set_xlim(0, max(map(len, values)))
    axis.set_ylim(len(values), 0)
    axis.spines[:].set_visible(False)
    return mesh


def frame(x: int, y: int):
    """A frame around a cell of a heat map."""
    from matplotlib.patches import Rectangle

    return Rectangle((x + 0.04, y + 0.04), 0.92, 0.92, fill=False, edgecolor="black", linewidth=1.6)


def zero_line(axis, label: str = "", at: float = 0) -> None:
    """The line of no difference, at another place than 0 for a share or a ratio."""
    axis.axvline(at, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axis.grid(axis="x")
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(label)


def spread(seeds: int) -> list[float]:
    """Offsets of the seeds around the place of an arm."""
    return [0.0] if seeds == 1 else [0.27 * (2 * number / (seeds - 1) - 1) for number in range(seeds)]


def marks(seeds: Sequence[SeedResults]) -> list[str]:
    return [_MARKERS[number % len(_MARKERS)] for number in range(len(seeds))]


def seed_legend(figure, seeds: Sequence[SeedResults], *, mean: bool = False) -> None:
    """What each marker is, where there are several seeds. mean: one for all of them stands before."""
    from matplotlib.lines import Line2D

    if len(seeds) > 1:
        named = [(MEAN, MEAN_MARK, f"mean of {len(seeds)} seeds")] if mean else []
        named += [(seed.seed, mark, f"seed {seed.seed}") for mark, seed in zip(marks(seeds), seeds, strict=True)]
        handles = [Line2D([], [], color=INK, marker=mark, linestyle="none", label=label) for _, mark, label in named]
        legend = figure.legend(handles=handles, loc="outside lower center", ncols=min(len(named), 6))
        for (seed, *_), handle, text in zip(named, legend.legend_handles, legend.get_texts(), strict=True):
            tag(handle, seed=seed)
            tag(text, seed=seed)
