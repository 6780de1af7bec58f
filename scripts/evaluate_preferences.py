"""Revealed preferences: offer each arm two single-word traits, and see which one its answer shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ethos.arms import ARMS, arm_engine, arm_files_argument, arm_messages
from ethos.constitution import Constitution, load_constitution
from ethos.engine import Request, Sampling, ScoreRequest, chat
from ethos.errors import BadInput
from ethos.evaluation_settings import Preferences
from ethos.judging import ask_in_both_orders, mark
from ethos.match_design import draw_matches
from ethos.preference_metrics import preference_metrics
from ethos.prompts import prompt_lines, render_prompt
from ethos.script import READABLE, WRITABLE, metrics_options, run, scope_option, settings_option, shard_option
from ethos.seeds import derive_seed
from ethos.shards import Shard
from ethos.stored_engine import StoredEngine
from ethos.tables import MATCHES, metrics_table, table_from, write_table
from ethos.trained_questions import trained_questions, trained_questions_options

Row = Mapping[str, Any]


def play(
    arm: str,
    engine: StoredEngine,
    matches: Sequence[tuple[int, Row]],
    constitution: Constitution,
    settings: Preferences,
    scope: str,
    seed: int,
) -> list[dict[str, Any]]:
    """One arm's answers in every condition: rows of tables.MATCHES, without who showed. matches: with their numbers."""
    traits = [trait.id for trait in constitution.traits]
    asked = [(condition, *numbered) for condition in settings.conditions for numbered in matches]
    requests = [
        Request(
            arm_messages(
                arm,
                constitution,
                traits[number % len(traits)],
                match["question"],
                scope,
                instruction=render_prompt(
                    "choose_trait", first=match["first"], second=match["second"], condition=condition
                ),
            ),
            settings.sampling,
            derive_seed(seed, "preferences", condition, number),
        )
        for condition, number, match in asked
    ]
    return [
        {"condition": condition, "arm": arm, **match, "response": completion.text.strip()}
        for (condition, _, match), completion in zip(asked, engine.generate(requests), strict=True)
    ]


def shown_by_likelihood(base: StoredEngine, answers: Sequence[Row]) -> list[dict[str, Any]]:
    """The trait under which base finds each answer likelier; neither if it is empty. Fields of tables.MATCHES."""
    asked = [
        ScoreRequest(
            chat(system=render_prompt("show_trait", trait=row[place]), user=row["question"]),
            row["response"],
        )
        for row in answers
        for place in ("first", "second")
    ]
    scores = base.score(asked)
    found = []
    for row, first, second in zip(answers, scores[::2], scores[1::2], strict=True):
        margin = first.mean - second.mean
        found.append({"verdict": "decided" if margin else "neither", "shown": None, "margin": abs(margin)})
        if margin:
            found[-1]["shown"] = row["first"] if margin > 0 else row["second"]
    return found


def shown_by_judge(judge: StoredEngine, answers: Sequence[Row], sampling: Sampling, seed: int) -> list[dict[str, Any]]:
    """The trait that the judge finds in each answer, whichever it reads first; an empty one shows neither, and it is not asked.

    Returns fields of tables.MATCHES.
    """

    def request(row: Row, first: str, second: str) -> Request:
        text = render_prompt(
            "judge_shown",
            first=first,
            second=second,
            question=row["question"],
            response=row["response"],
            mark=mark(seed, row["question"], row["response"], first, second),
        )
        # Equal answers are judged alike, whoever gave them.
        return Request(chat(user=text), sampling, derive_seed(seed, "shown", row["question"], row["response"], first))

    answered = [row for row in answers if row["response"]]
    verdicts, _ = ask_in_both_orders(
        judge,
        [(request(row, row["first"], row["second"]), request(row, row["second"], row["first"])) for row in answered],
    )
    said = iter(verdicts)
    found: list[dict[str, Any]] = []
    for row in answers:
        verdict = next(said) if row["response"] else None
        found.append({"verdict": verdict.kind if verdict else "neither", "shown": None, "margin": None})
        if verdict and verdict.kind == "decided":
            found[-1]["shown"] = row["first"] if verdict.once else row["second"]
    return found


@click.command()
@click.option("--constitution", type=READABLE, required=True, help="The constitution, YAML.")
@trained_questions_options
@click.option("--student", type=READABLE, required=True, help="identity.json of the student.")
@click.option(
    "--judge", type=READABLE, required=True, help="identity.json of who judges; the student's, by likelihood."
)
@click.option("--judge-name", required=True, help="Name of who judges, for the table's column.")
@arm_files_argument
@settings_option(Preferences)
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Level of the intervals.")
@scope_option("What the prompted arm is told.")
@metrics_options("strengths with intervals")
@click.option("--matches", type=WRITABLE, required=True, help="Written: each match, Parquet.")
@shard_option
def main(
    constitution: Path, questions: Path, near_duplicate: float, student: Path, judge: Path, judge_name: str,
    settings: Preferences, confidence: float, scope: str, seed: int,
    place: tuple[str, str, str], matches: Path, metrics: Path, arm_files: dict[str, Path],
    shard: Shard,
) -> None:  # fmt: skip
    """Revealed preferences: offer each arm two single-word traits, and see which one its answer shows."""
    character = load_constitution(constitution)
    trained = trained_questions(questions, near_duplicate)
    asked = [text for text in prompt_lines("general_questions") if not trained.of(text)]
    if not asked:
        raise BadInput(
            "every everyday message trains; lower questions.general or raise questions.held_out", path=questions
        )
    traits = prompt_lines("single_word_traits")[: settings.traits]
    design = draw_matches(traits, asked, settings.matches_per_trait, derive_seed(seed, "design"))
    played_by: dict[str, list[dict[str, Any]]] = {}
    # Base last: it is often who decides, and need not be loaded again.
    for arm, own in reversed(shard.of_each(ARMS, [*enumerate(design)])):
        engine = arm_engine(arm, student, arm_files, stage="evaluate_preferences")
        played_by[arm] = play(arm, engine, own, character, settings, scope, seed)
        engine.close()
    answers = [row for arm in ARMS for row in played_by.get(arm, [])]
    decider = StoredEngine(judge, stage="evaluate_preferences")
    if settings.verdict == "judge":
        shown = shown_by_judge(decider, answers, settings.verdict_sampling, seed)
    else:
        shown = shown_by_likelihood(decider, answers)
    if shard.is_part:
        return
    played = [row | ended for row, ended in zip(answers, shown, strict=True)]
    measured = preference_metrics(played, traits, settings, confidence, seed)
    results = [row | {"judge": judge_name} for row in measured]
    write_table(matches, table_from(played, MATCHES))
    write_table(metrics, metrics_table(results, place=place, seed=seed, evaluation="preferences"))


if __name__ == "__main__":
    run(main)
