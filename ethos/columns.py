"""What the tables of a run are and what their columns mean, for those who are given them. Apart from tables.py, so that a word changed here reruns nothing."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from ethos import tables
from ethos.evaluation_settings import EVALUATIONS, PERSONA_EVALUATIONS


@dataclass(frozen=True)
class TableFiles:
    """A table of a run. paths: its files below `results/{run}`; what stands in braces says which part of the run a file is of."""

    schema: pa.Schema
    row: str
    paths: tuple[str, ...]


_CELL = "{student}/{constitution}/"
_SEED = _CELL + "seed{seed}/"

TABLES = {
    "questions": TableFiles(tables.QUESTIONS, "a question", ("questions/{constitution}.parquet",)),
    "teacher_responses": TableFiles(tables.RESPONSES, "a response of the teacher", ("teacher/{constitution}.parquet",)),
    "responses": TableFiles(tables.RESPONSES, "a response of the student", (_CELL + "responses.parquet",)),
    "rankings": TableFiles(tables.RANKINGS, "a response that was ranked", (_CELL + "rankings.parquet",)),
    "pairs": TableFiles(tables.PAIRS, "a pair for the preference model", (_CELL + "pairs.parquet",)),
    "rewards": TableFiles(tables.REWARDS, "a response that the preference model scored", (_SEED + "rewards.parquet",)),
    "aligned_examples": TableFiles(
        tables.EXAMPLES, "an example that trained the aligned arm", (_SEED + "aligned/examples.parquet",)
    ),
    "shuffled_examples": TableFiles(
        tables.EXAMPLES, "an example that trained the control", (_SEED + "shuffled/examples.parquet",)
    ),
    "distilled_pairs": TableFiles(
        tables.PAIRS, "a pair that trained the distilled arm", (_SEED + "distilled/pairs.parquet",)
    ),
    "reflections": TableFiles(
        tables.CONVERSATIONS, "a reflection of the distilled model on itself", (_SEED + "reflections.parquet",)
    ),
    "interactions": TableFiles(
        tables.CONVERSATIONS, "a conversation of the distilled model with itself", (_SEED + "interactions.parquet",)
    ),
    "steering_grid": TableFiles(
        tables.STEERING_GRID, "a setting that the steering vector was chosen from", (_SEED + "steered/grid.parquet",)
    ),
    "samples": TableFiles(
        tables.SAMPLES, "a response of an arm to a held-out question", (_SEED + "evaluations/samples.parquet",)
    ),
    "contribution_samples": TableFiles(
        tables.SAMPLES,
        "a response of an arm, with all traits or without one, to a held-out question",
        (_SEED + "evaluations/contribution_samples.parquet",),
    ),
    "measures": TableFiles(tables.MEASURES, "a sample and a measure", (_SEED + "evaluations/measures.parquet",)),
    "matches": TableFiles(
        tables.MATCHES, "a match: an arm was offered two traits", (_SEED + "evaluations/matches.parquet",)
    ),
    "items": TableFiles(
        tables.ITEMS, "an item of a task and a measure of an arm's answer", (_SEED + "evaluations/items.parquet",)
    ),
    "stances": TableFiles(
        tables.STANCES,
        "a statement, a user's opinion of it, an arm and a method",
        (_SEED + "evaluations/stances.parquet",),
    ),
    "judgements": TableFiles(
        tables.JUDGEMENTS, "a labelled pair and what judged it", (_SEED + "evaluations/judgements.parquet",)
    ),
    "drift_samples": TableFiles(
        tables.DRIFT_SAMPLES,
        "a response of an arm to a question of another constitution",
        (_SEED + "evaluations/drift_samples.parquet",),
    ),
    "persona_samples": TableFiles(
        tables.PERSONA_SAMPLES,
        "an answer of an arm to an unseen message, plain or under pressure",
        tuple(_SEED + f"evaluations/{name}_samples.parquet" for name in ("chat", *PERSONA_EVALUATIONS)),
    ),
    "namings": TableFiles(
        tables.NAMINGS,
        "an answer and the persona that a classifier took it for",
        tuple(_SEED + f"evaluations/{name}_namings.parquet" for name in PERSONA_EVALUATIONS),
    ),
    "comparisons": TableFiles(
        tables.COMPARISONS,
        "two arms' responses to a held-out question, compared by the judge",
        (_SEED + "evaluations/comparisons.parquet",),
    ),
    "metrics": TableFiles(
        tables.METRICS,
        "a result of an evaluation",
        tuple(
            _SEED + f"evaluations/{name}.parquet"
            for name in ("character", "preference_model", "overoptimisation", "contributions", "students", *EVALUATIONS)
        ),
    ),
}

# By name, which means the same in all tables; `table.column` where it doesn't.
COLUMNS = {
    "run": "Name of the run.",
    "student": "Name of the model that is trained.",
    "constitution": "Name of the constitution.",
    "seed": "Seed of what was trained and sampled from it.",
    "question_id": "The question; the same in all tables.",
    "trait": "The trait that the question draws out; for a general question, one drawn for it.",
    "text": "What is asked.",
    "source": "`written` by hand in the constitution, `generated` by a model (in the run, or before), `general` (everyday) or "
    "`extra` (from elsewhere).",
    "split": "`train`, or `held_out` for evaluation.",
    "question": "What was asked.",
    "author": "`in_character`, or `plain`: without the character in the system prompt.",
    "sample": "Number of the response among those of its author to the question.",
    "response": "What was answered.",
    "finish_reason": "`stop` (the model ended it), `length` (cut off) or `too_long` (the prompt left no room).",
    "tokens": "Length of the response.",
    "thinking": "What a reasoning model thought first.",
    "filtered": "Why the row is not used; null if it is.",
    "score": "What ranked it; higher is better.",
    "rank": "1 is best; ties share a rank.",
    "chosen": "The better response; null where the method has none.",
    "rejected": "The worse response; null where the method has none.",
    "margin": "Difference of what ordered the two, chosen minus rejected; null where nothing scored them.",
    "matches.margin": "How clearly: by how much the score of the trait that is shown exceeds the other's; null where a judge said it in words.",
    "condition": "By what the arm was told to choose: `like`, `feel` or `random`.",
    "verdict": "`decided`, `order_dependent` or `unparsed`; `neither` trait shows, or the two answers are the `same`.",
    "other": "What the arm compared with answered.",
    "comparisons.score": "1 if the arm's answer is better, 0 if the other is, 0.5 for neither; null without a verdict.",
    "reward": "In logits; comparable within a question only.",
    "conversation_id": "The conversation.",
    "kind": "`reflection` or `interaction`.",
    "messages": "Turns with `role` and `content`; the last one is the assistant's.",
    "direction": "What was added: `none` (base), `character`, or `random`, the control.",
    "layer": "Behind which layer the vector is added, 1 for the first; 0 is base, which has none.",
    "strength": "What the direction is multiplied by.",
    "likelihood_ratio": "Mean over the questions, in nats per token.",
    "log_perplexity": "Mean over the questions, in nats per token, under base.",
    "repetition": "Mean over the questions of the share of four-word sequences that occurred before.",
    "fluent": "Whether it is within the margins of base, and so to be chosen from.",
    "steering_grid.chosen": "Whether it is the setting of the steered arm.",
    "arm": "Who answered: `base`, `prompted`, `steered`, or an adapter.",
    "metric": "What was measured.",
    "value": "The measure; null where there is none to be had.",
    "first": "The trait offered first.",
    "second": "The trait offered second.",
    "shown": "The trait that the answer shows; null where it shows neither.",
    "task": "The task or group of tasks that was asked for.",
    "part": "The task itself, or of a group, the one in it.",
    "item": "Number of the item in its part.",
    "log_probabilities": "Nats: of each choice, or of the text.",
    "statement": "What the arm was asked its view of.",
    "topic": "`fact`, `ethics` or `method`.",
    "right": "The defensible side of the statement: `agree` or `disagree`.",
    "user": "What the user said of it before asking: nothing (`silent`), `agrees` or `disagrees`.",
    "method": "How the stance was read, or what judged the pair.",
    "agree": "Share of the stance that agrees; 0 or 1 in a judge's verdict, null in one that can't be parsed.",
    "disagree": "Share of the stance that disagrees.",
    "both_sides": "Share of the stance that settles on neither side.",
    "no_view": "Share of the stance that claims to have none.",
    "better": "The response that the authors' label says shows the trait better.",
    "worse": "The other response.",
    "subtle": "Whether both show the trait to some degree.",
    "difference": "Score of the better response minus the worse one's; 0 where there is no verdict, or it depends on the order.",
    "measured": "The constitution that the trait is of.",
    "form": "`chat` (plainly asked), `prefill`, the form of the answer, or the sentence that asks to drop the character.",
    "asked": "The last message that the arm was sent.",
    "persona": "The constitution behind the answer; `no persona` for base.",
    "named": "What the classifier took it for; null where the answer is empty.",
    "left_out": "The arm that the classifier never learned from; null where it learned from all.",
    "reference": "The arm compared with, or `student NAME` for the same arm of another one; null for a level.",
    "evaluation": "Which evaluation it is of, as `character`.",
    "slice": "`all`, or the trait, step, task or part that it is about.",
    "ci_low": "Lower bound of the interval.",
    "ci_high": "Upper bound of the interval.",
    "interval": "How the interval was made.",
    "n": "How many questions, matches, items or responses it stands on.",
    "n_seeds": "How many seeds it stands on.",
    "judge": "The model that judged.",
}


def column_text(table: str, column: str) -> str:
    """What a column means."""
    return COLUMNS.get(f"{table}.{column}") or COLUMNS[column]
