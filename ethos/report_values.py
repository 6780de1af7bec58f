"""What the report says of each student and constitution, and of each seed: the values that its template is filled with."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ethos.arms import ARMS
from ethos.capabilities_report import capability_values
from ethos.coherence_report import coherence_values
from ethos.contributions import contribution_values
from ethos.data_quality import question_quality, trait_quality
from ethos.judges_report import judges_values
from ethos.overoptimisation import what_the_steps_show
from ethos.persona_profile import profile
from ethos.persona_report import persona_values
from ethos.preferences_report import preference_values, student_values
from ethos.report import MEASURES
from ethos.report_summary import summary
from ethos.run_results import CellResults, Part, SeedResults, find, pick
from ethos.settings import Settings
from ethos.stance_report import stance_values
from ethos.verdicts import JUDGED_ARMS, judge_arm


def cell_values(cell: CellResults, cells: Sequence[CellResults], settings: Settings) -> dict[str, Any]:
    """What the page says of one student and constitution. cells: all of the run, itself among them."""
    others = [other.parts for other in cells if other.student == cell.student and other is not cell]
    arms, evaluation = arms_of(cell), settings.evaluation
    conditions = evaluation.preferences.conditions if "preferences" in evaluation.which else []
    sources = Counter((row["source"], row["split"]) for row in cell.questions)
    unused: Counter[str] = Counter()
    for reasons in cell.question_counts["not_used"].values():
        unused.update(reasons)
    return {
        "results": cell,
        "name": f"{cell.constitution}-{cell.student}",
        "arms": arms,
        "summary": summary(cell, settings),
        "questions": {
            source: [sources[source, split] for split in ("train", "held_out")]
            for source in dict.fromkeys(row["source"] for row in cell.questions)
        },
        "held_out": sum(row["split"] == "held_out" for row in cell.questions),
        "unused": dict(sorted(unused.items())),
        "parts": [
            part_values(cell, part, [parts[number] for parts in others], arms, settings)
            for number, part in enumerate(cell.parts)
        ],
        "profiles": [
            profile(cell, arm, [measure.metric for measure in MEASURES], conditions, 1 - evaluation.confidence)
            for arm in arms
            if arm != "base"
        ],
        "seeds": [seed_values(seed, settings) for seed in cell.seeds],
        "quality": quality_values(cell, settings),
        "contributions": contributions_in(cell, settings),
        "examples": choose_examples(cell, cell.seeds[0], settings.report.examples),
    }


def part_values(
    cell: CellResults, part: Part, others: Sequence[Part], arms: Sequence[str], settings: Settings
) -> dict[str, Any]:
    """What the evaluations gave, of one seed or of several together. others: the same of the student's other constitutions."""
    evaluation, metrics = settings.evaluation, part.metrics
    return {
        "seed": part.seed,
        "verdicts": {arm: judge_arm(metrics, arm, settings.report) for arm in JUDGED_ARMS},
        "level": {arm: {row["metric"]: row for row in _rows(metrics, arm, None)} for arm in arms},
        "by_trait": {
            metric: {
                (trait, arm): find(metrics, metric, arm, "base", part=trait) for trait in cell.traits for arm in arms
            }
            for metric in ("likelihood_ratio", "cue_rate")
        },
        "differences": {
            reference: {
                arm: found for arm in arms if (found := {row["metric"]: row for row in _rows(metrics, arm, reference)})
            }
            for reference in ("base", "shuffled")
        },
        "traits": traits_by_strength(cell, metrics),
        "preferences": preference_values(part, arms, evaluation.preferences, 1 - evaluation.confidence),
        "students": student_values(metrics),
        "coherence": coherence_values(metrics),
        "personas": persona_values(part, others),
        "stance": stance_values(part, arms, evaluation.stance.methods) if "stance" in evaluation.which else None,
        "capabilities": capability_values(metrics, arms),
        "judges": judges_values(metrics, evaluation.judges.methods) if "judges" in evaluation.which else None,
    }


def seed_values(seed: SeedResults, settings: Settings) -> dict[str, Any]:
    """What is told of each seed alone."""
    return {
        "seed": seed.seed,
        "results": seed,
        "preference_model": {
            (row["metric"], row["slice"]): row for row in seed.metrics if row["evaluation"] == "preference_model"
        },
        "overoptimisation": what_the_steps_show(seed.metrics, settings.report, settings.rankings.method),
    }


def filter_values(cells: Sequence[CellResults]) -> dict[str, list[tuple[str, str]]]:
    """What a reader may hide: values and their names by attribute (`data-arm` ...); what there is only one of is left out."""
    seeds = list(dict.fromkeys(seed.seed for cell in cells for seed in cell.seeds))
    arms = {arm for cell in cells for arm in arms_of(cell)}
    found = {
        "constitution": {cell.constitution: cell.constitution.replace("_", " ") for cell in cells},
        "student": {cell.student: cell.student for cell in cells},
        "arm": {arm: arm.replace("_", " ") for arm in ARMS if arm in arms},
        "seed": {"mean": f"mean of {len(seeds)}"} | {str(seed): str(seed) for seed in seeds} if len(seeds) > 1 else {},
    }
    return {name: list(values.items()) for name, values in found.items() if len(values) > 1}


def quality_values(cell: CellResults, settings: Settings) -> dict[str, Any]:
    """Traits and the worst questions, worst first; the traits' effects are over seeds where there are several."""
    questions = question_quality(cell, settings.teacher)
    return {
        "traits": trait_quality(cell, questions, cell.metrics),
        "questions": questions[: settings.report.worst_questions],
        "with_problems": sum(bool(quality.problems) for quality in questions),
    }


def contributions_in(cell: CellResults, settings: Settings) -> dict[str, Any] | None:
    """What each trait contributes; None where the run did not ask for it."""
    return contribution_values(cell, settings.contributions.arm) if settings.contributions else None


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


def traits_by_strength(cell: CellResults, metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """The traits, the one that shows least first: by the mean gain in likelihood ratio of the arms that are judged."""

    def gain(trait: str) -> float:
        rows = [find(metrics, "likelihood_ratio", arm, "base", part=trait) for arm in JUDGED_ARMS]
        values = [row["value"] for row in rows if row]
        return sum(values) / len(values) if values else math.inf

    return sorted(cell.traits, key=gain)


def _rows(metrics: Sequence[Mapping[str, Any]], arm: str, reference: str | None) -> list[Mapping[str, Any]]:
    return pick(metrics, evaluation="character", slice="all", arm=arm, reference=reference)
