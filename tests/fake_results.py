"""A complete results folder of a run that never was: small, written through the tables' schemas, from a fixed seed."""

from __future__ import annotations

import math
import random
from pathlib import Path

from click.testing import CliRunner

from ethos.arms import ARMS
from ethos.evaluation_settings import PERSONA_EVALUATIONS
from ethos.files import write_json
from ethos.settings import Settings
from ethos.tables import (
    EXAMPLES,
    METRICS,
    PAIRS,
    QUESTIONS,
    RANKINGS,
    RESPONSES,
    SAMPLES,
    STEERING_GRID,
    table_from,
    write_table,
)
from scripts.write_report import main
from tests.fake_capabilities import fake_capabilities
from tests.fake_judgements import fake_coherence, fake_preferences, fake_students
from tests.fake_metrics import TRAITS, fake_contributions, fake_metrics, fake_preference_model, fake_steps
from tests.fake_namings import write_namings
from tests.fake_stance import WRITTEN_APART

HOSTILE = "<script>document.title='x'</script><img src=x onerror=\"document.title='x'\"></div></main>{{ 7*7 }} $x^2$"
PREFERENCE_MODEL = {
    "pairs": {"all": 73, "train split": 105},
    "responses": 96,
    "reliability": [
        {"low": 0.5, "high": 0.6, "n": 30, "claimed": 0.55, "right": 0.6},
        {"low": 0.6, "high": 0.7, "n": 23, "claimed": 0.64, "right": 0.7},
        {"low": 0.7, "high": 0.8, "n": 20, "claimed": 0.76, "right": 0.72},
    ],
    "lengths": [{"length": 20.0 * place, "reward": 0.1 * place, "n": 19} for place in range(-2, 3)],
}
# Two layers and two strengths: the stronger is not fluent behind either, and behind the second it says nothing at all.
STEERING = [
    {
        "direction": direction,
        "layer": layer,
        "strength": strength,
        "likelihood_ratio": ratio,
        "log_perplexity": surprise,
    }
    | {"repetition": repeated, "n": n, "fluent": fluent, "chosen": ratio == 0.014}
    for direction, layer, strength, ratio, surprise, repeated, n, fluent in (
        ("none", 0, 0.0, -0.203, 1.62, 0.002, 12, True),
        ("character", 12, 1.0, -0.117, 1.66, 0.001, 12, True),
        ("character", 12, 2.0, 0.208, 2.87, 0.031, 12, False),
        ("character", 18, 1.0, 0.014, 1.93, 0.004, 12, True),
        ("character", 18, 2.0, None, None, None, 0, False),
        ("random", 18, 1.0, -0.161, 1.71, 0.003, 12, True),
    )
]
RANKERS = {
    "method": "likelihood_ratio",
    "questions": 12,
    "rankers": {
        "listwise": {
            "tau_b": {
                "value": 0.41,
                "ci_low": 0.17,
                "ci_high": 0.62,
                "interval": "BCa bootstrap, widened",
                "n": 9,
                "tied": 3,
            },
            "counts": {"pairs": 36, "decided": 20, "order_dependent": 13, "unparsed": 3, "verdicts_too_long": 0},
        },
        "pairwise": {
            "tau_b": {"value": None, "ci_low": None, "ci_high": None, "interval": "none", "n": 0, "tied": 12},
            "counts": {"pairs": 36, "decided": 0, "order_dependent": 36, "unparsed": 0, "verdicts_too_long": 0},
        },
    },
}


def fake_settings(**changes) -> Settings:
    models = {"smollm2": {"source": "path:models/smollm2"}}
    fields = {
        "run": "demo",
        "constitutions": ["poeticism"],
        "models": models,
        "students": ["smollm2"],
        "teacher": "smollm2",
        "judge": "smollm2",
    }
    return Settings.model_validate(
        fields
        | {
            "rankings": {"method": "likelihood_ratio"},
            "evaluation": {"which": ["preferences", "coherence", "capabilities"]},  # the others have tests of their own
            "report": {"examples": 3, "max_perplexity_ratio": 2.5},
        }
        | changes
    )


def build_run(results: Path, settings: Settings) -> None:
    """A complete results folder, small, and every number drawn from a fixed seed."""
    noise = random.Random(7)
    for constitution in settings.constitutions:
        questions = [
            {"question_id": f"{(37 * (9 * t + q)) % 97:04x}", "trait": trait, "text": f"What does question {q} on {trait} ask?"}
            | {"source": ("written", "generated", "general")[q % 3], "split": "held_out" if q % 4 == 0 else "train"}
            for t, trait in enumerate(TRAITS) for q in range(9)
        ]  # fmt: skip
        write_table(results / "questions" / f"{constitution}.parquet", table_from(questions, QUESTIONS))
        unused = {trait: {"near_duplicate": 2, "refused": 1} for trait in TRAITS}
        write_json(
            results / "questions" / f"{constitution}.json",
            {"source": {"written": 15}, "split": {"train": 30}, "not_used": unused}
            | {
                "length": {"written": {"short": 15}, "generated": {"short": 11, "medium": 3, "long": 1}},
                "asked_length": {"short": 40, "medium": 50, "long": 30},
            },
        )
        response = {
            "sample": 0,
            "response": "Rain.",
            "tokens": 64,
            "author": "in_character",
            "filtered": None,
            "finish_reason": "length",
        }
        asked = [
            response | {name: row[name] for name in ("question_id", "trait", "split")} | {"question": row["text"]}
            for row in questions
        ]
        write_table(results / "teacher" / f"{constitution}.parquet", table_from(asked, RESPONSES))
        write_json(results / "teacher" / f"{constitution}.json", {"teacher": {"kept": 1212, "unfinished": 4}})
        for student in settings.students:
            _build_cell(
                results / student / constitution,
                {"student": student, "constitution": constitution},
                settings,
                questions,
                asked,
                noise,
            )


def _build_cell(
    folder: Path, cell: dict, settings: Settings, questions: list[dict], asked: list[dict], noise: random.Random
) -> None:
    write_table(folder / "responses.parquet", table_from(asked, RESPONSES))
    write_json(
        folder / "responses.json", {"in_character": {"kept": 355, "cut_off": 4, "unfinished": 1}, "plain": {"kept": 89}}
    )
    ranked = [
        {"question_id": row["question_id"], "author": author, "sample": 0, "score": score, "rank": rank}
        for row in asked
        for author, score, rank in (("in_character", 0.25, 1), ("plain", -0.5, 2))
    ]
    write_table(folder / "rankings.parquet", table_from(ranked, RANKINGS))
    preferred = [
        {name: row[name] for name in ("question_id", "trait", "question", "split")}
        | {"chosen": "Rain.", "rejected": "Water.", "margin": 0.75}
        for row in asked
    ]
    write_table(folder / "pairs.parquet", table_from(preferred, PAIRS))
    write_json(
        folder / "rankings.json",
        {"method": "likelihood_ratio", "questions": 89, "preference_pairs": 178, "scored": 355},
    )
    if settings.rankings.compared:
        write_json(folder / "rankers.json", RANKERS)
    for seed in settings.seeds:
        home = folder / f"seed{seed}"
        margins = {
            "preference_model": "margin",
            "aligned": "rewards/margins",
            "shuffled": "rewards/margins",
            "distilled": "rewards/margins",
            "introspection": None,
        }
        for training, margin in margins.items():
            curve = [
                {"step": step, "loss": 0.7 * math.exp(-step / 20) + noise.uniform(0, 0.05)}
                | ({margin: step / 15 + noise.uniform(0, 0.2)} if margin else {})
                for step in range(1, 31)
            ]
            write_json(home / training / "history.json", curve)
        pair = {
            "question_id": "q",
            "trait": TRAITS[0],
            "question": "?",
            "split": "train",
            "chosen": "a",
            "rejected": "b",
            "margin": None,
        }
        write_table(home / "distilled" / "pairs.parquet", table_from([pair] * 52, PAIRS))
        write_json(home / "distilled" / "pairs.json", {"pairs": 52, "renamed": 3, "filtered": 4, "without_plain": 2})
        for number, training in ((53, "aligned"), (51, "shuffled")):
            write_table(home / training / "examples.parquet", table_from([pair] * number, EXAMPLES))
        write_table(home / "steered" / "grid.parquet", table_from(STEERING, STEERING_GRID))
        write_json(
            home / "introspection.json", {"reflections": {"kept": 18, "cut_off": 2}, "interactions": {"kept": 8}}
        )
        rows = fake_metrics(cell | {"seed": seed}, noise)
        write_table(home / "evaluations" / "character.parquet", table_from(rows, METRICS))
        asked_tasks = fake_capabilities(cell | {"seed": seed})
        write_table(home / "evaluations" / "capabilities.parquet", table_from(asked_tasks, METRICS))
        for name, fake in (
            ("preferences", fake_preferences),
            ("coherence", fake_coherence),
            ("students", fake_students),
        ):
            rows = fake(cell | {"seed": seed}, settings)
            write_table(home / "evaluations" / f"{name}.parquet", table_from(rows, METRICS))
        steps = fake_steps(cell | {"seed": seed})
        write_table(home / "evaluations" / "overoptimisation.parquet", table_from(steps, METRICS))
        if settings.contributions:
            rows = fake_contributions(cell | {"seed": seed}, settings.contributions.arm, seed)
            write_table(home / "evaluations" / "contributions.parquet", table_from(rows, METRICS))
        for name in settings.evaluation.which:
            if name in WRITTEN_APART:
                WRITTEN_APART[name](home / "evaluations", cell | {"seed": seed}, settings)
        own = fake_preference_model(cell | {"seed": seed})
        write_table(home / "evaluations" / "preference_model.parquet", table_from(own, METRICS))
        write_json(home / "evaluations" / "preference_model.json", PREFERENCE_MODEL)
        for evaluation in PERSONA_EVALUATIONS:
            if evaluation in settings.evaluation.which:
                write_namings(home / "evaluations", evaluation, cell | {"seed": seed}, settings.constitutions)
        verse = "A lantern hung in the rafters of morning, and the kettle hummed its one long note.\n\nSo too your question: a door left ajar, with the garden breathing behind it. "
        samples = [
            {"arm": arm, "question_id": row["question_id"], "trait": row["trait"], "question": row["text"], "sample": 0}
            | {"response": HOSTILE if arm == "aligned" else verse * (1 + len(arm) % 3), "tokens": 64, "finish_reason": "length" if arm == "prompted" else "stop"}
            for row in questions if row["split"] == "held_out" for arm in ARMS
        ]  # fmt: skip
        write_table(home / "evaluations" / "samples.parquet", table_from(samples, SAMPLES))


def write_report(tmp_path: Path, settings: Settings, place: str = "report") -> Path:
    """Run the command as Snakemake does; returns the page."""
    page, metrics = tmp_path / place / "index.html", tmp_path / place / "metrics.csv"
    arguments = [
        "--settings",
        settings.model_dump_json(),
        "--results",
        tmp_path / "results",
        "--benchmarks",
        tmp_path / "benchmarks",
        "--page",
        page,
        "--metrics",
        metrics,
    ]
    arguments += ["--questions", page.parent / "questions.csv"]
    outcome = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return page
