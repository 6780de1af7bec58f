"""Write a run's report: one self-contained page, its figures, and every number in one table."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from markupsafe import Markup

from ethos.arms import ARMS
from ethos.contribution_figures import contributions_figure, ranking_figure
from ethos.contributions import contribution_values
from ethos.data_quality import QUESTION_FIELDS, as_row, question_quality, trait_quality
from ethos.figures import (
    COLOURS,
    curves_figure,
    effects_figure,
    for_page,
    preferences_figure,
    top_movers,
    traits_figure,
)
from ethos.files import whole_file
from ethos.overoptimisation import what_the_steps_show
from ethos.overoptimisation_figure import overoptimisation_figure
from ethos.preference_model_figures import accuracy_figure, calibration_figure
from ethos.report import csv_text, render_page, settings_as_yaml, versions
from ethos.run_results import CellResults, SeedResults, find, read_cells
from ethos.script import WRITABLE, run, settings_option
from ethos.settings import Settings
from ethos.tables import METRICS
from ethos.times import StageTime, stage_times
from ethos.verdicts import JUDGED_ARMS, judge_arm

FOLDER = click.Path(file_okay=False, path_type=Path)
_SORTED_BY = ("run", "student", "constitution", "seed", "evaluation", "metric", "slice", "arm", "reference")


def metrics_csv(cells: Sequence[CellResults]) -> str:
    """All rows of tables.METRICS, sorted."""
    rows = [row for cell in cells for seed in cell.seeds for row in seed.metrics]
    rows.sort(key=lambda row: tuple("" if row[name] is None else row[name] for name in _SORTED_BY))
    return csv_text(rows, METRICS.names)


def questions_csv(cells: Sequence[CellResults]) -> str:
    """The quality of every question, worst first in each student and constitution."""
    rows = [
        {"student": cell.student, "constitution": cell.constitution, **as_row(quality)}
        for cell in cells
        for quality in question_quality(cell)
    ]
    return csv_text(rows, ("student", "constitution", *QUESTION_FIELDS))


def choose_examples(cell: CellResults, seed: SeedResults, most: int) -> list[dict[str, Any]]:
    """Held-out questions with every arm's first response, chosen before anyone has read one.

    The rule: of each trait, in the constitution's order, the held-out question with the lowest id; then the second
    lowest of each, until there are `most`.
    """
    answers = {(row["question_id"], row["trait"], row["arm"]): row for row in seed.samples if row["sample"] == 0}
    arms = arms_of(cell)
    held_out: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(cell.questions, key=lambda row: row["question_id"]):
        if row["split"] == "held_out" and any((row["question_id"], row["trait"], arm) in answers for arm in arms):
            held_out[row["trait"]].append(row)
    deepest = max(map(len, held_out.values()), default=0)
    ordered = [
        held_out[trait][place] for place in range(deepest) for trait in cell.traits if place < len(held_out[trait])
    ]
    return [
        {
            "question": row,
            "answers": [
                (arm, answers[key]) for arm in arms if (key := (row["question_id"], row["trait"], arm)) in answers
            ],
        }
        for row in ordered[:most]
    ]


def arms_of(cell: CellResults) -> list[str]:
    """The arms that were measured, in the order in which they are always shown."""
    measured = {row["arm"] for seed in cell.seeds for row in seed.metrics}
    return [arm for arm in ARMS if arm in measured]


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
        for seed in cell.seeds:
            if any(top_movers(seed, arm) for arm in JUDGED_ARMS):
                about_seed = (
                    f"Revealed preferences that moved most, {about}, seed {seed.seed}; metrics.csv holds the numbers"
                )
                figures[f"preferences-{name}-seed{seed.seed}"] = preferences_figure(cell, seed), about_seed
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


def contributions_in(cell: CellResults, settings: Settings) -> dict[str, Any] | None:
    """What each trait contributes; None where the run did not ask for it."""
    return contribution_values(cell, settings.contributions.arm) if settings.contributions else None


def cell_values(cell: CellResults, settings: Settings) -> dict[str, Any]:
    """What the page says of one student and constitution."""
    arms = arms_of(cell)
    sources = Counter((row["source"], row["split"]) for row in cell.questions)
    unused: Counter[str] = Counter()
    for reasons in cell.question_counts["not_used"].values():
        unused.update(reasons)
    return {
        "results": cell,
        "name": f"{cell.constitution}-{cell.student}",
        "arms": arms,
        "questions": {
            source: [sources[source, split] for split in ("train", "held_out")]
            for source in dict.fromkeys(row["source"] for row in cell.questions)
        },
        "held_out": sum(row["split"] == "held_out" for row in cell.questions),
        "unused": dict(sorted(unused.items())),
        "seeds": [seed_values(cell, seed, arms, settings) for seed in cell.seeds],
        "quality": quality_values(cell, settings),
        "contributions": contributions_in(cell, settings),
        "examples": choose_examples(cell, cell.seeds[0], settings.report.examples),
    }


def quality_values(cell: CellResults, settings: Settings) -> dict[str, Any]:
    """Traits and the worst questions, worst first; the traits' effects are the first seed's."""
    questions = question_quality(cell)
    return {
        "traits": trait_quality(cell, questions, cell.seeds[0].metrics),
        "questions": questions[: settings.report.worst_questions],
        "with_problems": sum(bool(quality.problems) for quality in questions),
    }


def seed_values(cell: CellResults, seed: SeedResults, arms: Sequence[str], settings: Settings) -> dict[str, Any]:
    return {
        "results": seed,
        "verdicts": {arm: judge_arm(seed.metrics, arm, settings.report) for arm in JUDGED_ARMS},
        "level": {arm: {row["metric"]: row for row in _rows(seed, arm, None)} for arm in arms},
        "by_trait": {
            metric: {
                (trait, arm): find(seed.metrics, metric, arm, "base", part=trait)
                for trait in cell.traits
                for arm in arms
            }
            for metric in ("likelihood_ratio", "cue_rate")
        },
        "differences": {
            reference: {
                arm: found for arm in arms if (found := {row["metric"]: row for row in _rows(seed, arm, reference)})
            }
            for reference in ("base", "shuffled")
        },
        "traits": traits_by_strength(cell, seed),
        "preference_model": {
            (row["metric"], row["slice"]): row for row in seed.metrics if row["evaluation"] == "preference_model"
        },
        "overoptimisation": what_the_steps_show(seed.metrics, settings.report),
        "ratio": {arm: find(seed.metrics, "likelihood_ratio", arm, "base") for arm in arms},
    }


def traits_by_strength(cell: CellResults, seed: SeedResults) -> list[str]:
    """The traits, the one that shows least first: by the mean gain in likelihood ratio of the arms that are judged."""

    def gain(trait: str) -> float:
        rows = [find(seed.metrics, "likelihood_ratio", arm, "base", part=trait) for arm in JUDGED_ARMS]
        values = [row["value"] for row in rows if row]
        return sum(values) / len(values) if values else math.inf

    return sorted(cell.traits, key=gain)


def _rows(seed: SeedResults, arm: str, reference: str | None) -> list[Mapping[str, Any]]:
    place = ("character", "all", arm, reference)
    return [row for row in seed.metrics if (row["evaluation"], row["slice"], row["arm"], row["reference"]) == place]


def write_page(
    cells: Sequence[CellResults],
    settings: Settings,
    stages: Sequence[StageTime],
    figures: Mapping[str, tuple[str, str]],
) -> str:
    """The page as HTML; everything it shows is inside it."""
    inlined = {name: Markup(for_page(svg, name, about)) for name, (svg, about) in figures.items()}
    values = [cell_values(cell, settings) for cell in cells]
    return render_page(
        {
            "settings": settings,
            "settings_yaml": settings_as_yaml(settings),
            "headline": [value for value in values if value["results"].constitution == settings.headline],
            "cells": values,
            "figures": inlined,
            "colours": COLOURS,
            "stages": stages,
            "versions": versions(),
        }
    )


@click.command()
@settings_option(Settings)
@click.option("--results", type=FOLDER, required=True, help="Folder of the run's results, results/{run}.")
@click.option("--benchmarks", type=FOLDER, required=True, help="Folder of all benchmarks; need not exist.")
@click.option(
    "--page", type=WRITABLE, required=True, help="Written: the report, HTML; figures/*.svg are written beside it."
)
@click.option("--metrics", type=WRITABLE, required=True, help="Written: every number of the evaluations, CSV.")
@click.option("--questions", type=WRITABLE, required=True, help="Written: the quality of every question, CSV.")
def main(settings: Settings, results: Path, benchmarks: Path, page: Path, metrics: Path, questions: Path) -> None:
    """Write a run's report: one self-contained page, its figures, and every number in one table."""
    cells = read_cells(results, settings)
    figures = draw_figures(cells, settings)
    for name, (svg, _) in figures.items():
        _write(page.parent / "figures" / f"{name}.svg", svg)
    _write(metrics, metrics_csv(cells))
    _write(questions, questions_csv(cells))
    # An earlier report's own time would be in the way, and that of what follows it.
    after = ("write_report", "archive_run")
    stages = [stage for stage in stage_times(benchmarks, settings.run) if stage.rule not in after]
    _write(page, write_page(cells, settings, stages, figures))


def _write(path: Path, text: str) -> None:
    with whole_file(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    run(main)
