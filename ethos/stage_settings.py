"""The settings of the stages that ask models: questions, responses, rankings, introspection, evaluation.

A section that two stages share is made of the parts that each of them reads, so that a setting reruns only who reads it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ethos.engine import Sampling
from ethos.section import Section


class Questions(Section):
    """Questions per trait: hand-written ones from the constitution, and generated ones."""

    generated_per_trait: int = Field(45, ge=0, description="Generated questions kept for each trait.")
    attempts: int = Field(6, ge=1, description="Lists asked for at most, per trait, to reach that number.")
    per_list: int = Field(10, ge=1, description="Questions asked for in one list.")
    general: int = Field(200, ge=0, le=200, description="Everyday messages taken from `prompts/general_questions.txt`.")
    held_out: float = Field(0.1, gt=0, lt=1, description="Share held out for evaluation, by a hash of trait and text.")
    sampling: Sampling = Field(Sampling(max_new_tokens=512), description="Sampling of the lists.")


class InCharacter(Section):
    """How a response in character is sampled, whoever gives it."""

    scope: Literal["trait", "constitution"] = Field(
        "constitution", description="What the system prompt holds: the question's own trait, or all traits."
    )
    cut_off: Literal["drop", "trim"] = Field(
        "drop",
        description="What becomes of a response that reached `max_new_tokens`: dropped, or trimmed to its last whole sentence.",
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
    sampling: Sampling = Field(Sampling(), description="Sampling of reflections.")
    turn_sampling: Sampling = Field(Sampling(max_new_tokens=512), description="Sampling of a turn of a conversation.")


class Persona(Section):
    """Weights of the two adapters in the exact merge."""

    distilled: float = Field(1.0, description="Weight of the distilled adapter.")
    introspection: float = Field(0.25, description="Weight of the introspection adapter.")


class Preferences(Section):
    """Revealed preferences: which of two single-word traits shows in an answer."""

    resamples: int = Field(
        200, ge=50, description="Bootstrap resamples of the matches; a Bradley-Terry fit for each and arm."
    )

    traits: int = Field(144, ge=2, le=144, description="Traits taken from `prompts/single_word_traits.txt`.")
    matches_per_trait: int = Field(100, ge=1, description="Matches each trait plays.")
    sampling: Sampling = Field(Sampling(max_new_tokens=256), description="Sampling of the answers.")


class ArmSampling(Section):
    """What every arm is asked on held-out questions."""

    responses_per_question: int = Field(1, ge=1, description="Responses sampled for each held-out question and arm.")
    sampling: Sampling = Field(Sampling(), description="Sampling of the arms' responses.")


class Intervals(Section):
    """How sure a measure is said to be."""

    confidence: float = Field(0.95, gt=0, lt=1, description="Level of the intervals.")
    resamples: int = Field(9999, ge=99, description="Bootstrap resamples of questions.")
