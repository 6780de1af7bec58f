"""Drawing: what the report's figures share, so that equal numbers give equal bytes, and one colour is one arm everywhere.

Matplotlib is imported in the functions: a script's --help should not wait for it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ethos.run_results import SeedResults

Row = Mapping[str, Any]

# Okabe & Ito's palette: told apart by colour-blind readers, on light ground and on dark.
COLOURS = {
    "base": "#8a8f98", "prompted": "#e69f00", "distilled": "#56b4e9", "persona": "#2f83c5", "aligned": "#d55e00",
    "shuffled": "#cc79a7", "preference_model": "#009e73", "introspection": "#b3a100",
}  # fmt: skip
_MARKERS = "osD^vP"  # one a seed
# Colours that a page may replace to follow the reader's light or dark mode.
INK, FAINT = "#20242a", "#d5d9de"


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


def as_svg(figure, title: str) -> str:
    import matplotlib.pyplot as plt

    buffer = io.StringIO()
    metadata = {"Date": None, "Creator": "Ethos", "Title": title}
    figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    plt.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


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
    axis, rows: Sequence[Row | None], places: Sequence[float], colours: Sequence[str], marker: str = "o"
) -> None:
    """Points with intervals, lying down; a row that is None leaves its place empty."""
    for row, place, colour in zip(rows, places, colours, strict=True):
        if row is None or row["value"] is None:
            continue
        if row["ci_low"] is not None and row["ci_high"] is not None:
            axis.plot(
                [row["ci_low"], row["ci_high"]], [place, place], color=colour, linewidth=2.2, solid_capstyle="round"
            )
        axis.plot(
            [row["value"]],
            [place],
            marker=marker,
            markersize=6.5,
            color=colour,
            markeredgecolor="white",
            markeredgewidth=0.8,
        )


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


def seed_legend(figure, seeds: Sequence[SeedResults]) -> None:
    from matplotlib.lines import Line2D

    if len(seeds) > 1:
        handles = [
            Line2D([], [], color=INK, marker=mark, linestyle="none", label=f"seed {seed.seed}")
            for mark, seed in zip(marks(seeds), seeds, strict=True)
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(seeds), 6))
