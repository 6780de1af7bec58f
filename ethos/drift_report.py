"""Drift in the report: a matrix of trained and measured constitutions, as values and as a heat map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ethos.drawing import as_svg, draw_heat_map, frame, new_figure, tag
from ethos.run_results import MEAN, CellResults, find
from ethos.settings import Settings

Row = Mapping[str, Any]
# What is measured, as the page says it, and its unit.
METRICS = {
    "likelihood_ratio": ("Likelihood ratio", "nats per token"),
    "cue_rate": ("Cue words", "cues per hundred words"),
}


@dataclass(frozen=True)
class Matrix:
    """The drift of one student, arm and seed, or over several seeds (None). trained, measured: constitutions.

    rows: by metric, a line for each that is trained and in it an arm's difference from base for each that is measured, None
    where there is none. own: where a constitution meets itself; these are the differences on its own held-out questions.
    """

    student: str
    arm: str
    seed: int | None
    trained: list[str]
    measured: list[str]
    rows: dict[str, list[list[Row | None]]]

    @property
    def name(self) -> str:
        return f"drift-{self.student}-{self.arm}-{MEAN if self.seed is None else f'seed{self.seed}'}"

    @property
    def part(self) -> str:
        """Of what it is, in words."""
        return "mean of the seeds" if self.seed is None else f"seed {self.seed}"

    @property
    def own(self) -> list[tuple[int, int]]:
        return [(self.measured.index(name), y) for y, name in enumerate(self.trained) if name in self.measured]


def drift_matrices(cells: Sequence[CellResults], settings: Settings) -> list[Matrix]:
    """A matrix for each student, arm and seed, with several seeds that of their mean before them.

    None where the run did not ask, or has nothing to measure.
    """
    drift = settings.evaluation.drift
    asked = "drift" in settings.evaluation.which
    trained = settings.constitutions
    measured = list(dict.fromkeys([*trained, *(drift.constitutions or [])]))
    if not asked or len(measured) < 2:
        return []
    by_place = {(cell.student, cell.constitution, part.seed): part for cell in cells for part in cell.parts}

    def row(student: str, arm: str, seed: int | None, metric: str, own: str, other: str) -> Row | None:
        metrics = by_place[student, own, seed].metrics
        if own == other:
            return find(metrics, metric, arm, "base")
        return find(metrics, metric, arm, "base", part=other, evaluation="drift")

    return [
        Matrix(
            student,
            arm,
            part.seed,
            list(trained),
            measured,
            {
                metric: [[row(student, arm, part.seed, metric, own, other) for other in measured] for own in trained]
                for metric in METRICS
            },
        )
        for student in settings.students
        for arm in drift.arms
        if arm != "base"
        for part in cells[0].parts
    ]


def drift_figure(matrix: Matrix) -> str:
    """A heat map: a row for each constitution that was trained, a column for each that is measured; framed: its own."""
    figure, [[axis]] = new_figure(1, 3.2 + 0.8 * len(matrix.measured), 2.0 + 0.5 * len(matrix.trained))
    mesh = draw_heat_map(axis, matrix.rows["likelihood_ratio"], matrix.trained)
    for x, y in matrix.own:
        tag(axis.add_patch(frame(x, y)), constitution=matrix.trained[y])
    columns, rows = ([name.replace("_", " ") for name in names] for names in (matrix.measured, matrix.trained))
    axis.set_xticks([x + 0.5 for x in range(len(columns))], columns, rotation=38, ha="right", rotation_mode="anchor")
    axis.set_yticks([y + 0.5 for y in range(len(rows))], rows)
    for text, name in zip(axis.get_yticklabels(), matrix.trained, strict=True):
        tag(text, constitution=name)
    axis.set_xlabel("measured on the traits of")
    axis.set_ylabel("trained on")
    bar = figure.colorbar(mesh, ax=axis, shrink=0.8, label=METRICS["likelihood_ratio"][1])
    bar.outline.set_visible(False)
    return as_svg(figure, f"Drift of {matrix.arm}, {matrix.student}, {matrix.part}")
