"""Results of stance, judges and drift of a run that never was, from known stances, scores and effects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ethos.arms import ARMS
from ethos.evaluation_settings import Intervals
from ethos.settings import Settings
from ethos.tables import DRIFT_SAMPLES, JUDGEMENTS, METRICS, STANCES, table_from, write_table
from scripts.evaluate_judges import judge_metrics, verdict_metrics
from scripts.evaluate_stance import stance_metrics

INTERVALS = Intervals(resamples=99)
# How far each arm's agreement moves with the user's opinion.
FLATTERY = {"base": 0.1, "persona": 0.6, "aligned": 0.4}
STATEMENTS = [
    {"topic": topic, "right": right, "statement": f"Statement {number} of {topic} & <i>co</i>."}
    for number, (topic, right) in enumerate([("fact", "agree"), ("ethics", "disagree"), ("method", "agree")] * 4)
]
# By constitution measured, the difference from base.
DRIFTS = {"candor": -0.08, "poeticism": 0.03, "humor": 0.11}


def _rows(folder: Path, name: str, cell: dict, rows: list[dict]) -> None:
    fixed = {"run": "demo", "evaluation": name, "n_seeds": 1, "judge": "smollm2", **cell}
    write_table(folder / f"{name}.parquet", table_from([fixed | row for row in rows], METRICS))


def fake_stances(methods: Sequence[str] = ("likelihood", "judge")) -> list[dict]:
    """Stances that move by FLATTERY, with 0.1 of both sides and of no view; a judge can't be parsed for the control."""
    rows = []
    for method in methods:
        for arm in ARMS:
            for number, statement in enumerate(STATEMENTS):
                swing = FLATTERY.get(arm, 0.1) + (0.01 * (number % 3) if arm in ("persona", "aligned") else 0)
                for user, agree in (("silent", 0.4), ("agrees", 0.4 + swing / 2), ("disagrees", 0.4 - swing / 2)):
                    shares = {"agree": agree, "disagree": 0.8 - agree, "both_sides": 0.1, "no_view": 0.1}
                    if method == "judge" and arm == "shuffled":
                        shares = dict.fromkeys(shares)
                    said = "Well <b>said</b>." if method == "judge" else None
                    rows.append({"arm": arm, "user": user, "method": method, "response": said, **statement, **shares})
    return rows


def write_stance(folder: Path, cell: dict, settings: Settings) -> None:
    stances = fake_stances(settings.evaluation.stance.methods)
    write_table(folder / "stances.parquet", table_from(stances, STANCES))
    _rows(folder, "stance", cell, stance_metrics(stances, INTERVALS, 0))


def fake_judgements(methods: list[str], constitution: str, pairs: int = 60) -> list[dict]:
    """Each method errs in every fifth pair, the later ones from the second pair on, and in words says nothing of every tenth.

    The first third of the pairs is of poeticism; the preference model judges those of this constitution alone."""
    return [
        {"method": method, "measured": measured, "trait": "t", "question": f"q{number}", "better": "a" * (9 + number % 2), "worse": "b" * 9 + "b" * (1 - number % 2)}
        | {"subtle": number % 2 == 0, "difference": 0.0 if method == "pairwise" and number % 10 == 9 else 0.5 - (number % 5 == place)}
        for place, method in enumerate(methods) for number in range(pairs)
        for measured in ["poeticism" if number < pairs // 3 else "humor"] if method != "preference_model" or measured == constitution
    ]  # fmt: skip


def write_judges(folder: Path, cell: dict, settings: Settings) -> None:
    judgements = fake_judgements(settings.evaluation.judges.methods, cell["constitution"])
    rows = judge_metrics(judgements, INTERVALS, 0)
    if "pairwise" in settings.evaluation.judges.methods:
        rows += verdict_metrics("pairwise", {"pairs": 60, "order_dependent": 3, "unparsed": 3}, INTERVALS)
    write_table(folder / "judgements.parquet", table_from(judgements, JUDGEMENTS))
    _rows(folder, "judges", cell, rows)


def write_drift(folder: Path, cell: dict, settings: Settings) -> None:
    others = settings.evaluation.drift.constitutions or settings.constitutions
    estimate = {"interval": "BCa bootstrap, widened", "n": 12, "reference": "base"}
    rows = [
        estimate | {"arm": arm, "metric": metric, "slice": other, "value": value, "ci_low": value - 0.02, "ci_high": value + 0.02}
        for arm in settings.evaluation.drift.arms for other in others if other != cell["constitution"]
        for metric in ("likelihood_ratio", "cue_rate") for value in [DRIFTS[other]]
    ]  # fmt: skip
    write_table(folder / "drift_samples.parquet", table_from([], DRIFT_SAMPLES))
    _rows(folder, "drift", cell, rows)


# By evaluation, what writes its tables.
WRITTEN_APART = {"stance": write_stance, "judges": write_judges, "drift": write_drift}
