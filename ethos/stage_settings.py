"""The settings of the stages that ask models: questions, responses, rankings, introspection.

A section that two stages share is made of the parts that each of them reads, so that a setting reruns only who reads it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator

from ethos.engine import Sampling
from ethos.section import Section

# The names of the checks in ethos/filters.py.
Filter = Literal["invented_turns", "talks_about_traits", "refusal", "wrong_language"]
FILTERS: list[Filter] = list(get_args(Filter))


class PromptSource(Section):
    """Where messages come from."""

    source: str = Field(
        description="`hub:ID@REVISION` (a data set of the Hugging Face Hub; gated ones by HF_TOKEN) or `path:FILE` (.txt, one "
        "message a line, .jsonl, .json, .csv or .parquet; relative to the project's folder)."
    )
    split: str = Field("train", description="Split of the data set; a file is all `train`.")
    column: str = Field(
        "text",
        description="Column that holds the message, or a list of turns (texts, or mappings with `role` and `content` or with "
        "`from` and `value`), of which the user's first is taken. The lines of a .txt are in `text`.",
    )

    @field_validator("source")
    @classmethod
    def _known_source(cls, value: str) -> str:
        if not re.fullmatch(r"hub:[\w.-]+(/[\w.-]+)?@[\w./-]+|path:.+\.(txt|jsonl|json|csv|parquet)", value):
            raise ValueError(
                f"{value!r} is not hub:ID@REVISION or path:FILE with .txt, .jsonl, .json, .csv or .parquet"
            )
        return value

    @property
    def file(self) -> Path | None:
        """The file of a local source; None for one that is fetched."""
        return Path(self.source.removeprefix("path:")).expanduser() if self.source.startswith("path:") else None


class ExtraPrompts(PromptSource):
    """Messages from elsewhere, asked beside the questions of a constitution."""

    count: int = Field(ge=1, description="Messages drawn.")


class Questions(Section):
    """Questions per trait: hand-written ones from the constitution, generated ones, everyday ones and those from elsewhere."""

    generated_per_trait: int = Field(45, ge=0, description="Generated questions kept for each trait.")
    attempts: int = Field(
        12,
        ge=1,
        description="Lists asked for at most, per trait, to reach that number; each of another length and kind.",
    )
    per_list: int = Field(10, ge=1, description="Questions asked for in one list.")
    general: int = Field(200, ge=0, le=200, description="Everyday messages taken from `prompts/general_questions.txt`.")
    extra: list[ExtraPrompts] = Field([], description="Messages from elsewhere.")
    near_duplicate: float = Field(
        0.7,
        ge=0.5,
        le=1,
        description="Similarity from which two questions are one: the Jaccard index of their three-letter pieces. Questions "
        "reworded by a word or two reach 0.7; no two of the 800 that come with Ethos exceed 0.47.",
    )
    held_out: float = Field(0.1, gt=0, lt=1, description="Share held out for evaluation, by a hash of trait and text.")
    sampling: Sampling = Field(Sampling(), description="Sampling of the lists.")


class InCharacter(Section):
    """How a response in character is sampled, whoever gives it."""

    scope: Literal["trait", "constitution"] = Field(
        "constitution", description="What the system prompt holds: the question's own trait, or all traits."
    )
    cut_off: Literal["drop", "trim"] = Field(
        "drop",
        description="What becomes of a response that reached `max_new_tokens`: dropped, or trimmed to its last whole sentence.",
    )
    max_tokens: int = Field(
        1024,
        ge=1,
        description="A longer response, thinking included, is not used, and counted as `too_long` too.",
    )
    filters: list[Filter] = Field(
        FILTERS,
        description="What a response is not used for, beside being empty, cut off, unfinished or too long: `invented_turns` (it goes "
        "on to write the user's), `talks_about_traits` (speaks of its prompt, traits or persona, or repeats a trait word for word), "
        "`refusal` (in an assistant's stock phrases; leave it out for a character that refuses so), `wrong_language` (not its "
        "question's). A plain response is judged for the first and the last alone.",
    )
    sampling: Sampling = Field(Sampling(), description="Sampling of responses, plain ones included.")


class Responses(InCharacter):
    """Responses in character."""

    per_question: int = Field(5, ge=2, description="Responses sampled for each question (k).")


RankerName = Literal["likelihood_ratio", "pairwise", "listwise"]


class Ranker(Section):
    """What orders the responses to one question."""

    method: RankerName = Field(
        "pairwise",
        description="`pairwise`: the judge reads two responses in both orders. `listwise`: it reads all responses to a question, "
        "in a random order and in its reverse; fewer calls, longer prompts. `likelihood_ratio`: mean log-probability with the "
        "traits in the system prompt minus without; works with models too small to judge in words.",
    )
    sampling: Sampling = Field(Sampling(temperature=0, max_new_tokens=256), description="Sampling of verdicts.")


class Ranking(Ranker):
    """How the responses to one question are ordered."""

    with_plain: bool = Field(
        False,
        description="Let the student's plain response compete too. The preference model then knows what the policy says before "
        "it is aligned, and not only what it says in character.",
    )
    pairs_per_question: int = Field(
        10, ge=1, description="Pairs of a question that train the preference model, widest margin first."
    )


class RankerComparison(Ranker):
    """Other rankers, and how far they agree with the run's own."""

    compared: list[RankerName] = Field(
        [],
        description="Methods whose orders are compared with that of `method`, by the same judge; `method` itself may stand "
        "among them and is passed over. Nothing trains on them.",
    )
    compared_questions: int = Field(100, ge=1, description="Questions that they are compared on, drawn at random.")


class IntrospectionData(Section):
    """Reflections and self-interactions of the distilled model."""

    reflections_per_prompt: int = Field(1000, ge=1, description="Reflections sampled for each reflection prompt.")
    free_interactions: int = Field(1000, ge=0, description="Conversations of the model with itself, left to itself.")
    guided_interactions: int = Field(
        1000, ge=0, description="Conversations with a sentence of guidance in the system prompt."
    )
    turns: int = Field(
        10,
        ge=2,
        multiple_of=2,
        description="Turns of a conversation, both speakers counted; even, so that it ends on the one whose greeting was not given.",
    )
    cut_off: Literal["drop", "trim"] = Field("drop", description="As in `responses`, for reflections and turns.")
    filters: list[Filter] = Field(
        FILTERS,
        description="As in `responses`, for reflections and turns; who reflects may speak of itself and of what it would not do. A "
        "conversation whose turn says again what was just said is never used (`repeated`).",
    )
    sampling: Sampling = Field(Sampling(), description="Sampling of reflections.")
    turn_sampling: Sampling = Field(Sampling(max_new_tokens=512), description="Sampling of a turn of a conversation.")


class Steering(Section):
    """The steered arm: a direction from contrasting prompts, added to the student's activations. See `docs/steering.md`."""

    questions: int = Field(
        200,
        ge=1,
        description="Training questions whose responses the directions are the mean over; as many as there are.",
    )
    layers: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.3, 0.4, 0.5, 0.6, 0.7],
        min_length=1,
        description="Layers behind which the vector is tried, as fractions of the depth; 1 is the last.",
    )
    strengths: list[Annotated[float, Field(gt=0)]] = Field(
        [0.5, 1.0, 1.5, 2.0],
        min_length=1,
        description="Strengths that are tried: multiples of the distance between the activations in character and plain.",
    )
    grid_questions: int = Field(
        50, ge=1, description="Training questions that every layer and strength is tried on; held-out ones never are."
    )
    max_perplexity_ratio: float = Field(
        2.0,
        gt=1,
        description="Only what has a mean perplexity under base of at most this many times base's own is chosen.",
    )
    max_repetition_increase: float = Field(
        0.05, ge=0, description="Only what repeats at most this share of four-word sequences more than base is chosen."
    )
    sampling: Sampling = Field(Sampling(max_new_tokens=256), description="Sampling of the grid's responses.")


class Persona(Section):
    """Weights of the two adapters in the exact merge."""

    distilled: float = Field(1.0, description="Weight of the distilled adapter.")
    introspection: float = Field(0.25, description="Weight of the introspection adapter.")
