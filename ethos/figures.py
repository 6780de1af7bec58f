"""The figures of the report as SVG text: equal numbers give equal bytes, one colour an arm everywhere.

Matplotlib is imported in the functions: a script's --help should not wait for it.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ethos.run_results import TRAININGS, CellResults, SeedResults, find
from ethos.verdicts import JUDGED_ARMS

Row = Mapping[str, Any]

# Okabe & Ito's palette: told apart by colour-blind readers, on light ground and on dark.
COLOURS = {
    "base": "#8a8f98", "prompted": "#e69f00", "distilled": "#56b4e9", "persona": "#2f83c5", "aligned": "#d55e00",
    "shuffled": "#cc79a7", "preference_model": "#009e73", "introspection": "#b3a100",
}  # fmt: skip
_MARKERS = "osD^vP"  # one a seed
# Colours that a page may replace to follow the reader's light or dark mode.
INK, FAINT = "#20242a", "#d5d9de"


def _new(columns: int, width: float, height: float, rows: int = 1, **options):
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


def _svg(figure, title: str) -> str:
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


def _points(
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


def _zero_line(axis, label: str = "") -> None:
    axis.axvline(0, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axis.grid(axis="x")
    axis.spines["left"].set_visible(False)
    axis.set_xlabel(label)


def _spread(seeds: int) -> list[float]:
    """Offsets of the seeds around the place of an arm."""
    return [0.0] if seeds == 1 else [0.27 * (2 * number / (seeds - 1) - 1) for number in range(seeds)]


def effects_figure(cell: CellResults, arms: Sequence[str]) -> str:
    """Paired differences from base over all held-out questions: likelihood ratio, and beside it the cue rate."""
    seeds = cell.seeds
    figure, axes = _new(2, 9.2, 1.35 + len(arms) * (0.42 if len(seeds) == 1 else 0.3 + 0.16 * len(seeds)), sharey=True)
    panels = (
        ("likelihood_ratio", "Likelihood ratio", "difference from base, nats per token"),
        ("cue_rate", "Style: cue words", "difference from base, per hundred words"),
    )
    for axis, (metric, title, label) in zip(axes[0], panels, strict=True):
        for offset, marker, seed in zip(_spread(len(seeds)), _marks(seeds), seeds, strict=True):
            rows = [find(seed.metrics, metric, arm, "base") for arm in arms]
            _points(axis, rows, [place + offset for place in range(len(arms))], [COLOURS[arm] for arm in arms], marker)
        sizes = sorted({row["n"] for seed in seeds for arm in arms if (row := find(seed.metrics, metric, arm, "base"))})
        axis.set_title(f"{title}  (n = {'–'.join(map(str, {min(sizes), max(sizes)} if sizes else {0}))})")
        _zero_line(axis, label)
    axes[0][0].set_yticks(range(len(arms)), ["shuffled (control)" if arm == "shuffled" else arm for arm in arms])
    axes[0][0].set_ylim(len(arms) - 0.4, -0.6)
    _seed_legend(figure, seeds)
    return _svg(figure, f"Effects, {cell.student}, {cell.constitution}")


def _marks(seeds: Sequence[SeedResults]) -> list[str]:
    return [_MARKERS[number % len(_MARKERS)] for number in range(len(seeds))]


def _seed_legend(figure, seeds: Sequence[SeedResults]) -> None:
    from matplotlib.lines import Line2D

    if len(seeds) > 1:
        handles = [
            Line2D([], [], color=INK, marker=mark, linestyle="none", label=f"seed {seed.seed}")
            for mark, seed in zip(_marks(seeds), seeds, strict=True)
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(seeds), 6))


def traits_figure(cell: CellResults, arms: Sequence[str] = JUDGED_ARMS) -> str:
    """Likelihood ratio by trait: paired differences from base, one panel an arm."""
    traits, seeds = cell.traits, cell.seeds
    figure, axes = _new(
        len(arms),
        9.2,
        1.2 + len(traits) * (0.3 if len(seeds) == 1 else 0.2 + 0.13 * len(seeds)),
        sharey=True,
        sharex=True,
    )
    for axis, arm in zip(axes[0], arms, strict=True):
        for offset, marker, seed in zip(_spread(len(seeds)), _marks(seeds), seeds, strict=True):
            rows = [find(seed.metrics, "likelihood_ratio", arm, "base", part=trait) for trait in traits]
            _points(axis, rows, [place + offset for place in range(len(traits))], [COLOURS[arm]] * len(traits), marker)
        axis.set_title(arm)
        _zero_line(axis, "likelihood ratio − base, nats per token")
    axes[0][0].set_yticks(range(len(traits)), [trait.replace("_", " ") for trait in traits])
    axes[0][0].set_ylim(len(traits) - 0.4, -0.6)
    _seed_legend(figure, seeds)
    return _svg(figure, f"By trait, {cell.student}, {cell.constitution}")


def top_movers(seed: SeedResults, arm: str, most: int = 6) -> list[Row]:
    """Single-word traits whose strength moved furthest from base, up to `most` each way, the highest rise first."""
    moved = [
        row
        for row in seed.metrics
        if row["evaluation"] == "preferences"
        and row["arm"] == arm
        and row["reference"] == "base"
        and row["value"] is not None
    ]
    ordered = sorted(moved, key=lambda row: (-row["value"], row["slice"]))
    up, down = [row for row in ordered if row["value"] > 0][:most], [row for row in ordered if row["value"] < 0][-most:]
    return [*up, *down]


def preferences_figure(cell: CellResults, seed: SeedResults, arms: Sequence[str] = JUDGED_ARMS) -> str:
    """Revealed preferences that moved furthest from base, one panel an arm."""
    movers = {arm: top_movers(seed, arm) for arm in arms}
    longest = max(map(len, movers.values()))
    figure, axes = _new(len(arms), 9.2, 1.2 + max(longest, 2) * 0.29)
    for axis, arm in zip(axes[0], arms, strict=True):
        rows = movers[arm]
        _points(axis, rows, range(len(rows)), [COLOURS[arm]] * len(rows))
        axis.set_title(arm)
        _zero_line(axis, "Bradley-Terry strength − base, logits")
        axis.set_yticks(range(len(rows)), [row["slice"] for row in rows])
        axis.set_ylim(max(longest, 2) - 0.4, -0.6)
    return _svg(figure, f"Revealed preferences, {cell.student}, {cell.constitution}, seed {seed.seed}")


def curves_figure(cell: CellResults) -> str:
    """Loss of every training by step, and under it the reward margin of those that have one."""
    figure, axes = _new(len(TRAININGS), 9.6, 4.2, rows=2, sharex="col")
    lines = ("-", "--", ":", "-.")
    for column, training in enumerate(TRAININGS):
        for row, names in enumerate((("loss",), ("rewards/margins", "margin"))):
            axis = axes[row][column]
            drawn = False
            for number, seed in enumerate(cell.seeds):
                points = [
                    (entry["step"], entry[name])
                    for entry in seed.histories[training]
                    for name in names
                    if name in entry and math.isfinite(entry[name])
                ]
                if points:
                    drawn = True
                    marker = "o" if len(points) == 1 else ""
                    axis.plot(
                        *zip(*points, strict=True),
                        lines[number % 4],
                        color=COLOURS[training],
                        linewidth=1.5,
                        marker=marker,
                        markersize=4,
                    )
            axis.grid(axis="y")
            axis.locator_params(nbins=4, integer=True, axis="x")
            axis.locator_params(nbins=4, axis="y")
            if row and not drawn:
                axis.set_axis_off()
                axes[0][column].tick_params(labelbottom=True)
                axes[0][column].set_xlabel("step")
            elif row:
                axis.set_xlabel("step")
        axes[0][column].set_title(training.replace("_", " "))
    axes[0][0].set_ylabel("loss")
    axes[1][0].set_ylabel("reward margin")
    return _svg(figure, f"Training curves, {cell.student}, {cell.constitution}")
