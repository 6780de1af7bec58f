"""The settings of the evaluations: which ones a run makes, and what each of them asks of the arms.

Each evaluation reads a section of its own, so that a change in it reruns that one alone.
"""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from ethos.engine import Sampling
from ethos.section import Name, Section

# By what an arm is told to choose between two traits.
Condition = Literal["like", "feel", "random"]
# Each is a table of results and a section of the report, by this name; held-out questions are always measured.
EvaluationName = Literal["preferences", "coherence"]
EVALUATIONS: list[EvaluationName] = list(get_args(EvaluationName))


class ArmSampling(Section):
    """What every arm is asked on held-out questions."""

    responses_per_question: int = Field(1, ge=1, description="Responses sampled for each held-out question and arm.")
    sampling: Sampling = Field(Sampling(), description="Sampling of the arms' responses.")


class Intervals(Section):
    """How sure a measure is said to be."""

    confidence: float = Field(0.95, gt=0, lt=1, description="Level of the intervals.")
    resamples: int = Field(9999, ge=99, description="Bootstrap resamples of questions.")


class Preferences(Section):
    """Revealed preferences: which of two single-word traits shows in an answer."""

    conditions: list[Condition] = Field(
        list(get_args(Condition)),
        min_length=1,
        description="By what an arm is told to choose between the two: `like` (it would like better to be), `feel` (feels more like "
        "itself), `random`.",
    )
    traits: int = Field(144, ge=2, le=144, description="Traits taken from `prompts/single_word_traits.txt`.")
    matches_per_trait: int = Field(100, ge=1, description="Matches each trait plays in each condition.")
    sampling: Sampling = Field(Sampling(max_new_tokens=256), description="Sampling of the answers.")
    verdict: Literal["judge", "likelihood"] = Field(
        "judge",
        description="Who says which trait shows. `judge`: the judge, in words, in both orders. `likelihood`: the student itself, by the "
        "trait under which it finds the answer likelier; for models too small to judge in words.",
    )
    verdict_sampling: Sampling = Field(
        Sampling(temperature=0, max_new_tokens=64), description="Sampling of verdicts in words."
    )
    resamples: int = Field(
        200, ge=50, description="Bootstrap resamples of the matches; a Bradley-Terry fit for each, arm and condition."
    )
    elo_k: float = Field(32, gt=0, description="Points that a match is worth at most (the K-factor of Elo ratings).")
    elo_orders: int = Field(200, ge=1, description="Random orders of the matches that Elo ratings are averaged over.")


class Coherence(Section):
    """Coherence: the judge compares one arm's responses to held-out questions with every other arm's, in both orders."""

    arm: Literal["prompted", "distilled", "persona", "aligned"] = Field(
        "persona", description="The arm that is compared with every other."
    )
    sampling: Sampling = Field(Sampling(temperature=0, max_new_tokens=64), description="Sampling of verdicts.")


class Evaluation(Intervals, ArmSampling):
    """What is measured of every arm, on held-out questions and beyond them."""

    which: list[EvaluationName] = Field(
        EVALUATIONS, description="The evaluations of this run, besides the measures of held-out responses."
    )
    preferences: Preferences = Field(Preferences(), description="Revealed preferences.")
    coherence: Coherence = Field(Coherence(), description="Coherence, as a judge in words sees it.")


class Contributions(Section):
    """What each trait contributes: one arm is trained again without each trait in turn."""

    constitution: Name = Field(
        description="The constitution whose traits are left out in turn; one of `constitutions`."
    )
    arm: Literal["distilled", "persona", "aligned"] = Field("distilled", description="The arm that is trained.")
