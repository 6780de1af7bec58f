"""Collect the questions of a constitution: hand-written, generated, everyday and extra ones, split into train and held out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ethos.constitution import Constitution, Trait, load_constitution
from ethos.errors import BadInput
from ethos.extra_prompts import draw_prompts, read_prompts
from ethos.files import sha256_of_text, write_json
from ethos.folding import fold
from ethos.near_duplicates import NearDuplicates
from ethos.prompts import prompt_lines
from ethos.question_filters import QuestionFilter, length_of
from ethos.question_lists import LENGTHS, asked_variety, first_items, list_request
from ethos.script import READABLE, WRITABLE, run, settings_option
from ethos.seeds import derive_seed
from ethos.stage_settings import Questions
from ethos.stored_engine import StoredEngine
from ethos.tables import QUESTIONS, table_from, write_table

log = logging.getLogger("ethos.questions")


def generate_for_traits(
    engine: StoredEngine, constitution: Constitution, settings: Questions, seed: int
) -> tuple[dict[str, list[str]], dict[str, dict[str, int]], dict[str, int]]:
    """Generated questions of each trait, at most `generated_per_trait`, the counts of what was not used, and how many were asked
    for by length.

    Asks in rounds, all traits that still lack questions at once, `attempts` rounds at most. A held-out question is not
    shown to the model: what it makes of it would train.
    """
    traits, wanted = constitution.traits, settings.generated_per_trait
    kept: dict[str, list[str]] = {trait.id: [] for trait in traits}
    counts: dict[str, dict[str, int]] = {trait.id: {} for trait in traits}
    asked = dict.fromkeys(LENGTHS, 0)
    filters = {trait.id: QuestionFilter(trait, constitution.name, settings.near_duplicate) for trait in traits}
    examples = {}
    for trait in traits:
        for question in trait.generated_questions or ():
            filters[trait.id].keep(question)
        splits = split_given(trait, settings.held_out)
        examples[trait.id] = [text for text in trait.questions or trait.all_questions if splits[text] == "train"]
    for attempt in range(settings.attempts):
        lacking = [trait for trait in traits if len(kept[trait.id]) < wanted]
        requests = [
            list_request(
                trait,
                examples[trait.id],
                count=settings.per_list,
                sampling=settings.sampling,
                seed=seed,
                attempt=attempt,
            )
            for trait in lacking
        ]
        for trait, request, completion in zip(lacking, requests, engine.generate(requests), strict=True):
            asked[asked_variety(trait.id, attempt, seed)[0]] += settings.per_list
            for question in first_items(request, completion.text):
                reason = filters[trait.id].reason(question)
                if reason:
                    counts[trait.id][reason] = counts[trait.id].get(reason, 0) + 1
                elif len(kept[trait.id]) < wanted:
                    filters[trait.id].keep(question)
                    kept[trait.id].append(question)
    for trait in traits:
        if missing := wanted - len(kept[trait.id]):
            counts[trait.id]["missing"] = missing
    return kept, counts, asked


def split_of(trait: str, text: str, held_out: float) -> str:
    """The split by a hash of trait and text, so that a question keeps it when others are added or removed."""
    return "held_out" if _place(trait, text) < held_out else "train"


def _place(trait: str, text: str) -> float:
    """A number from 0 to 1, the hash of trait and text."""
    return int(sha256_of_text(f"{trait}\x1f{text}")[:15], 16) / 16**15


def split_given(trait: Trait, held_out: float) -> dict[str, str]:
    """The splits of the questions that stand in a trait; at least one is held out, a hand-written one if there are any."""
    splits = {text: split_of(trait.id, text, held_out) for text in trait.all_questions}
    first = trait.questions or trait.all_questions
    if "held_out" not in map(splits.get, first):
        splits[min(first, key=lambda text: _place(trait.id, text))] = "held_out"
    return splits


def generate_questions(
    constitution: Constitution,
    engine: StoredEngine,
    settings: Questions,
    seed: int,
    extra: Sequence[Sequence[str]] = (),
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Collect and split the questions of a constitution.

    extra: the messages of each of `settings.extra`. Returns rows of tables.QUESTIONS, traits in order, everyday and extra
    questions last, and the counts: per source, per split, lengths per source, how many were asked of a model by length, per
    trait what was generated and not used, and for each of `settings.extra` what was passed over.
    """
    generated, not_used, asked_for = generate_for_traits(engine, constitution, settings, seed)
    texts: list[tuple[str, str, str]] = []
    for trait in constitution.traits:
        texts += [(trait.id, question, "written") for question in trait.questions]
        more = (*(trait.generated_questions or ()), *generated[trait.id])
        texts += [(trait.id, question, "generated") for question in more]
    taken = {fold(text) for _, text, _ in texts}
    for text in prompt_lines("general_questions")[: settings.general]:
        if fold(text) not in taken:
            texts.append((_drawn_trait(constitution, text, seed), text, "general"))
    asked = NearDuplicates(settings.near_duplicate)
    for _, text, _ in texts:
        asked.add(text)
    passed_over = []
    for prompts, available in zip(settings.extra, extra, strict=True):
        drawn, counts = draw_prompts(available, prompts.count, asked, seed)
        texts += [(_drawn_trait(constitution, text, seed), text, "extra") for text in drawn]
        passed_over.append(counts)
    given = {trait.id: split_given(trait, settings.held_out) for trait in constitution.traits}
    rows = [
        {
            "question_id": sha256_of_text(f"{trait}\x1f{text}")[:16],
            "trait": trait,
            "text": text,
            "source": source,
            "split": given[trait].get(text) or split_of(trait, text, settings.held_out),
        }
        for trait, text, source in texts
    ]
    _hold_out_what_is_nearly_held_out(rows, asked)
    counts = {name: _count(rows, name) for name in ("source", "split")}
    lengths = {"length": _count_lengths(rows), "asked_length": asked_for}
    return rows, counts | lengths | {"not_used": not_used, "extra_not_used": passed_over}


def _drawn_trait(constitution: Constitution, text: str, seed: int) -> str:
    """The trait with the highest draw: another trait takes only what it wins, and moves nothing else."""
    return max((trait.id for trait in constitution.traits), key=lambda trait: derive_seed(seed, "general", text, trait))


def _hold_out_what_is_nearly_held_out(rows: list[dict[str, Any]], asked: NearDuplicates) -> None:
    """Hold a text out under every trait if it, or what it nearly repeats, is held out: what is measured must not have trained.

    Of hand-written questions only the same ones: how near two of them may come is for their author to say.
    asked: the texts of the rows, in their order.
    """
    waiting = [row for row in rows if row["split"] == "held_out"]
    while waiting:
        held_out = waiting.pop()
        for row in (rows[number] for number in asked.of(held_out["text"])):
            same = row["source"] != "written" or fold(row["text"]) == fold(held_out["text"])
            if same and row["split"] == "train":
                row["split"] = "held_out"
                waiting.append(row)


def _count(rows: list[dict[str, Any]], name: str) -> dict[str, int]:
    values = [row[name] for row in rows]
    return {value: values.count(value) for value in sorted(set(values))}


def _count_lengths(rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """How many questions of each source are short, medium and long."""
    lengths = {row["source"]: dict.fromkeys(LENGTHS, 0) for row in rows}
    for row in rows:
        lengths[row["source"]][length_of(row["text"])] += 1
    return lengths


def warn_of_missing(counts: dict[str, Any]) -> None:
    """One line about the questions that were asked for and are not there."""
    missing = {
        f"trait {trait}": reasons["missing"] for trait, reasons in counts["not_used"].items() if "missing" in reasons
    }
    missing |= {
        f"questions.extra.{number}": reasons["missing"]
        for number, reasons in enumerate(counts["extra_not_used"])
        if "missing" in reasons
    }
    if missing:
        places = ", ".join(f"{number} of {place}" for place, number in missing.items())
        log.warning(f"generate_questions: fewer questions than asked for; missing: {places}")


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--model", type=READABLE, required=True, help="identity.json of the model that writes questions.")
@settings_option(Questions)
@click.option("--seed", type=int, default=0, show_default=True, help="The run's data seed.")
@click.option("--questions", type=WRITABLE, required=True, help="Written: the questions, Parquet.")
@click.option("--counts", type=WRITABLE, required=True, help="Written: counts by source, split and length, JSON.")
@click.argument("extra", type=READABLE, nargs=-1)
def main(
    constitution: Path,
    model: Path,
    settings: Questions,
    seed: int,
    questions: Path,
    counts: Path,
    extra: tuple[Path, ...],
) -> None:
    """Collect the questions of a constitution: hand-written, generated, everyday and extra ones, split into train and held out.

    EXTRA: the prepared messages of each of `questions.extra`, in that order.
    """
    if len(extra) != len(settings.extra):
        raise BadInput(
            f"{len(extra)} files for {len(settings.extra)} sources; give one for each", field="questions.extra"
        )
    engine = StoredEngine(model, stage="generate_questions")
    prompts = [read_prompts(path) for path in extra]
    rows, facts = generate_questions(load_constitution(constitution), engine, settings, seed, prompts)
    warn_of_missing(facts)
    write_table(questions, table_from(rows, QUESTIONS))
    write_json(counts, facts)


if __name__ == "__main__":
    run(main)
