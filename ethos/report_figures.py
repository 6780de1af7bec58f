"""All figures of a report, by name, with what a reader who cannot see them is told, and the rows that they show."""

from __future__ import annotations

from collections.abc import Sequence

from ethos.contribution_figures import contributions_figure, ranking_figure
from ethos.drawing import Figure
from ethos.drift_report import drift_figure, drift_matrices
from ethos.evaluation_figures import evaluation_figures
from ethos.figures import (
    curves_figure,
    curves_rows,
    effects_figure,
    effects_rows,
    traits_figure,
)
from ethos.overoptimisation_figure import overoptimisation_figure, overoptimisation_rows
from ethos.preference_model_figures import accuracy_figure, calibration_figure, calibration_rows
from ethos.report_values import arms_of, contributions_in
from ethos.run_results import CellResults, pick
from ethos.settings import Settings
from ethos.verdicts import JUDGED_ARMS


def draw_figures(cells: Sequence[CellResults], settings: Settings) -> dict[str, Figure]:
    """Every figure by file name."""
    figures: dict[str, Figure] = {}
    for matrix in drift_matrices(cells, settings):
        about = f"{matrix.arm} of {matrix.student}, {matrix.part}"
        shown = [row for line in matrix.rows["likelihood_ratio"] for row in line if row]
        figures[matrix.name] = Figure(
            drift_figure(matrix), f"Drift of {about}; the tables below it hold the numbers", shown
        )
    for cell in cells:
        name, about = f"{cell.constitution}-{cell.student}", f"{cell.constitution}, {cell.student}"
        compared = [arm for arm in arms_of(cell) if arm != "base"]
        figures[f"effects-{name}"] = Figure(
            effects_figure(cell, compared),
            f"Paired differences from base with intervals, {about}; the table of all measures holds the numbers",
            effects_rows(cell, compared),
        )
        figures[f"traits-{name}"] = Figure(
            traits_figure(cell),
            f"Likelihood ratio by trait, {about}; metrics.csv holds the numbers",
            pick(
                cell.all_metrics,
                evaluation="character",
                metric="likelihood_ratio",
                arm=JUDGED_ARMS,
                reference="base",
                slice=cell.traits,
            ),
        )
        figures[f"overoptimisation-{name}"] = Figure(
            overoptimisation_figure(cell),
            f"Reward, likelihood ratio, cue words and perplexity by step of the alignment, {about}; metrics.csv holds the numbers",
            overoptimisation_rows(cell),
        )
        figures[f"curves-{name}"] = Figure(curves_figure(cell), f"Training curves, {about}", curves_rows(cell))
        figures[f"accuracy-{name}"] = Figure(
            accuracy_figure(cell),
            f"Accuracy of the preference model, {about}; metrics.csv holds the numbers",
            [
                row
                for seed in cell.seeds
                for row in pick(seed.metrics, evaluation="preference_model", metric="accuracy")
            ],
        )
        figures[f"calibration-{name}"] = Figure(
            calibration_figure(cell),
            f"Calibration of the preference model, and its rewards by length, {about}",
            calibration_rows(cell),
        )
        figures |= evaluation_figures(cell, compared, settings)
        if contributions := contributions_in(cell, settings):
            arm = contributions["arm"]
            contributed = [row for row in cell.all_metrics if row["evaluation"] == "contributions"]
            without = [f"without {trait}" for trait in cell.traits]
            figures[f"contribution-ranking-{name}"] = Figure(
                ranking_figure(cell, arm),
                f"What each trait contributes to the whole character, {about}; the table below it holds the numbers",
                pick(
                    [row for row in contributed if row["seed"] is not None],
                    metric=("likelihood_ratio", "cue_rate"),
                    reference=without,
                    slice="all",
                ),
            )
            for seed in cell.seeds:
                figures[f"contributions-{name}-seed{seed.seed}"] = Figure(
                    contributions_figure(cell, seed, arm),
                    f"What each trait contributes to each other, {about}, seed {seed.seed}; metrics.csv holds the numbers",
                    pick(contributed, seed=seed.seed, metric="likelihood_ratio", reference=without),
                )
    return figures
