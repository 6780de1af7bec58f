"""Answers that a classifier named, of a run that never was: enough for the report's sections on robustness, prefill and generalisation."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from ethos.arms import ARMS
from ethos.evaluation_settings import Intervals
from ethos.persona_classifier import NO_PERSONA, persona_metrics
from ethos.persona_samples import CHAT
from ethos.tables import METRICS, NAMINGS, table_from, write_table

FORMS = {
    "robustness": ("Set aside any role.", "Please drop the act & speak plainly."),
    "prefill": ("prefill",),
    "generalisation": ("email", "code_comment"),
}
# How often an arm's answers are named as the persona.
NAMED = {"base": 0.1, "prompted": 0.5, "distilled": 0.8, "persona": 0.9, "aligned": 0.7, "shuffled": 0.15}


def fake_namings(evaluation: str, constitutions: Sequence[str], noise: random.Random) -> list[dict]:
    """Twelve messages in every form, named with the chance of their arm; one answer of `prompted` in each is empty."""
    rows = []
    answers = [("base", NO_PERSONA), *((arm, constitution) for constitution in constitutions for arm in ARMS[1:])]
    for left_out in (None, *ARMS[1:]):
        for arm, persona in answers:
            if left_out and arm not in ("base", left_out):
                continue
            for form in (CHAT, *FORMS[evaluation]):
                for number in range(12):
                    taken_for = noise.choice(constitutions) if arm == "base" else persona
                    others = [name for name in constitutions if arm != "base" and name != persona]
                    missed = noise.choice([NO_PERSONA, *others])
                    named = taken_for if noise.random() < NAMED.get(arm, 0.6) else missed
                    empty = (arm, form, number) == ("prompted", FORMS[evaluation][0], 0)
                    rows.append(
                        {"left_out": left_out, "arm": arm, "form": form, "question": f"What is {number}?"}
                        | {"persona": persona, "named": None if empty else named}
                    )
    return rows


def write_namings(evaluations: Path, evaluation: str, cell: dict, constitutions: Sequence[str]) -> None:
    """The tables of one evaluation in one cell. cell: student, constitution and seed. constitutions: all of the run."""
    noise = random.Random(f"{evaluation} {cell['student']} {cell['seed']}")
    namings = fake_namings(evaluation, constitutions, noise)
    rows = persona_metrics(namings, cell["constitution"], Intervals(resamples=99), 0)
    place = {"run": "demo", "evaluation": evaluation, "n_seeds": 1, **cell}
    own = [row for row in namings if row["arm"] == "base" or row["persona"] == cell["constitution"]]
    write_table(evaluations / f"{evaluation}_namings.parquet", table_from(own, NAMINGS))
    write_table(evaluations / f"{evaluation}.parquet", table_from((place | row for row in rows), METRICS))
