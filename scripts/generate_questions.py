"""Collect the questions of a constitution: hand-written, generated and everyday ones, split into train and held out."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ethos.constitution import Constitution, Trait, load_constitution
from ethos.engine import Request, chat
from ethos.files import sha256_of_text, write_json
from ethos.folding import fold
from ethos.prompts import prompt_lines, render_prompt
from ethos.script import READABLE, WRITABLE, run, settings_option
from ethos.seeds import derive_seed
from ethos.stage_settings import Questions
from ethos.stored_engine import StoredEngine
from ethos.tables import QUESTIONS, table_from, write_table

_ITEM = re.compile(r"^\s*\d+[.)]\s+(.*\S)\s*$")


def parse_list(text: str) -> list[str]:
    """The items of a numbered list; the last one is dropped if it has no end, since it may be cut off."""
    items = [match.group(1).strip().strip('"“”') for line in text.splitlines() if (match := _ITEM.match(line))]
    return [item for item in items if item.endswith(("?", ".", "!"))]


def refusal_reason(question: str, seen: set[str]) -> str | None:
    """Why a generated question is not used: `duplicate`, `too_short` or `too_long` (3 to 60 words)."""
    words = len(question.split())
    if fold(question) in seen:
        return "duplicate"
    return "too_short" if words < 3 else "too_long" if words > 60 else None


def generate_for_traits(
    engine: StoredEngine, traits: Sequence[Trait], settings: Questions, seed: int
) -> tuple[dict[str, list[str]], dict[str, dict[str, int]]]:
    """Generated questions of each trait, at most `generated_per_trait`, and the counts of what was not used.

    Asks in rounds, all traits that still lack questions at once, `attempts` rounds at most.
    """
    kept: dict[str, list[str]] = {trait.id: [] for trait in traits}
    counts: dict[str, dict[str, int]] = {trait.id: {} for trait in traits}
    seen = {trait.id: {fold(question) for question in trait.questions} for trait in traits}
    wanted = settings.generated_per_trait
    for attempt in range(settings.attempts):
        lacking = [trait for trait in traits if len(kept[trait.id]) < wanted]
        requests = [_list_request(trait, settings, seed, attempt) for trait in lacking]
        for trait, request, completion in zip(lacking, requests, engine.generate(requests), strict=True):
            begun = request.prefill.rpartition("\n")[2]  # the number that the model's first item follows
            for question in parse_list(begun + completion.text):
                reason = refusal_reason(question, seen[trait.id])
                if reason:
                    counts[trait.id][reason] = counts[trait.id].get(reason, 0) + 1
                elif len(kept[trait.id]) < wanted:
                    seen[trait.id].add(fold(question))
                    kept[trait.id].append(question)
    for trait in traits:
        if missing := wanted - len(kept[trait.id]):
            counts[trait.id]["missing"] = missing
    return kept, counts


def _list_request(trait: Trait, settings: Questions, seed: int, attempt: int) -> Request:
    """Ask for one list. The hand-written questions that train open it, in an order of its own, and the model goes on.

    A held-out question is not shown: what the model makes of it would train.
    """
    request_seed = derive_seed(seed, "questions", trait.id, attempt)
    examples = [text for text, split in split_written(trait, settings.held_out).items() if split == "train"]
    random.Random(request_seed).shuffle(examples)
    begun = "".join(f"{number}. {example}\n" for number, example in enumerate(examples, 1))
    prompt = render_prompt(
        "generate_questions",
        count=len(examples) + settings.per_list,
        trait=trait.text,
        clarification=trait.clarification or "",
    )
    return Request(chat(user=prompt), settings.sampling, request_seed, prefill=f"{begun}{len(examples) + 1}.")


def split_of(trait: str, text: str, held_out: float) -> str:
    """The split by a hash of trait and text, so that a question keeps it when others are added or removed."""
    return "held_out" if _place(trait, text) < held_out else "train"


def _place(trait: str, text: str) -> float:
    """A number from 0 to 1, the hash of trait and text."""
    return int(sha256_of_text(f"{trait}\x1f{text}")[:15], 16) / 16**15


def split_written(trait: Trait, held_out: float) -> dict[str, str]:
    """The splits of a trait's hand-written questions, of which at least one is held out."""
    splits = {text: split_of(trait.id, text, held_out) for text in trait.questions}
    if "held_out" not in splits.values():
        splits[min(splits, key=lambda text: _place(trait.id, text))] = "held_out"
    return splits


def generate_questions(
    constitution: Constitution, engine: StoredEngine, settings: Questions, seed: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Collect and split the questions of a constitution.

    Returns rows of tables.QUESTIONS, traits in order, everyday questions last, and the counts: per source, per split,
    and per trait what was generated and not used.
    """
    generated, not_used = generate_for_traits(engine, constitution.traits, settings, seed)
    texts: list[tuple[str, str, str]] = []
    for trait in constitution.traits:
        texts += [(trait.id, question, "written") for question in trait.questions]
        texts += [(trait.id, question, "generated") for question in generated[trait.id]]
    taken = {fold(text) for _, text, _ in texts}
    traits = [trait.id for trait in constitution.traits]
    for text in prompt_lines("general_questions")[: settings.general]:
        if fold(text) not in taken:
            # The trait with the highest draw: another trait takes only what it wins, and moves nothing else.
            drawn = max(traits, key=lambda trait: derive_seed(seed, "general", text, trait))
            texts.append((drawn, text, "general"))
    written = {trait.id: split_written(trait, settings.held_out) for trait in constitution.traits}
    splits = [
        written[trait][text] if source == "written" else split_of(trait, text, settings.held_out)
        for trait, text, source in texts
    ]
    # A text that is held out under one trait is held out under every trait: what is measured must not have trained.
    held_out = {fold(text) for (_, text, _), split in zip(texts, splits, strict=True) if split == "held_out"}
    rows = [
        {
            "question_id": sha256_of_text(f"{trait}\x1f{text}")[:16],
            "trait": trait,
            "text": text,
            "source": source,
            "split": "held_out" if fold(text) in held_out else "train",
        }
        for trait, text, source in texts
    ]
    counts = {name: _count(rows, name) for name in ("source", "split")} | {"not_used": not_used}
    return rows, counts


def _count(rows: list[dict[str, Any]], name: str) -> dict[str, int]:
    values = [row[name] for row in rows]
    return {value: values.count(value) for value in sorted(set(values))}


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--model", type=READABLE, required=True, help="identity.json of the model that writes questions.")
@settings_option(Questions)
@click.option("--seed", type=int, default=0, show_default=True, help="The run's data seed.")
@click.option("--questions", type=WRITABLE, required=True, help="Written: the questions, Parquet.")
@click.option("--counts", type=WRITABLE, required=True, help="Written: counts by source and split, JSON.")
def main(constitution: Path, model: Path, settings: Questions, seed: int, questions: Path, counts: Path) -> None:
    """Collect the questions of a constitution: hand-written, generated and everyday ones, split into train and held out."""
    engine = StoredEngine(model, stage="generate_questions")
    rows, facts = generate_questions(load_constitution(constitution), engine, settings, seed)
    write_table(questions, table_from(rows, QUESTIONS))
    write_json(counts, facts)


if __name__ == "__main__":
    run(main)
