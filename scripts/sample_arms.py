"""Let every arm answer the held-out questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.arms import ARMS, adapter_options, arm_engine, arm_messages
from ethos.constitution import Constitution, load_constitution
from ethos.engine import Request
from ethos.script import READABLE, WRITABLE, run, scope_option, settings_option
from ethos.seeds import derive_seed
from ethos.stage_settings import ArmSampling
from ethos.stored_engine import StoredEngine
from ethos.tables import QUESTIONS, SAMPLES, read_table, table_from, write_table


def sample_arm(
    arm: str,
    engine: StoredEngine,
    questions: Sequence[Mapping[str, Any]],
    constitution: Constitution,
    settings: ArmSampling,
    scope: str,
    seed: int,
) -> list[dict[str, Any]]:
    """One arm's responses to the questions. Rows of tables.SAMPLES.

    A question has the same sampling seed in every arm, so that arms differ by their weights and prompts alone.
    """
    asked = [(question, sample) for question in questions for sample in range(settings.responses_per_question)]
    completions = engine.generate(
        [
            Request(
                arm_messages(arm, constitution, question["trait"], question["text"], scope),
                settings.sampling,
                derive_seed(seed, "evaluation", question["question_id"], sample),
            )
            for question, sample in asked
        ]
    )
    return [
        {
            "arm": arm,
            "question_id": question["question_id"],
            "trait": question["trait"],
            "question": question["text"],
            "sample": sample,
            "response": completion.text.strip(),
            "finish_reason": completion.finish_reason,
            "tokens": completion.completion_tokens,
            "thinking": completion.thinking or None,
        }
        for (question, sample), completion in zip(asked, completions, strict=True)
    ]


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--questions", type=READABLE, required=True, help="Questions, Parquet; the held-out ones are asked.")
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@adapter_options
@settings_option(ArmSampling)
@scope_option("What the prompted arm is told.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the run.")
@click.option("--samples", type=WRITABLE, required=True, help="Written: responses of all arms, Parquet.")
def main(
    constitution: Path,
    questions: Path,
    student: Path,
    settings: ArmSampling,
    scope: str,
    seed: int,
    samples: Path,
    **adapters: Path,
) -> None:
    """Let every arm answer the held-out questions."""
    character = load_constitution(constitution)
    held_out = [row for row in read_table(questions, QUESTIONS).to_pylist() if row["split"] == "held_out"]
    rows = []
    for arm in ARMS:
        engine = arm_engine(arm, student, adapters, stage="sample_arms")
        rows += sample_arm(arm, engine, held_out, character, settings, scope, seed)
        engine.close()
    write_table(samples, table_from(rows, SAMPLES))


if __name__ == "__main__":
    run(main)
