"""The figures of the evaluations that a run may leave out, by name; a figure as in ethos/report_figures.py."""

from __future__ import annotations

from collections.abc import Sequence

from ethos.capabilities_report import TITLES, capabilities_figure
from ethos.coherence_report import coherence_figures
from ethos.drawing import Figure
from ethos.judges_report import AUTHORS, PARTS, judges_figure, labelled_pairs
from ethos.persona_report import persona_figure, persona_rows
from ethos.preferences_report import preferences_figures
from ethos.run_results import CellResults, pick
from ethos.settings import Settings
from ethos.stance_report import MEASURES, methods_told, stance_figure


def evaluation_figures(cell: CellResults, arms: Sequence[str], settings: Settings) -> dict[str, Figure]:
    """The figures of one student and constitution. arms: those compared with base."""
    name, about = f"{cell.constitution}-{cell.student}", f"{cell.constitution}, {cell.student}"
    evaluation, figures = settings.evaluation, {}
    measured = cell.all_metrics
    if "preferences" in evaluation.which:
        figures |= preferences_figures(cell, evaluation.preferences.conditions)
    if "coherence" in evaluation.which:
        figures |= coherence_figures(cell)
    if "capabilities" in evaluation.which:
        figures[f"capabilities-{name}"] = Figure(
            capabilities_figure(cell, arms),
            f"Capabilities compared with base, {about}; the table below it holds the numbers",
            pick(measured, evaluation="capabilities", metric=list(TITLES), arm=arms, reference="base"),
        )
    failures = [measure.metric for measure in MEASURES if measure.failure]
    for method in methods_told(cell, arms, evaluation.stance.methods):
        figures[f"stance-{name}-{method}"] = Figure(
            stance_figure(cell, arms, method),
            f"Flattery, both sides and no view by {method}, differences from base, {about}; the tables hold the numbers",
            pick(measured, evaluation="stance", metric=failures, arm=arms, reference="base", slice=method),
        )
    for kind in cell.seeds[0].namings:
        figures[f"{kind}-{name}"] = Figure(
            persona_figure(cell, kind, len(settings.constitutions)),
            f"How well a classifier tells the persona ({kind}), {about}; metrics.csv holds the numbers",
            persona_rows(cell, kind),
        )
    if labelled_pairs(measured):
        figures[f"judges-{name}"] = Figure(
            judges_figure(cell, evaluation.judges.methods),
            f"How often each judge agrees with labelled pairs, {about}; the table above it holds the numbers",
            pick(measured, evaluation="judges", metric="accuracy", reference=AUTHORS, slice=list(PARTS)),
        )
    return figures
