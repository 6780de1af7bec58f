"""The arms that are compared: the same student, put in character in different ways or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from ethos.character import character_prompt
from ethos.constitution import Constitution
from ethos.engine import Message, chat
from ethos.script import READABLE
from ethos.stored_engine import StoredEngine

# base: as it is. prompted: base with the character in its system prompt. The others carry an adapter. shuffled is the
# control: trained like aligned, on preferences whose order says nothing.
ADAPTER_ARMS = ("distilled", "persona", "aligned", "shuffled")
ARMS = ("base", "prompted", *ADAPTER_ARMS)


def adapter_options(command):
    """An option for each arm that has an adapter."""
    for arm in reversed(ADAPTER_ARMS):
        command = click.option(
            f"--{arm}", type=READABLE, required=True, help=f"adapter_model.safetensors of the {arm} arm."
        )(command)
    return command


def arm_engine(arm: str, student: Path, adapters: Mapping[str, Path], *, stage: str) -> StoredEngine:
    """The engine that speaks for an arm. adapters: `adapter_model.safetensors` by arm."""
    return StoredEngine(student, stage=f"{stage}, {arm}", adapters=[adapters[arm].parent] if arm in adapters else [])


def arm_messages(
    arm: str, constitution: Constitution, trait: str, question: str, scope: str, instruction: str = ""
) -> tuple[Message, ...]:
    """What an arm is sent: only the prompted one is told the character. instruction: a system prompt for all arms."""
    character = character_prompt(constitution, trait, scope) if arm == "prompted" else ""
    system = "\n\n".join(part for part in (character, instruction) if part)
    return chat(system=system or None, user=question)
