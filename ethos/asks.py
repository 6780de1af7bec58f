"""What a job asks of models: requests of one kind, trainings, and how long both typically are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ethos.arms import ARM_FILES
from ethos.counts import Counts, Source
from ethos.engine import Sampling
from ethos.training_settings import Training

Role = Literal["student", "teacher", "judge", "persona_classifier_model"]
# What requests are made of, and so which of them an edited trait makes new: none; those of the trait; those that are told the
# character, which are all of them where all traits are told at once; all, since what answers is trained anew. Those about
# `labelled` pairs are equal in all jobs of their rule.
Part = Literal["fixed", "trait", "told", "trained", "labelled"]
# Tokens that are read in the time in which one is written.
READING = 10
# Typical lengths where nothing was measured, tokens: an answer, a verdict, what a judge is told beside what it judges.
ANSWER, VERDICT, INSTRUCTIONS = 300, 12, 150


@dataclass(frozen=True)
class Ask:
    """Requests of one kind to one model.

    calls: requests, equal ones counted once. prompt, written: tokens of one, roughly; `written` are those of a score's response,
    or all that a reward reads. longest: most that one may write. source: what `calls` follows from. models: engines that are
    loaded for them, one after the other.
    """

    kind: Literal["generate", "score", "reward"]
    role: Role
    calls: int
    prompt: int
    written: int
    longest: int
    source: Source
    part: Part
    models: int = 1

    def effort(self, prompt: float, written: float) -> float:
        """The work of one call with so many tokens, as tokens that are written in the same time."""
        return written + prompt / READING if self.kind == "generate" else (prompt + written) / READING


@dataclass(frozen=True)
class Train:
    """A training. examples: times the passes over them. tokens, longest: of one, roughly and at most.

    settings: of the adapter that it makes. adapters: how many it keeps. role: the model that is trained.
    """

    kind: Literal["reward", "dpo", "sft", "grpo", "steering", "classifier"]
    examples: int
    tokens: int
    longest: int
    source: Source
    settings: Training | None = None
    adapters: int = 1
    role: Role = "student"


Workload = list[Ask | Train]


def most_tokens(work: Workload) -> int:
    """Most tokens of a job's work, as tokens that are written in the same time; one that is trained on counts as one."""
    return math.ceil(
        sum(
            item.calls * item.effort(item.prompt, item.longest)
            if isinstance(item, Ask)
            else item.examples * item.longest
            for item in work
        )
    )


def typical(sampling: Sampling) -> int:
    """Tokens of an answer that is sampled so, roughly."""
    return min(sampling.max_new_tokens, ANSWER)


def generate(
    role: Role, calls: int, sampling: Sampling, prompt: int, source: Source, part: Part, *, length: int = ANSWER
) -> Ask:
    """Texts to be sampled. length: of one, tokens, roughly."""
    longest = sampling.max_new_tokens
    return Ask("generate", role, calls, prompt, min(longest, length), longest, source, part)


def verdicts(calls: int, sampling: Sampling, read: int, source: Source, part: Part = "told") -> Ask:
    """The judge's replies. read: tokens of what it judges."""
    return generate("judge", calls, sampling, INSTRUCTIONS + read, source, part, length=VERDICT)


def in_and_out(role: Role, texts: int, length: int, counts: Counts, source: Source, part: Part) -> list[Ask]:
    """Each text scored after the traits, and without them. length: tokens of a text."""
    return [
        Ask("score", role, texts, counts.asked + counts.told, length, length, source, part),
        Ask("score", role, texts, counts.asked, length, length, source, part, models=0),
    ]


def rewards(texts: int, length: int, counts: Counts, source: Source) -> Ask:
    """The preference model's rewards of responses of so many tokens."""
    read = counts.asked + length
    return Ask("reward", "student", texts, 0, read, read, source, "trained")


def of_arms(asked: Ask, told: int) -> list[Ask]:
    """What is asked of base, asked of every arm. told: tokens of the prompted arm's character."""
    same = asked.kind, asked.role
    size = asked.written, asked.longest, asked.source
    return [
        asked,
        Ask(*same, asked.calls, asked.prompt + told, *size, "told"),
        Ask(*same, asked.calls * len(ARM_FILES), asked.prompt, *size, "trained", len(ARM_FILES)),
    ]


def ranker(
    method: str, groups: Iterable[tuple[int, int]], texts: int, length: int, sampling: Sampling, counts: Counts,
    source: Source,
) -> list[Ask]:  # fmt: skip
    """What a ranker asks. groups: how many responses compete, and at how many questions. texts: different ones among them,
    of `length` tokens. sampling: of verdicts."""
    if method == "likelihood_ratio":
        return in_and_out("judge", texts, length, counts, source, "told")
    orders = {"pairwise": lambda size: 2 * math.comb(size, 2), "listwise": lambda size: 2}[method]
    shown = {"pairwise": lambda size: 2, "listwise": lambda size: size}[method]
    return [
        verdicts(orders(size) * number, sampling, counts.asked + counts.trait + shown(size) * length, source)
        for size, number in groups
    ]


def training(
    kind: Literal["reward", "dpo", "sft"], examples: float, tokens: int, settings: Training, source: Source,
    *, adapters: int = 1,
) -> Train:  # fmt: skip
    """A training of an adapter on so many examples of so many tokens."""
    most = settings.max_tokens
    return Train(kind, round(examples * settings.epochs), min(tokens, most), most, source, settings, adapters)
