"""How much the stages that make data and train ask of models: a function for each rule."""

from __future__ import annotations

import math

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


def questions(s: Settings, c: Counts) -> Workload:
    wanted = s.questions
    rounds = min(wanted.attempts, math.ceil(10 * wanted.generated_per_trait / (KEPT_OF_TEN * wanted.per_list)))
    prompt = INSTRUCTIONS + c.asked * c.written // len(c.traits)
    length = ITEM * wanted.per_list
    return [generate("teacher", len(c.traits) * rounds, wanted.sampling, prompt, "answers", "trait", length=length)]


def responses(s: Settings, c: Counts) -> Workload:
    sampling = s.responses.sampling
    told = generate("student", c.questions * s.responses.per_question, sampling, c.asked + c.told, "questions", "told")
    return [told, generate("student", c.questions, sampling, c.asked, "questions", "trait")]


def teacher_responses(s: Settings, c: Counts) -> Workload:
    calls = c.train * s.distillation.responses_per_question
    return [generate("teacher", calls, s.responses.sampling, c.asked + c.told, "questions", "told")]


def rankings(s: Settings, c: Counts) -> Workload:
    groups = [(size, number) for (_, size), number in c.groups.items()]
    length = typical(s.responses.sampling)
    return [*ranker(s.rankings.method, groups, c.ranked, length, s.rankings.sampling, c, "responses")]


def ranker_comparison(s: Settings, c: Counts) -> Workload:
    """Which questions are drawn is not told here: where their responses differ in number, it counts with the mean."""
    total = c.groups.total()
    drawn = min(s.rankings.compared_questions, total)
    size = round(sum(size * number for (_, size), number in c.groups.items()) / total) if total else 0
    source: Source = "responses" if len({size for _, size in c.groups}) == 1 else "answers"
    how = [(size, drawn)], size * drawn, typical(s.responses.sampling), s.rankings.sampling, c, source
    others = sorted({*s.rankings.compared} - {s.rankings.method})
    return [ask for method in others for ask in ranker(method, *how)]


def preference_model(s: Settings, c: Counts) -> Workload:
    length, most = typical(s.responses.sampling), s.rankings.pairs_per_question
    pairs = sum(min(most, math.comb(size, 2)) * number for size, number in c.train_groups().items())
    return [
        training("reward", pairs, 2 * (c.asked + length), s.preference_model, "answers"),
        rewards(c.ranked, length, c, "responses"),
    ]


def _alignment(s: Settings, c: Counts, *, adapters: int) -> Workload:
    trained_on, length = c.train_groups().total(), c.asked + typical(s.responses.sampling)
    if s.alignment.method == "grpo":
        grpo, most = s.alignment.grpo, s.alignment.max_tokens
        # Each answer is sampled, rewarded and learned from.
        tokens = 2 * grpo.generations * (c.asked + min(grpo.max_new_tokens, ANSWER))
        passed = round(trained_on * s.alignment.epochs)
        return [Train("grpo", passed, tokens, 2 * grpo.generations * most, "responses", s.alignment, adapters)]
    kind, texts = ("dpo", 2) if s.alignment.method == "dpo" else ("sft", 1)
    return [training(kind, trained_on, texts * length, s.alignment, "answers", adapters=adapters)]


def aligned(s: Settings, c: Counts) -> Workload:
    return _alignment(s, c, adapters=s.alignment.snapshots)


def shuffled(s: Settings, c: Counts) -> Workload:
    return _alignment(s, c, adapters=1)


def distilled(s: Settings, c: Counts) -> Workload:
    pairs = c.train * s.distillation.responses_per_question
    length = c.asked + typical(s.responses.sampling)
    return [training("dpo", pairs, 2 * length, s.distillation, "answers")]


def introspection(s: Settings, c: Counts) -> Workload:
    data = s.introspection
    reflections = len(prompt_lines("reflection_prompts")) * data.reflections_per_prompt
    conversations = data.free_interactions + data.guided_interactions
    turn = min(TURN, data.turn_sampling.max_new_tokens)
    before = c.told + INSTRUCTIONS + data.turns * turn // 2
    return [
        generate("student", reflections, data.sampling, c.told + c.asked, "settings", "trained"),
        # A conversation with an unusable turn ends there.
        generate(
            "student", conversations * (data.turns - 1), data.turn_sampling, before, "answers", "trained", length=TURN
        ),
    ]


def introspection_training(s: Settings, c: Counts) -> Workload:
    reflected, talked = introspection(s, c)
    assert isinstance(reflected, Ask) and isinstance(talked, Ask)
    turns = (s.introspection.free_interactions + s.introspection.guided_interactions) * s.introspection.turns // 2
    examples = reflected.calls + turns
    tokens = reflected.calls * (c.asked + reflected.written) + turns * (talked.prompt - c.told + talked.written)
    return [training("sft", examples, tokens // max(1, examples), s.introspection, "answers")]


def steering(s: Settings, c: Counts) -> Workload:
    steering, length = s.steering, typical(s.steering.sampling)
    tried = len({*steering.layers}) * len({*steering.strengths})
    questions, drawn = min(steering.grid_questions, c.train), min(steering.questions, c.train)
    texts = questions * (tried + 2)  # base, and the control
    read = 2 * c.asked + c.told + 2 * typical(s.responses.sampling)
    return [
        Train("steering", drawn, read, read, "answers"),
        generate("student", questions, steering.sampling, c.asked, "answers", "trait"),
        Ask("generate", "student", texts - questions, c.asked, length, steering.sampling.max_new_tokens, "answers",
            "trained", tried + 1),
        *in_and_out("student", texts, length, c, "answers", "trained"),
    ]  # fmt: skip
