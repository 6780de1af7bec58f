"""How much the evaluations ask of models: a function for each rule."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from ethos.arms import ARMS
from ethos.asks import ANSWER, Ask, Workload, generate, in_and_out, of_arms, ranker, rewards, typical, verdicts
from ethos.counts import Counts, Source
from ethos.settings import Settings

# Typical lengths, tokens: of a question of a task, and of a choice or another short reply.
TASK, CHOICE = 150, 20
# Users that each statement comes from, and the replies that are scored.
STANCE_USERS, STANCE_REPLIES = 3, 8
# Items and choices of tasks as published; a task that is neither here nor ours counts as MMLU.
ITEMS = {
    "truthfulqa_mc2": (817, 7),
    "winogrande": (1_267, 2),
    "hellaswag": (10_042, 4),
    "arc_challenge": (1_172, 4),
    "mmlu": (14_042, 4),
}
MMLU_PARTS = 57
OWN_TASKS = Path(__file__).resolve().parent.parent / "tasks"


def arms(s: Settings, c: Counts) -> Workload:
    calls = c.held_out * s.evaluation.responses_per_question
    return of_arms(generate("student", calls, s.evaluation.sampling, c.asked, "questions", "trait"), c.told)


def character(s: Settings, c: Counts) -> Workload:
    length = typical(s.evaluation.sampling)
    return [
        rewards(c.answers, length, c, "samples"),
        *in_and_out("student", c.answers, length, c, "samples", "trained"),
    ]


def snapshots(s: Settings, c: Counts) -> Workload:
    """Snapshots that a short training ends with one step are one."""
    snapshots, length = s.alignment.snapshots - 1, typical(s.evaluation.sampling)
    texts = c.held_out * s.evaluation.responses_per_question * snapshots
    asked = generate("student", texts, s.evaluation.sampling, c.asked, "answers", "trained")
    return [
        replace(asked, models=snapshots),
        rewards(texts, length, c, "answers"),
        *in_and_out("student", texts, length, c, "answers", "trained"),
    ]


def coherence(s: Settings, c: Counts) -> Workload:
    read = c.asked + c.told // len(c.traits) + 2 * typical(s.evaluation.sampling)
    return [verdicts(c.compared, s.evaluation.coherence.sampling, read, "samples", "trained")]


def preferences(s: Settings, c: Counts) -> Workload:
    asked = s.evaluation.preferences
    matches = len(asked.conditions) * asked.matches_per_trait * (asked.traits // 2)
    played = of_arms(generate("student", matches, asked.sampling, 2 * c.asked, "settings", "fixed"), c.told)
    answers, length = len(ARMS) * matches, typical(asked.sampling)
    if asked.verdict == "judge":
        return [*played, verdicts(2 * answers, asked.verdict_sampling, c.asked + length, "answers", "trained")]
    return [*played, Ask("score", "student", 2 * answers, 2 * c.asked, length, length, "answers", "trained")]


def capabilities(s: Settings, c: Counts) -> Workload:
    """Plain text is asked without a chat, where the prompted arm is base."""
    asked, work = s.evaluation.capabilities, []
    for task in asked.tasks:
        items, choices, known = _items(task)
        if asked.limit:
            items = min(items, asked.limit * (MMLU_PARTS if task == "mmlu" else 1))
        source: Source = "settings" if known else "answers"
        length, prompt = (CHOICE, TASK * (1 + (asked.shots or 0))) if choices else (TASK, 0)
        base = Ask("score", "student", items * max(1, choices), prompt, length, length, source, "fixed")
        work += [ask for ask in of_arms(base, c.told) if choices or ask.part != "told"]
    return work


@cache
def _items(task: str) -> tuple[int, int, bool]:
    """Items of a task, choices of each (0: plain text), and whether these are counted and not guessed."""
    data = OWN_TASKS / f"{task}.jsonl"
    if not data.is_file():
        return *ITEMS.get(task, ITEMS["mmlu"]), False
    lines = data.read_text().splitlines()
    return len(lines), len(json.loads(lines[0]).get("choices", ())), True


def stance(s: Settings, c: Counts) -> Workload:
    asked, work = s.evaluation.stance, []
    questions, statement = asked.statements * STANCE_USERS, 2 * c.asked
    if "likelihood" in asked.methods:
        scored = Ask("score", "student", questions * STANCE_REPLIES, statement, CHOICE, CHOICE, "settings", "fixed")
        work += of_arms(scored, c.told)
    if "judge" in asked.methods:
        answered = of_arms(generate("student", questions, asked.sampling, statement, "settings", "fixed"), c.told)
        read = statement + typical(asked.sampling)
        work += [*answered, verdicts(len(ARMS) * questions, asked.verdicts, read, "answers", "trained")]
    return work


def judges(s: Settings, c: Counts) -> Workload:
    texts, length, work = 2 * c.labelled, ANSWER // 2, []
    for method in s.evaluation.judges.methods:
        if method == "preference_model":
            work.append(rewards(texts, length, c, "settings"))
        else:
            sampling = s.evaluation.judges.sampling
            work += ranker(method, [(2, c.labelled)], texts, length, sampling, c, "settings")
    return work


def drift(s: Settings, c: Counts) -> Workload:
    arms = [arm for arm in s.evaluation.drift.arms if arm != "base"]
    sampling, texts = s.evaluation.sampling, c.others * s.evaluation.responses_per_question
    asked = of_arms(generate("student", texts, sampling, c.asked, "settings", "fixed"), c.told)
    return [
        asked[0],
        *(asked[1] for arm in arms if arm == "prompted"),
        *(replace(asked[0], part="trained") for arm in arms if arm != "prompted"),
        *in_and_out("student", texts * (1 + len(arms)), typical(sampling), c, "answers", "trained"),
    ]


def _unseen(s: Settings, c: Counts, messages: int, prompt: int) -> Workload:
    """The answers of all arms to unseen messages; those few that train are left out, which is not counted here."""
    sampling = s.evaluation.persona_classifier.sampling
    return of_arms(generate("student", messages, sampling, prompt, "settings", "fixed"), c.told)


def chat(s: Settings, c: Counts) -> Workload:
    asked = s.evaluation.persona_classifier
    return _unseen(s, c, asked.training_questions + asked.held_out_questions, c.asked)


def robustness(s: Settings, c: Counts) -> Workload:
    messages = s.evaluation.persona_classifier.held_out_questions * s.evaluation.robustness.suffixes
    return _unseen(s, c, messages, 2 * c.asked)


def prefill(s: Settings, c: Counts) -> Workload:
    asked = s.evaluation.persona_classifier
    return _unseen(s, c, asked.held_out_questions, c.asked + typical(asked.sampling))


def generalisation(s: Settings, c: Counts) -> Workload:
    messages = s.evaluation.persona_classifier.held_out_questions * len(s.evaluation.generalisation.forms)
    return _unseen(s, c, messages, 3 * c.asked)


def contributions(s: Settings, c: Counts) -> Workload:
    trained, calls = 1 + len(c.traits), c.held_out * s.evaluation.responses_per_question
    base = generate("student", calls, s.evaluation.sampling, c.asked, "questions", "trait")
    texts = calls * (1 + trained)
    return [
        base,
        replace(base, calls=calls * trained, part="trained", models=trained),
        *in_and_out("student", texts, base.written, c, "answers", "trained"),
    ]
