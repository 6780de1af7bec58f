"""All figures of a report, by name, with what a reader who cannot see them is told."""

from __future__ import annotations

from collections.abc import Sequence

from ethos.coherence_report import coherence_figures
from ethos.contribution_figures import contributions_figure, ranking_figure
from ethos.figures import curves_figure, effects_figure, traits_figure
from ethos.overoptimisation_figure import overoptimisation_figure
from ethos.preference_model_figures import accuracy_figure, calibration_figure
from ethos.preferences_report import preferences_figures
from ethos.report_values import arms_of, contributions_in
from ethos.run_results import CellResults
from ethos.settings import Settings


def draw_figures(cells: Sequence[CellResults], settings: Settings) -> dict[str, tuple[str, str]]:
    """Every figure as (SVG, what a reader who cannot see it is told), by file name."""
    figures = {}
    for cell in cells:
        name, about = f"{cell.constitution}-{cell.student}", f"{cell.constitution}, {cell.student}"
        compared = [arm for arm in arms_of(cell) if arm != "base"]
        figures[f"effects-{name}"] = (
            effects_figure(cell, compared),
            f"Paired differences from base with intervals, {about}; the table of all measures holds the numbers",
        )
        figures[f"traits-{name}"] = (
            traits_figure(cell),
            f"Likelihood ratio by trait, {about}; metrics.csv holds the numbers",
        )
        figures[f"overoptimisation-{name}"] = (
            overoptimisation_figure(cell),
            f"Reward and independent measures by step of the alignment, {about}; metrics.csv holds the numbers",
        )
        figures[f"curves-{name}"] = curves_figure(cell), f"Training curves, {about}"
        figures[f"accuracy-{name}"] = (
            accuracy_figure(cell),
            f"Accuracy of the preference model, {about}; metrics.csv holds the numbers",
        )
        figures[f"calibration-{name}"] = (
            calibration_figure(cell),
            f"Calibration of the preference model, and its rewards by length, {about}",
        )
        if "preferences" in settings.evaluation.which:
            figures |= preferences_figures(cell, settings.evaluation.preferences.conditions)
        if "coherence" in settings.evaluation.which:
            figures |= coherence_figures(cell)
        if contributions := contributions_in(cell, settings):
            figures[f"contribution-ranking-{name}"] = (
                ranking_figure(cell, contributions["arm"]),
                f"What each trait contributes to the whole character, {about}; the table below it holds the numbers",
            )
            for seed in cell.seeds:
                figures[f"contributions-{name}-seed{seed.seed}"] = (
                    contributions_figure(cell, seed, contributions["arm"]),
                    f"What each trait contributes to each other, {about}, seed {seed.seed}; metrics.csv holds the numbers",
                )
    return figures
