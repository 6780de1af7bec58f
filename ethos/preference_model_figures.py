"""The figures about the preference model itself: how often it is right, how far its claims hold, and what it makes of length."""

from __future__ import annotations

from collections.abc import Sequence

from ethos.drawing import COLOURS, FAINT, INK, as_svg, draw_points, marks, new_figure, seed_legend, spread, tag
from ethos.run_results import CellResults, Row, SeedResults, find

_COLOUR = COLOURS["preference_model"]
_MARGINS = {f"margin {part} of 3": name for part, name in enumerate(("narrowest", "middle", "widest"), 1)}


def _accuracy(seed: SeedResults, part: str) -> Row | None:
    return find(seed.metrics, "accuracy", "preference_model", part=part, evaluation="preference_model")


def accuracy_figure(cell: CellResults) -> str:
    """Accuracy on the pairs that trained, on held-out ones, and on parts of these: by margin, by trait; n beside each name."""
    seeds = cell.seeds
    names = {"train split": "trained on", "all": "held out, all"}
    names |= {part: f"held out, {name} margins" for part, name in _MARGINS.items()}
    names |= {trait: trait.replace("_", " ") for trait in cell.traits}
    parts = [part for part in names if any(_accuracy(seed, part) for seed in seeds)]
    height = 1.2 + len(parts) * (0.3 if len(seeds) == 1 else 0.2 + 0.13 * len(seeds))
    figure, [[axis]] = new_figure(1, 7.4, height)
    for offset, marker, seed in zip(spread(len(seeds)), marks(seeds), seeds, strict=True):
        places = [place + offset for place in range(len(parts))]
        colours = [INK if part == "train split" else _COLOUR for part in parts]
        draw_points(axis, [_accuracy(seed, part) for part in parts], places, colours, marker, seed=seed.seed)
    sizes = [max(row["n"] for seed in seeds if (row := _accuracy(seed, part))) for part in parts]
    axis.axvline(0.5, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axis.grid(axis="x")
    axis.set_xlim(-0.03, 1.03)
    axis.set_xlabel("share of pairs with the order of the ranker")
    labels = [f"{names[part]} ({size})" for part, size in zip(parts, sizes, strict=True)]
    axis.set_yticks(range(len(parts)), labels)
    axis.set_ylim(max(len(parts), 1) - 0.4, -0.6)
    seed_legend(figure, seeds)
    return as_svg(figure, f"Accuracy of the preference model, {cell.student}, {cell.constitution}")


def calibration_rows(cell: CellResults) -> list[Row]:
    """What the figure of the calibration shows: x and y of each point of its panels, and n behind it."""
    axes = {"reliability": ("claimed", "right"), "lengths": ("length", "reward")}
    return [
        {"student": cell.student, "constitution": cell.constitution, "seed": seed.seed, "panel": panel}
        | {"x": point[x], "y": point[y], "n": point["n"]}
        for seed in cell.seeds
        for panel, (x, y) in axes.items()
        for point in seed.preference_model[panel]
    ]


def calibration_figure(cell: CellResults) -> str:
    """Share right against what was claimed, and reward against length; larger points stand for more."""
    seeds = cell.seeds
    figure, [[claims, lengths]] = new_figure(2, 9.2, 3.6)
    claims.plot([0.5, 1], [0.5, 1], color=FAINT, linewidth=1.5)
    for seed, marker in zip(seeds, marks(seeds), strict=True):
        bins = seed.preference_model["reliability"]
        _sized(claims, [(bin["claimed"], bin["right"], bin["n"]) for bin in bins], marker, seed.seed)
        groups = seed.preference_model["lengths"]
        _sized(lengths, [(group["length"], group["reward"], group["n"]) for group in groups], marker, seed.seed)
        if len(seeds) == 1:
            for bin in bins:
                place = (bin["claimed"], bin["right"])
                claims.annotate(str(bin["n"]), place, xytext=(7, -3), textcoords="offset points", fontsize=9)
    claims.set_xlim(0.48, 1.04)
    claims.set_ylim(-0.04, 1.06)
    claims.set_title("Calibration")
    claims.set_xlabel("claimed probability of being right")
    claims.set_ylabel("share that was right")
    lengths.set_title("Length")
    lengths.set_xlabel("characters above the question’s mean")
    lengths.set_ylabel("reward above its mean, logits")
    lengths.axhline(0, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    for axis in (claims, lengths):
        axis.grid()
    seed_legend(figure, seeds)
    return as_svg(figure, f"Calibration of the preference model, {cell.student}, {cell.constitution}")


def _sized(axis, points: Sequence[tuple[float, float, int]], marker: str, seed: int) -> None:
    """Points (x, y, n) whose area follows n."""
    most = max((n for _, _, n in points), default=1)
    for x, y, n in points:
        size = 3 + 6 * (n / most) ** 0.5
        (point,) = axis.plot([x], [y], marker=marker, markersize=size, color=_COLOUR, markeredgecolor="white")
        tag(point, seed=seed)
