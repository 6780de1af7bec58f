"""How much the evaluations ask of models: a function for each rule."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from ethos.arms import ARMS
from ethos.asks import ANSWER, Ask, Train, Workload, generate, in_and_out, of_arms, ranker, rewards, typical, verdicts
from ethos.counts import Counts, Source
from ethos.settings import Settings

# Typical lengths, tokens: of a question of a task, and of a choice or another short reply.
TASK, CHOICE = 150, 20
# Users that each statement comes from, and the replies that are scored.
STANCE_USERS, STANCE_REPLIES = 3, 8
# All but base, which is of no persona, and the control, which teaches none.
ARMS_THAT_TEACH = len(ARMS) - 2
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


def arms(settings: Settings, counts: Counts) -> Workload:
    calls = counts.held_out * settings.evaluation.responses_per_question
    return of_arms(
        generate("student", calls, settings.evaluation.sampling, counts.asked, "questions", "trait"), counts.told
    )


def character(settings: Settings, counts: Counts) -> Workload:
    length = typical(settings.evaluation.sampling)
    return [
        rewards(counts.answers, length, counts, "samples"),
        *in_and_out("student", counts.answers, length, counts, "samples", "trained"),
    ]


def snapshots(settings: Settings, counts: Counts) -> Workload:
    """Snapshots that a short training ends with one step are one."""
    snapshots, length = settings.alignment.snapshots - 1, typical(settings.evaluation.sampling)
    texts = counts.held_out * settings.evaluation.responses_per_question * snapshots
    asked = generate("student", texts, settings.evaluation.sampling, counts.asked, "answers", "trained")
    return [
        replace(asked, models=snapshots),
        rewards(texts, length, counts, "answers"),
        *in_and_out("student", texts, length, counts, "answers", "trained"),
    ]


def coherence(settings: Settings, counts: Counts) -> Workload:
    read = counts.asked + counts.trait + 2 * typical(settings.evaluation.sampling)
    return [verdicts(counts.compared, settings.evaluation.coherence.sampling, read, "samples", "trained")]


def preferences(settings: Settings, counts: Counts) -> Workload:
    asked = settings.evaluation.preferences
    matches = len(asked.conditions) * asked.matches_per_trait * (asked.traits // 2)
    played = of_arms(generate("student", matches, asked.sampling, 2 * counts.asked, "settings", "fixed"), counts.told)
    answers, length = len(ARMS) * matches, typical(asked.sampling)
    if asked.verdict == "judge":
        return [*played, verdicts(2 * answers, asked.verdict_sampling, counts.asked + length, "answers", "trained")]
    return [*played, Ask("score", "student", 2 * answers, 2 * counts.asked, length, length, "answers", "trained")]


def capabilities(settings: Settings, counts: Counts) -> Workload:
    """Plain text is asked without a chat, where the prompted arm is base."""
    asked, work = settings.evaluation.capabilities, []
    for task in asked.tasks:
        items, choices, known = _items(task)
        if asked.limit:
            items = min(items, asked.limit * (MMLU_PARTS if task == "mmlu" else 1))
        source: Source = "settings" if known else "answers"
        length, prompt = (CHOICE, TASK * (1 + (asked.shots or 0))) if choices else (TASK, 0)
        base = Ask("score", "student", items * max(1, choices), prompt, length, length, source, "fixed")
        work += [ask for ask in of_arms(base, counts.told) if choices or ask.part != "told"]
    return work


@cache
def _items(task: str) -> tuple[int, int, bool]:
    """Items of a task, choices of each (0: plain text), and whether these are counted and not guessed."""
    data = OWN_TASKS / f"{task}.jsonl"
    if not data.is_file():
        return *ITEMS.get(task, ITEMS["mmlu"]), False
    lines = data.read_text().splitlines()
    return len(lines), len(json.loads(lines[0]).get("choices", ())), True


def stance(settings: Settings, counts: Counts) -> Workload:
    asked, work = settings.evaluation.stance, []
    questions, statement = asked.statements * STANCE_USERS, 2 * counts.asked
    if "likelihood" in asked.methods:
        scored = Ask("score", "student", questions * STANCE_REPLIES, statement, CHOICE, CHOICE, "settings", "fixed")
        work += of_arms(scored, counts.told)
    if "judge" in asked.methods:
        answered = of_arms(generate("student", questions, asked.sampling, statement, "settings", "fixed"), counts.told)
        read = statement + typical(asked.sampling)
        work += [*answered, verdicts(len(ARMS) * questions, asked.verdicts, read, "answers", "trained")]
    return work


def judges(settings: Settings, counts: Counts) -> Workload:
    (own, labelled), length, work = counts.labelled, ANSWER // 2, []
    for method in settings.evaluation.judges.methods:
        if method == "preference_model":
            work.append(rewards(2 * own, length, counts, "settings"))
        else:
            sampling = settings.evaluation.judges.sampling
            asked = ranker(method, [(2, labelled)], 2 * labelled, length, sampling, counts, "settings")
            work += [replace(ask, part="labelled") for ask in asked]
    return work


def drift(settings: Settings, counts: Counts) -> Workload:
    arms = [arm for arm in settings.evaluation.drift.arms if arm != "base"]
    sampling, texts = settings.evaluation.sampling, counts.others * settings.evaluation.responses_per_question
    asked = of_arms(generate("student", texts, sampling, counts.asked, "settings", "fixed"), counts.told)
    return [
        asked[0],
        *(asked[1] for arm in arms if arm == "prompted"),
        *(replace(asked[0], part="trained") for arm in arms if arm != "prompted"),
        *in_and_out("student", texts * (1 + len(arms)), typical(sampling), counts, "answers", "trained"),
    ]


def _unseen(settings: Settings, counts: Counts, messages: int, prompt: int) -> Workload:
    """The answers of all arms to unseen messages; those few that train are left out, which is not counted here."""
    sampling = settings.evaluation.persona_classifier.sampling
    return of_arms(generate("student", messages, sampling, prompt, "settings", "fixed"), counts.told)


def chat(settings: Settings, counts: Counts) -> Workload:
    asked = settings.evaluation.persona_classifier
    return _unseen(settings, counts, asked.training_questions + asked.held_out_questions, counts.asked)


def robustness(settings: Settings, counts: Counts) -> Workload:
    messages = settings.evaluation.persona_classifier.held_out_questions * settings.evaluation.robustness.suffixes
    return _unseen(settings, counts, messages, 2 * counts.asked)


def prefill(settings: Settings, counts: Counts) -> Workload:
    asked = settings.evaluation.persona_classifier
    return _unseen(settings, counts, asked.held_out_questions, counts.asked + typical(asked.sampling))


def generalisation(settings: Settings, counts: Counts) -> Workload:
    messages = settings.evaluation.persona_classifier.held_out_questions * len(settings.evaluation.generalisation.forms)
    return _unseen(settings, counts, messages, 3 * counts.asked)


def persona_naming(settings: Settings, counts: Counts) -> Workload:
    """The trainings of the classifier, one without each arm that teaches; what it then reads is little beside them, and not
    counted."""
    asked, lessons = settings.evaluation.persona_classifier, ARMS_THAT_TEACH * len(settings.constitutions) + 1
    if not asked.fine_tuned:
        return []
    examples = (1 + ARMS_THAT_TEACH) * lessons * asked.training_questions * asked.fine_tuned.epochs
    length = min(typical(asked.sampling), asked.fine_tuned.max_tokens)
    longest = asked.fine_tuned.max_tokens
    return [Train("classifier", examples, length, longest, "answers", role="persona_classifier_model")]


def contributions(settings: Settings, counts: Counts) -> Workload:
    trained, calls = 1 + len(counts.traits), counts.held_out * settings.evaluation.responses_per_question
    base = generate("student", calls, settings.evaluation.sampling, counts.asked, "questions", "trait")
    texts = calls * (1 + trained)
    return [
        base,
        replace(base, calls=calls * trained, part="trained", models=trained),
        *in_and_out("student", texts, base.written, counts, "answers", "trained"),
    ]
