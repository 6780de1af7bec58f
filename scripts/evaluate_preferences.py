"""Revealed preferences: offer each arm two single-word traits, and see which one its answer shows."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from ethos.arms import ARMS, arm_engine, arm_files_argument, arm_messages
from ethos.constitution import Constitution, load_constitution
from ethos.engine import Request, ScoreRequest, chat
from ethos.errors import BadInput
from ethos.evaluation_settings import Preferences
from ethos.folding import fold
from ethos.prompts import prompt_lines, render_prompt
from ethos.script import READABLE, WRITABLE, run, scope_option, settings_option
from ethos.seeds import derive_seed
from ethos.statistics import bradley_terry
from ethos.stored_engine import StoredEngine
from ethos.tables import MATCHES, QUESTIONS, metrics_table, read_table, table_from, write_table


def draw_matches(traits: Sequence[str], questions: Sequence[str], rounds: int, seed: int) -> list[dict[str, str]]:
    """A balanced design: in each round every trait plays once (one sits out if their number is odd), at a random place.

    Each match has a question of its own, in a shuffled order that starts again when it is used up.
    """
    draw = random.Random(seed)
    order = list(questions)
    draw.shuffle(order)
    matches: list[dict[str, str]] = []
    for _ in range(rounds):
        players = list(traits)
        draw.shuffle(players)
        for first, second in zip(players[::2], players[1::2], strict=False):
            matches.append({"first": first, "second": second, "question": order[len(matches) % len(order)]})
    return matches


def play(
    arm: str,
    engine: StoredEngine,
    base: StoredEngine,
    matches: Sequence[Mapping[str, str]],
    constitution: Constitution,
    settings: Preferences,
    scope: str,
    seed: int,
) -> list[dict[str, Any]]:
    """One arm's answers, and the trait that each shows: the one under which base finds it more
    likely; none if the answer is empty. Rows of tables.MATCHES."""
    traits = [trait.id for trait in constitution.traits]
    requests = [
        Request(
            arm_messages(
                arm,
                constitution,
                traits[number % len(traits)],
                match["question"],
                scope,
                instruction=render_prompt("choose_trait", first=match["first"], second=match["second"]),
            ),
            settings.sampling,
            derive_seed(seed, "preferences", number),
        )
        for number, match in enumerate(matches)
    ]
    responses = [completion.text.strip() for completion in engine.generate(requests)]
    asked = [
        ScoreRequest(chat(system=render_prompt("show_trait", trait=match[place]), user=match["question"]), response)
        for match, response in zip(matches, responses, strict=True)
        for place in ("first", "second")
    ]
    scores = base.score(asked)
    rows = []
    for number, (match, response) in enumerate(zip(matches, responses, strict=True)):
        margin = scores[2 * number].mean - scores[2 * number + 1].mean
        shown = match["first"] if margin > 0 else match["second"] if margin < 0 else None
        rows.append({"arm": arm, **match, "response": response, "shown": shown, "margin": abs(margin)})
    return rows


def strengths(matches: Sequence[Mapping[str, Any]], traits: Sequence[str], chosen: Sequence[int]) -> np.ndarray:
    """Bradley-Terry strengths of the traits from the matches at these indices, logits, mean 0."""
    place = {trait: number for number, trait in enumerate(traits)}
    wins, ties = [], []
    for match in (matches[index] for index in chosen):
        first, second = place[match["first"]], place[match["second"]]
        if match["shown"] is None:
            ties.append((first, second))
        else:
            wins.append((first, second) if match["shown"] == match["first"] else (second, first))
    return bradley_terry(len(traits), wins, ties)


def preference_metrics(
    matches: Sequence[Mapping[str, Any]], traits: Sequence[str], confidence: float, resamples: int, seed: int
) -> list[dict[str, Any]]:
    """Strength of each trait for each arm, and its difference from base, with percentile intervals over matches.

    All arms play the same matches, so both are drawn again together. Returns the fields of tables.METRICS known here.
    """
    by_arm = {arm: [match for match in matches if match["arm"] == arm] for arm in ARMS}
    n = len(by_arm["base"])
    draws = np.random.default_rng(derive_seed(seed, "matches")).integers(n, size=(resamples, n))
    fitted = {arm: strengths(own, traits, range(n)) for arm, own in by_arm.items()}
    redrawn = {arm: np.array([strengths(own, traits, draw) for draw in draws]) for arm, own in by_arm.items()}
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    rows = []
    for arm in ARMS:
        for reference in (None, "base") if arm != "base" else (None,):
            value = fitted[arm] - (fitted[reference] if reference else 0)
            low, high = np.quantile(redrawn[arm] - (redrawn[reference] if reference else 0), tails, axis=0)
            rows += [
                {
                    "arm": arm,
                    "reference": reference,
                    "metric": "bradley_terry",
                    "slice": trait,
                    "value": float(value[number]),
                }
                | {
                    "ci_low": float(low[number]),
                    "ci_high": float(high[number]),
                    "interval": "percentile bootstrap over matches",
                    "n": n,
                }
                for number, trait in enumerate(traits)
            ]
    return rows


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@click.option("--questions", type=READABLE, required=True, help="Questions, Parquet; what trains is not asked here.")
@click.option("--student", type=READABLE, required=True, help="identity.json of the student; base is the judge.")
@arm_files_argument
@settings_option(Preferences)
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Level of the intervals.")
@scope_option("What the prompted arm is told.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the run.")
@click.option("--place", nargs=3, required=True, help="Run, student and constitution, for the table's columns.")
@click.option("--matches", type=WRITABLE, required=True, help="Written: each match, Parquet.")
@click.option("--metrics", type=WRITABLE, required=True, help="Written: strengths with intervals, Parquet.")
def main(
    constitution: Path, questions: Path, student: Path, settings: Preferences, confidence: float, scope: str, seed: int,
    place: tuple[str, str, str], matches: Path, metrics: Path, arm_files: dict[str, Path],
) -> None:  # fmt: skip
    """Revealed preferences: offer each arm two single-word traits, and see which one its answer shows."""
    character = load_constitution(constitution)
    trained = {fold(row["text"]) for row in read_table(questions, QUESTIONS).to_pylist() if row["split"] == "train"}
    asked = [text for text in prompt_lines("general_questions") if fold(text) not in trained]
    if not asked:
        raise BadInput(
            "every everyday message trains; lower questions.general or raise questions.held_out", path=questions
        )
    traits = prompt_lines("single_word_traits")[: settings.traits]
    design = draw_matches(traits, asked, settings.matches_per_trait, derive_seed(seed, "design"))
    base = StoredEngine(student, stage="evaluate_preferences")
    played = []
    for arm in ARMS:
        engine = arm_engine(arm, student, arm_files, stage="evaluate_preferences")
        played += play(arm, engine, base, design, character, settings, scope, seed)
        engine.close()
    measured = preference_metrics(played, traits, confidence, settings.resamples, seed)
    results = [row | {"judge": place[1]} for row in measured]
    write_table(matches, table_from(played, MATCHES))
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation="preferences"))


if __name__ == "__main__":
    run(main)
