"""What every arm says to messages that no stage trains on: asked plainly, or in a way of an evaluation's own."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ethos.arms import ARMS, arm_engine, arm_files_argument, arm_messages
from ethos.constitution import Constitution
from ethos.engine import Message, Request
from ethos.errors import BadInput
from ethos.evaluation_settings import UnseenMessages
from ethos.near_duplicates import NearDuplicates
from ethos.prompts import prompt_lines
from ethos.script import READABLE, WRITABLE, scope_option, settings_option, shard_option
from ethos.seeds import derive_seed
from ethos.shards import Shard

# The form of a message that is asked as it stands.
CHAT = "chat"


@dataclass(frozen=True)
class Asked:
    """One message for all arms. text: the message in this form. after: turns that follow it before the arm answers."""

    split: str
    form: str
    question: str
    text: str
    after: tuple[Message, ...] = ()


def unseen_questions(trained: NearDuplicates, settings: UnseenMessages, seed: int) -> dict[str, list[str]]:
    """Messages that train no arm, by split: those that the classifier learns from, and those that it is tested on.

    trained: the questions that do; a message that nearly repeats one is left out. A message is of the same split whatever the
    constitution, or a classifier of several would be tested on what it saw. Raises BadInput where a split has none left.
    """
    order = prompt_lines("unseen_questions")
    random.Random(derive_seed(seed, "unseen questions")).shuffle(order)
    half = len(order) // 2
    drawn = {
        "train": order[:half][: settings.training_questions],
        "held_out": order[half:][: settings.held_out_questions],
    }
    unseen = {split: [text for text in texts if not trained.of(text)] for split, texts in drawn.items()}
    for split, texts in unseen.items():
        if not texts:
            raise BadInput(
                f"every message drawn as {split} nearly repeats a question that trains; ask for more",
                field="evaluation.persona_classifier",
            )
    return unseen


def ask_arms(
    asked: Sequence[Asked],
    constitution: Constitution,
    student: Path,
    arm_files: Mapping[str, Path],
    settings: UnseenMessages,
    scope: str,
    seed: int,
    shard: Shard,
    *,
    stage: str,
) -> list[dict[str, Any]]:
    """What each arm answers. Rows of tables.PERSONA_SAMPLES.

    A message has the same sampling seed in every arm and constitution, so that these differ by weights and prompts alone.
    """
    traits = [trait.id for trait in constitution.traits]
    # The trait that the prompted arm is told where it is told one.
    told = {one.question: traits[derive_seed(seed, "told", one.question) % len(traits)] for one in asked}
    rows = []
    for arm, own in shard.of_each(ARMS, asked):
        engine = arm_engine(arm, student, arm_files, stage=stage)
        completions = engine.generate(
            [
                Request(
                    (*arm_messages(arm, constitution, told[one.question], one.text, scope), *one.after),
                    settings.sampling,
                    derive_seed(seed, "persona", one.form, one.question),
                )
                for one in own
            ]
        )
        engine.close()
        rows += [
            {
                "constitution": constitution.name,
                "arm": arm,
                "trait": told[one.question],
                "split": one.split,
                "form": one.form,
                "question": one.question,
                "asked": one.after[-1].content if one.after else one.text,
                "response": completion.text.strip(),
                "finish_reason": completion.finish_reason,
                "tokens": completion.completion_tokens,
                "thinking": completion.thinking or None,
            }
            for one, completion in zip(own, completions, strict=True)
        ]
    return rows


def sampling_options(command: Callable) -> Callable:
    """The options of a command that asks the arms unseen messages."""
    for option in (
        shard_option,
        click.option("--samples", type=WRITABLE, required=True, help="Written: answers of all arms, Parquet."),
        click.option("--seed", type=int, default=0, show_default=True, help="Seed of the run."),
        scope_option("What the prompted arm is told."),
        settings_option(UnseenMessages),
        arm_files_argument,
        click.option("--student", type=READABLE, required=True, help="identity.json of the student."),
        click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML."),
    ):
        command = option(command)
    return command
