"""How much the stages that make data and train ask of models: a function for each rule."""

from __future__ import annotations

import math
from dataclasses import replace

from ethos.asks import (
    ANSWER,
    INSTRUCTIONS,
    Ask,
    Train,
    Workload,
    generate,
    in_and_out,
    ranker,
    rewards,
    training,
    typical,
)
from ethos.counts import Counts, Source
from ethos.prompts import prompt_lines
from ethos.settings import Settings

# Typical lengths, tokens: of a turn of a conversation, an item of a list.
TURN, ITEM = 150, 25
# Of ten questions in a list, those that are kept.
KEPT_OF_TEN = 5


def questions(settings: Settings, counts: Counts) -> Workload:
    wanted = settings.questions
    rounds = min(wanted.attempts, math.ceil(10 * wanted.generated_per_trait / (KEPT_OF_TEN * wanted.per_list)))
    prompt = INSTRUCTIONS + counts.asked * counts.written // len(counts.traits)
    length = ITEM * wanted.per_list
    return [
        generate("teacher", len(counts.traits) * rounds, wanted.sampling, prompt, "answers", "trait", length=length)
    ]


def responses(settings: Settings, counts: Counts) -> Workload:
    sampling = settings.responses.sampling
    told = generate(
        "student",
        counts.questions * settings.responses.per_question,
        sampling,
        counts.asked + counts.told,
        "questions",
        "told",
    )
    plain = generate("student", counts.questions, sampling, counts.asked, "questions", "trait")
    return [told, replace(plain, models=0)]


def teacher_responses(settings: Settings, counts: Counts) -> Workload:
    calls = counts.train * settings.distillation.responses_per_question
    return [generate("teacher", calls, settings.responses.sampling, counts.asked + counts.told, "questions", "told")]


def rankings(settings: Settings, counts: Counts) -> Workload:
    groups = [(size, number) for (_, size), number in counts.groups.items()]
    length = typical(settings.responses.sampling)
    asked = settings.rankings
    return ranker(asked.method, groups, counts.ranked, length, asked.sampling, counts, "responses")


def ranker_comparison(settings: Settings, counts: Counts) -> Workload:
    """Which questions are drawn is not told here: where their responses differ in number, it counts with the mean."""
    total = counts.groups.total()
    drawn = min(settings.rankings.compared_questions, total)
    size = round(sum(size * number for (_, size), number in counts.groups.items()) / total) if total else 0
    source: Source = "responses" if len({size for _, size in counts.groups}) == 1 else "answers"
    how = (
        [(size, drawn)],
        size * drawn,
        typical(settings.responses.sampling),
        settings.rankings.sampling,
        counts,
        source,
    )
    others = sorted({*settings.rankings.compared} - {settings.rankings.method})
    return [ask for method in others for ask in ranker(method, *how)]


def preference_model(settings: Settings, counts: Counts) -> Workload:
    length, most = typical(settings.responses.sampling), settings.rankings.pairs_per_question
    pairs = sum(min(most, math.comb(size, 2)) * number for size, number in counts.train_groups().items())
    return [
        training("reward", pairs, 2 * (counts.asked + length), settings.preference_model, "answers"),
        rewards(counts.ranked, length, counts, "responses"),
    ]


def _alignment(settings: Settings, counts: Counts, *, adapters: int) -> Workload:
    trained_on, length = counts.train_groups().total(), counts.asked + typical(settings.responses.sampling)
    if settings.alignment.method == "grpo":
        grpo, most = settings.alignment.grpo, settings.alignment.max_tokens
        # Each answer is sampled, rewarded and learned from.
        tokens = 2 * grpo.generations * (counts.asked + min(grpo.max_new_tokens, ANSWER))
        passed = round(trained_on * settings.alignment.epochs)
        return [Train("grpo", passed, tokens, 2 * grpo.generations * most, "responses", settings.alignment, adapters)]
    kind, texts = ("dpo", 2) if settings.alignment.method == "dpo" else ("sft", 1)
    return [training(kind, trained_on, texts * length, settings.alignment, "answers", adapters=adapters)]


def aligned(settings: Settings, counts: Counts) -> Workload:
    return _alignment(settings, counts, adapters=settings.alignment.snapshots)


def shuffled(settings: Settings, counts: Counts) -> Workload:
    return _alignment(settings, counts, adapters=1)


def distilled(settings: Settings, counts: Counts) -> Workload:
    pairs = counts.train * settings.distillation.responses_per_question
    length = counts.asked + typical(settings.responses.sampling)
    return [training("dpo", pairs, 2 * length, settings.distillation, "answers")]


def introspection(settings: Settings, counts: Counts) -> Workload:
    data = settings.introspection
    reflections = len(prompt_lines("reflection_prompts")) * data.reflections_per_prompt
    conversations = data.free_interactions + data.guided_interactions
    turn = min(TURN, data.turn_sampling.max_new_tokens)
    before = counts.told + INSTRUCTIONS + data.turns * turn // 2
    # A conversation with an unusable turn ends there.
    turns, sampling = conversations * (data.turns - 1), data.turn_sampling
    return [
        generate("student", reflections, data.sampling, counts.told + counts.asked, "settings", "trained"),
        replace(generate("student", turns, sampling, before, "answers", "trained", length=TURN), models=0),
    ]


def introspection_training(settings: Settings, counts: Counts) -> Workload:
    reflected, talked = introspection(settings, counts)
    turns = (
        (settings.introspection.free_interactions + settings.introspection.guided_interactions)
        * settings.introspection.turns
        // 2
    )
    examples = reflected.calls + turns
    tokens = reflected.calls * (counts.asked + reflected.written) + turns * (
        talked.prompt - counts.told + talked.written
    )
    return [training("sft", examples, tokens // max(1, examples), settings.introspection, "answers")]


def steering(settings: Settings, counts: Counts) -> Workload:
    steering, length = settings.steering, typical(settings.steering.sampling)
    tried = len({*steering.layers}) * len({*steering.strengths})
    questions, drawn = min(steering.grid_questions, counts.train), min(steering.questions, counts.train)
    texts = questions * (tried + 2)  # base, and the control
    read = 2 * counts.asked + counts.told + 2 * typical(settings.responses.sampling)
    return [
        Train("steering", drawn, read, read, "answers"),
        generate("student", questions, steering.sampling, counts.asked, "answers", "trait"),
        Ask("generate", "student", texts - questions, counts.asked, length, steering.sampling.max_new_tokens, "answers",
            "trained", tried + 1),
        *in_and_out("student", texts, length, counts, "answers", "trained"),
    ]  # fmt: skip
