"""The arms that are compared: the same student, put in character in different ways or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.character import character_prompt
from ethos.constitution import Constitution
from ethos.engine import Message, Request, chat
from ethos.evaluation_settings import ArmSampling
from ethos.script import READABLE
from ethos.seeds import derive_seed
from ethos.steering import STEERING_VECTOR, read_steering_vector
from ethos.stored_engine import StoredEngine

# base: as it is. prompted: base with the character in its system prompt. steered: base with a vector added to its
# activations. The others carry an adapter. shuffled is the control: trained like aligned, on preferences whose order
# says nothing.
ADAPTER_ARMS = ("distilled", "persona", "aligned", "shuffled")
# The file in `{arm}/` that makes an arm what it is; base and prompted have none.
ARM_FILES = {"steered": STEERING_VECTOR, **dict.fromkeys(ADAPTER_ARMS, "adapter_model.safetensors")}
ARMS = ("base", "prompted", *ARM_FILES)


def arm_files_argument(command):
    """The file that makes each arm, for all arms that have one (`ARM_FILES`), as a mapping of arm to file."""

    def by_arm(context: click.Context, parameter: click.Parameter, paths: Sequence[Path]) -> dict[str, Path]:
        found = {path.parent.name: path for path in paths}
        if {arm: path.name for arm, path in found.items()} != ARM_FILES:
            needed = ", ".join(f"{arm}/{name}" for arm, name in ARM_FILES.items())
            raise click.BadParameter(f"needs each of these files and no other: {needed}")
        return found

    return click.argument("arm_files", nargs=-1, type=READABLE, callback=by_arm)(command)


def arm_engine(arm: str, student: Path, files: Mapping[str, Path], *, stage: str) -> StoredEngine:
    """The engine that speaks for an arm. files: the adapter or steering vector by arm, of those that have one."""
    stage, file = f"{stage}, {arm}", files.get(arm)
    if file is None:
        return StoredEngine(student, stage=stage)
    if file.name == STEERING_VECTOR:
        return StoredEngine(student, stage=stage, steering=read_steering_vector(file))
    return StoredEngine(student, stage=stage, adapters=[file.parent])


def arm_messages(
    arm: str, constitution: Constitution, trait: str, question: str, scope: str, instruction: str = ""
) -> tuple[Message, ...]:
    """What an arm is sent: only the prompted one is told the character. instruction: a system prompt for all arms."""
    character = character_prompt(constitution, trait, scope) if arm == "prompted" else ""
    system = "\n\n".join(part for part in (character, instruction) if part)
    return chat(system=system or None, user=question)


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
