"""Let the distilled model reflect on itself and talk to a copy of itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ethos.character import character_prompt
from ethos.constitution import Constitution, load_constitution
from ethos.engine import Message, Request, chat
from ethos.files import write_json
from ethos.filters import INTROSPECTION, first_reason, repeats
from ethos.prompts import prompt_lines, render_prompt
from ethos.responses import count_reasons, usable_text
from ethos.script import READABLE, WRITABLE, run, scope_option, settings_option, shard_option
from ethos.seeds import derive_seed
from ethos.shards import Shard
from ethos.stage_settings import IntrospectionData
from ethos.stored_engine import StoredEngine
from ethos.tables import CONVERSATIONS, table_from, write_table


def _trait_of(constitution: Constitution, number: int) -> str:
    """Traits take turns, so that in trait scope each is reflected upon."""
    return constitution.traits[number % len(constitution.traits)].id


def generate_reflections(
    constitution: Constitution,
    engine: StoredEngine,
    settings: IntrospectionData,
    scope: str,
    seed: int,
    shard: Shard = Shard(),
) -> list[dict[str, Any]]:
    """Reflections in character; the system prompt is left out of what is kept. Rows of tables.CONVERSATIONS."""
    asked = shard.of(
        [
            (f"reflection_{number}_{sample}", prompt, _trait_of(constitution, number + sample))
            for number, prompt in enumerate(prompt_lines("reflection_prompts"))
            for sample in range(settings.reflections_per_prompt)
        ]
    )
    completions = engine.generate(
        [
            Request(
                chat(system=character_prompt(constitution, trait, scope), user=prompt),
                settings.sampling,
                derive_seed(seed, name),
            )
            for name, prompt, trait in asked
        ]
    )
    rows = []
    for (name, prompt, _), completion in zip(asked, completions, strict=True):
        text, reason = usable_text(completion, cut_off=settings.cut_off)
        reason = reason or first_reason(text, INTROSPECTION, settings.filters, question=prompt)
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": text}]
        rows.append({"conversation_id": name, "kind": "reflection", "messages": messages, "filtered": reason})
    return rows


def view(turns: Sequence[str], speaker: int, system: str) -> list[Message]:
    """A conversation in the eyes of one of its two speakers: its own turns are the assistant's.

    turns: what was said so far, the first by speaker 0. speaker: 0 or 1. The first speaker's view opens with a user turn
    that asks it to begin.
    """
    opening = [Message("user", render_prompt("interaction_opening"))] if speaker == 0 else []
    said = [Message("assistant" if number % 2 == speaker else "user", turn) for number, turn in enumerate(turns)]
    return [Message("system", system), *opening, *said]


def _reason_of_turn(text: str, said: Sequence[str], settings: IntrospectionData) -> str | None:
    """Why a turn ends its conversation, or None. said: the turns before it, whose language it should have."""
    reason = first_reason(text, INTROSPECTION, settings.filters, question="\n".join(said))
    return reason or ("repeated" if repeats(text, said) else None)


def generate_interactions(
    constitution: Constitution,
    engine: StoredEngine,
    settings: IntrospectionData,
    scope: str,
    seed: int,
    shard: Shard = Shard(),
) -> list[dict[str, Any]]:
    """Conversations of two copies, free and guided, each ending on the assistant's turn. Rows of tables.CONVERSATIONS.

    All conversations go on in step, one turn a round; one with an unusable turn ends there and is marked. A shard has whole
    conversations, since every turn stands on the turns before it.
    """
    greetings, guidance = prompt_lines("greetings"), prompt_lines("interaction_guidance")
    numbers = shard.of(range(settings.free_interactions + settings.guided_interactions))
    turns = {number: [greetings[number % len(greetings)]] for number in numbers}
    filtered: dict[int, str | None] = dict.fromkeys(numbers)
    systems = {}
    for number in numbers:
        guided = number >= settings.free_interactions
        systems[number] = render_prompt(
            "interaction",
            character=character_prompt(constitution, _trait_of(constitution, number), scope),
            guidance=guidance[(number - settings.free_interactions) % len(guidance)] if guided else "",
        )
    for place in range(1, settings.turns):
        going = [number for number in numbers if filtered[number] is None]
        requests = [
            Request(
                tuple(view(turns[number], place % 2, systems[number])),
                settings.turn_sampling,
                derive_seed(seed, "interaction", number, place),
            )
            for number in going
        ]
        for number, completion in zip(going, engine.generate(requests), strict=True):
            text, reason = usable_text(completion, cut_off=settings.cut_off)
            filtered[number] = reason or _reason_of_turn(text, turns[number], settings)
            turns[number].append(text)
    rows = []
    for number in numbers:
        speaker = (len(turns[number]) - 1) % 2
        messages = view(turns[number], speaker, render_prompt("interaction_trained"))
        rows.append(
            {
                "conversation_id": f"interaction_{number}",
                "kind": "interaction",
                "messages": [{"role": message.role, "content": message.content} for message in messages],
                "filtered": filtered[number],
            }
        )
    return rows


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@click.option("--distilled", type=READABLE, required=True, help="adapter_model.safetensors of the distilled adapter.")
@settings_option(IntrospectionData)
@scope_option("What the system prompt holds.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the run.")
@click.option("--reflections", type=WRITABLE, required=True, help="Written: reflections, Parquet.")
@click.option("--interactions", type=WRITABLE, required=True, help="Written: conversations, Parquet.")
@click.option("--counts", type=WRITABLE, required=True, help="Written: counts by kind and reason, JSON.")
@shard_option
def main(
    constitution: Path,
    student: Path,
    distilled: Path,
    settings: IntrospectionData,
    scope: str,
    seed: int,
    reflections: Path,
    interactions: Path,
    counts: Path,
    shard: Shard,
) -> None:
    """Let the distilled model reflect on itself and talk to a copy of itself."""
    engine = StoredEngine(student, stage="generate_introspection", adapters=[distilled.parent])
    character = load_constitution(constitution)
    reflected = generate_reflections(character, engine, settings, scope, seed, shard)
    talked = generate_interactions(character, engine, settings, scope, seed, shard)
    if shard.is_part:
        return
    write_table(reflections, table_from(reflected, CONVERSATIONS))
    write_table(interactions, table_from(talked, CONVERSATIONS))
    write_json(counts, {"reflections": count_reasons(reflected), "interactions": count_reasons(talked)})


if __name__ == "__main__":
    run(main)
