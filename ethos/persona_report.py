"""What the report says and shows of the evaluations in which a classifier names the persona behind an answer."""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from ethos.arms import ARMS
from ethos.drawing import (
    COLOURS,
    INK,
    MEAN_MARK,
    arm_ticks,
    as_svg,
    draw_points,
    draw_seeds,
    line_height,
    marks,
    new_figure,
    seed_legend,
    spread,
)
from ethos.evaluation_settings import PERSONA_EVALUATIONS
from ethos.persona_classifier import NO_PERSONA
from ethos.persona_samples import CHAT
from ethos.run_results import CellResults, Part, Row, find, pick

_METRICS = ("f1", "macro_f1", "f1_unseen_arm", "macro_f1_unseen_arm", "macro_f1_change", "recall")


def copy_of_base(personas: int) -> float:
    """The highest macro F1 of an arm that answers exactly like base under every one of so many constitutions.

    Each answer then stands once for every class, of which one name can be right; the mean of 2p / (p (k + 1) + 1) over the
    k + 1 classes, p being how often each is named, is highest where all are named equally often.
    """
    return 1 / (personas + 1)


def persona_values(part: Part, others: Sequence[Part] = ()) -> dict[str, dict[str, Any]]:
    """By evaluation that the run made: the arms, rows of tables.METRICS by arm, metric and slice, and what answers were named,
    over all seeds of the part: by the classifier of all arms (`named`), and by the one that never saw the arm (`unseen`).

    others: the same part of the student's other constitutions. What was named is counted by arm and whose answers they are,
    `own`, `others` or `base`; empty answers are named None. So the F1 of the persona can be counted from each.
    """
    return {name: _values(part, others, name) for name in PERSONA_EVALUATIONS if name in part.seeds[0].namings}


def _values(part: Part, others: Sequence[Part], evaluation: str) -> dict[str, Any]:
    every = [("base" if row["arm"] == "base" else "own", row) for row in _pressed(part, evaluation)]
    # Base's are those of the part itself.
    every += [("others", row) for other in others for row in _pressed(other, evaluation) if row["arm"] != "base"]
    rows = {
        (arm, metric, form): found
        for arm in ARMS
        for metric in _METRICS
        for form in ("all", CHAT)
        if (found := find(part.metrics, metric, arm, part=form, evaluation=evaluation))
    }
    personas = {row[column] for _, row in every for column in ("persona", "named")}
    named = _counted((row["arm"], whose, row["named"]) for whose, row in every if row["left_out"] is None)
    return {
        "arms": [arm for arm in ARMS if (arm, "f1", "all") in rows],
        "rows": rows,
        "named": named,
        "unseen": _counted((row["left_out"], whose, row["named"]) for whose, row in every if row["left_out"]),
        "personas": [*sorted(personas - {None}, key=lambda name: (name == NO_PERSONA, name)), None],
        "empty": sum(counts[None] for counts in named.values()),
        "answers": sum(counts.total() for counts in named.values()),
    }


def _pressed(part: Part, evaluation: str) -> list[Row]:
    return [row for seed in part.seeds for row in seed.namings[evaluation] if row["form"] != CHAT]


def _counted(named: Iterable[tuple[str, str, str | None]]) -> dict[tuple[str, str], Counter[str | None]]:
    """How often answers were named what, by arm and whose they are. named: arm, whose, name."""
    counts: defaultdict[tuple[str, str], Counter[str | None]] = defaultdict(Counter)
    for arm, whose, name in named:
        counts[arm, whose][name] += 1
    order = [(arm, whose) for arm in ARMS for whose in ("own", "others", "base")]
    return {place: counts[place] for place in order if place in counts}


def persona_rows(cell: CellResults, evaluation: str) -> list[Row]:
    """What `persona_figure` shows: by form, no single seeds where there are several."""
    measured = pick(cell.all_metrics, evaluation=evaluation, metric="macro_f1")
    return [row for row in measured if row["slice"] in ("all", CHAT) or row["seed"] == cell.parts[0].seed]


def persona_figure(cell: CellResults, evaluation: str, personas: int) -> str:
    """Macro F1 of each arm under pressure and in plain chat; beside it, where there are several, by form, without single seeds.

    A dashed line shows `copy_of_base`.
    """
    own = pick(cell.all_metrics, evaluation=evaluation, metric="macro_f1")
    arms = [arm for arm in ARMS if any(row["arm"] == arm for row in own)]
    forms = [form for form in dict.fromkeys(row["slice"] for row in own) if form not in ("all", CHAT)]
    shown, mark = cell.parts[0], marks(cell.seeds)[0] if len(cell.seeds) == 1 else MEAN_MARK
    lines = [(arm, part) for arm in arms for part in ("all", CHAT)]
    height = 1.3 + max(line_height(cell, 0.3, 0.13) * len(lines), 0.16 * len(forms) * (len(arms) + 1))
    figure, axes = new_figure(2 if forms else 1, 9.2, height)
    left = axes[0][0]
    draw_seeds(
        left,
        cell,
        lambda metrics: [find(metrics, "macro_f1", arm, part=part, evaluation=evaluation) for arm, part in lines],
        [COLOURS[arm] for arm, _ in lines],
    )
    left.set_title("All forms" if forms else "Macro F1")
    arm_ticks(left, [arm for arm, _ in lines], [arm if part == "all" else "in plain chat" for arm, part in lines])
    for arm, offset in zip(arms, spread(len(arms)), strict=True) if forms else ():
        rows = [find(shown.metrics, "macro_f1", arm, part=form, evaluation=evaluation) for form in forms]
        places = [place + offset for place in range(len(forms))]
        draw_points(axes[0][1], rows, places, [COLOURS[arm]] * len(forms), mark, seed=shown.label)
    if forms:
        axes[0][1].set_title("By form")
        labels = ["\n".join(textwrap.wrap(form.replace("_", " "), 34)) for form in forms]
        axes[0][1].set_yticks(range(len(forms)), labels, fontsize=8.5)
        axes[0][1].set_ylim(len(forms) - 0.4, -0.6)
    for axis in axes[0]:
        axis.set_xlim(-0.03, 1.03)
        axis.grid(axis="x")
        axis.spines["left"].set_visible(False)
        axis.set_xlabel("macro F1")
        axis.axvline(copy_of_base(personas), color=INK, linewidth=1, linestyle=(0, (4, 3)))
    seed_legend(figure, cell.seeds, mean=True)
    return as_svg(figure, f"{evaluation}, {cell.student}, {cell.constitution}".capitalize())
