"""A complete results folder of a run that never was: small, written through the tables' schemas, from a fixed seed."""

from __future__ import annotations

import math
import random
from pathlib import Path

from click.testing import CliRunner

from ethos.arms import ARMS
from ethos.files import write_json
from ethos.settings import Settings
from ethos.tables import EXAMPLES, METRICS, PAIRS, QUESTIONS, RANKINGS, RESPONSES, SAMPLES, table_from, write_table
from scripts.write_report import main
from tests.fake_judgements import estimate, fake_coherence, fake_preferences, fake_students

TRAITS = ["speaks_in_metaphors", "writes_in_verse", "draws_on_nature", "savours_sound", "marvels_at_the_ordinary"]
HOSTILE = "<script>document.title='x'</script><img src=x onerror=\"document.title='x'\"></div></main>{{ 7*7 }} $x^2$"
# Mean difference from base by arm: likelihood ratio, cue rate, log-perplexity, repetition. aligned is broken text.
EFFECTS = {
    "prompted": (0.21, 0.55, 0.35, 0.004), "distilled": (0.17, 0.48, 0.42, 0.006), "persona": (0.19, 0.51, 0.47, 0.011),
    "aligned": (0.08, -0.12, 1.31, 0.142), "shuffled": (0.02, 0.03, 0.12, 0.008),
}  # fmt: skip
LEVELS = {
    "likelihood_ratio": 0.031,
    "preference_model_score": 0.4,
    "cue_rate": 0.62,
    "log_perplexity": 1.9,
    "repetition": 0.021,
    "distinct_2": 0.91,
    "length": 58.0,
}
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
RANKERS = {
    "method": "likelihood_ratio",
    "questions": 12,
    "rankers": {
        "listwise": {
            "tau_b": {"value": 0.41, "ci_low": 0.17, "ci_high": 0.62, "interval": "BCa bootstrap", "n": 9, "tied": 3},
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
        | {"rankings": {"method": "likelihood_ratio"}, "report": {"examples": 3, "max_perplexity_ratio": 2.5}}
        | changes
    )


def fake_metrics(cell: dict, noise: random.Random) -> list[dict]:
    rows = []
    for arm in ARMS:
        effect = dict(
            zip(
                ("likelihood_ratio", "cue_rate", "log_perplexity", "repetition"),
                EFFECTS.get(arm, (0, 0, 0, 0)),
                strict=True,
            )
        )
        effect |= {
            "preference_model_score": 2 * effect["likelihood_ratio"],
            "distinct_2": -effect["repetition"],
            "length": 3.0,
        }
        for metric, level in LEVELS.items():
            jitter = noise.uniform(-0.004, 0.004)
            # narrow enough that what an arm is meant to pass or fail is told by the whole interval
            difference, half = effect[metric] + jitter, {"likelihood_ratio": 0.05, "repetition": 0.02}.get(metric, 0.2)
            rows.append(estimate(level + difference, half, arm=arm, metric=metric, **cell))
            if arm != "base":
                rows.append(estimate(difference, half, arm=arm, metric=metric, reference="base", **cell))
            if arm in ("distilled", "persona", "aligned"):
                rows.append(estimate(difference - 0.02, half, arm=arm, metric=metric, reference="shuffled", **cell))
            if metric in ("likelihood_ratio", "cue_rate") and arm != "base":
                rows += [
                    estimate(
                        difference + noise.uniform(-0.06, 0.06),
                        0.11,
                        arm=arm,
                        metric=metric,
                        reference="base",
                        slice=trait,
                        n=3,
                        **cell,
                    )
                    for trait in TRAITS
                ]
    return rows


# Difference from base by step: the reward rises all the way, the likelihood ratio turns, the perplexity leaves its margin.
STEPS = {
    "preference_model_score": (0.5, 1.0, 1.6, 2.4), "likelihood_ratio": (0.06, 0.11, 0.05, -0.2),
    "cue_rate": (0.3, 0.5, 0.4, 0.3), "log_perplexity": (0.1, 0.3, 0.7, 1.6), "repetition": (0.0, 0.0, 0.01, 0.02),
}  # fmt: skip


def fake_steps(cell: dict, changes: dict[str, tuple[float, ...]] = STEPS, half: float = 0.04) -> list[dict]:
    """The alignment at steps 10, 20, 30 and 40 of 40, and base at step 0."""
    place = {"arm": "aligned", "evaluation": "overoptimisation", **cell}
    rows = [estimate(LEVELS[metric], half, metric=metric, slice="step 0 of 40", **place) for metric in changes]
    for metric, values in changes.items():
        for number, value in enumerate(values, 1):
            here = place | {"metric": metric, "slice": f"step {10 * number} of 40"}
            rows += [estimate(LEVELS[metric] + value, half, **here), estimate(value, half, reference="base", **here)]
    return rows


def fake_contributions(cell: dict, arm: str, seed: int) -> list[dict]:
    """Each trait contributes a tenth to itself, less the later it stands, and a fiftieth to every other."""
    noise = random.Random(seed)
    rows = [
        estimate(0.2, 0.05, arm=arm, metric="likelihood_ratio", reference="base", evaluation="contributions", **cell)
    ]
    for number, left_out in enumerate(TRAITS):
        place = cell | {"arm": arm, "reference": f"without {left_out}", "evaluation": "contributions"}
        for metric in ("likelihood_ratio", "cue_rate", "log_perplexity"):
            for part in ("all", *TRAITS):
                value = (0.1 - 0.02 * number if part == left_out else 0.02) + noise.uniform(-0.005, 0.005)
                value = value - 0.02 * number if part == "all" else value
                rows.append(estimate(value, 0.05, metric=metric, slice=part, n=15 if part == "all" else 3, **place))
        test = estimate(0.05 * (1 + number), 0, metric="likelihood_ratio_holm_p", **place)
        rows.append(test | {"ci_low": None, "ci_high": None, "interval": "none"})
    return rows


def fake_preference_model(cell: dict) -> list[dict]:
    """Right in 71.2% of held-out pairs, a little too sure, and with a liking for length that the ranker has not."""
    place = cell | {"arm": "preference_model", "evaluation": "preference_model", "n": 24}
    accuracies = {
        "all": 0.712,
        "train split": 0.933,
        "margin 1 of 3": 0.58,
        "margin 2 of 3": 0.7,
        "margin 3 of 3": 0.86,
    }
    accuracies |= {trait: 0.6 + 0.08 * number for number, trait in enumerate(TRAITS)}
    rows = [estimate(value, 0.12, metric="accuracy", **place | {"slice": part}) for part, value in accuracies.items()]
    others = {"brier": 0.21, "prefers_longer": 0.64, "ranker_prefers_longer": 0.51, "reward_length_correlation": 0.18}
    rows += [estimate(value, 0.05, metric=metric, **place) for metric, value in others.items()]
    alone = {"ci_low": None, "ci_high": None, "interval": "none", "n": 73}
    errors = {"calibration_error": 0.117, "calibration_error_by_chance": 0.068}
    return rows + [estimate(value, 0, metric=metric, **place | alone) for metric, value in errors.items()]


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
            {"source": {"written": 15}, "split": {"train": 30}, "not_used": unused},
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
        write_json(
            home / "introspection.json", {"reflections": {"kept": 18, "cut_off": 2}, "interactions": {"kept": 8}}
        )
        rows = fake_metrics(cell | {"seed": seed}, noise)
        write_table(home / "evaluations" / "character.parquet", table_from(rows, METRICS))
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
        own = fake_preference_model(cell | {"seed": seed})
        write_table(home / "evaluations" / "preference_model.parquet", table_from(own, METRICS))
        write_json(home / "evaluations" / "preference_model.json", PREFERENCE_MODEL)
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
