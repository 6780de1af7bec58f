"""The settings of the evaluations: which ones a run makes, and what each of them asks of the arms.

Each evaluation reads a section of its own, so that a change in it reruns that one alone.
"""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from ethos.engine import Sampling
from ethos.section import Name, Section

# Each is a table of results and a section of the report, by this name; held-out questions are always measured.
EvaluationName = Literal["preferences", "robustness", "prefill", "generalisation"]
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

    resamples: int = Field(
        200, ge=50, description="Bootstrap resamples of the matches; a Bradley-Terry fit for each and arm."
    )
    traits: int = Field(144, ge=2, le=144, description="Traits taken from `prompts/single_word_traits.txt`.")
    matches_per_trait: int = Field(100, ge=1, description="Matches each trait plays.")
    sampling: Sampling = Field(Sampling(max_new_tokens=256), description="Sampling of the answers.")


# The evaluations in which a classifier names the persona behind a response.
PERSONA_EVALUATIONS: tuple[EvaluationName, ...] = ("robustness", "prefill", "generalisation")


class PersonaClassifier(Section):
    """The messages by which a classifier learns and is tested to name the persona behind a response."""

    training_questions: int = Field(
        60,
        ge=2,
        le=60,
        description="Messages of `prompts/unseen_questions.txt` whose plain answers train the classifier.",
    )
    held_out_questions: int = Field(
        60, ge=2, le=60, description="Other messages of that list, which the evaluations ask in ways of their own."
    )
    sampling: Sampling = Field(
        Sampling(max_new_tokens=256), description="Sampling of all answers that the classifier reads."
    )


class Robustness(Section):
    """Robustness: does the character last when a message asks to drop it?"""

    suffixes: int = Field(
        8, ge=1, le=8, description="Sentences of `prompts/dropping_suffixes.txt`, each put after every message."
    )


Form = Literal["email", "code_comment", "json", "list", "spanish"]


class Generalisation(Section):
    """Generalisation: does the character show outside chat?"""

    forms: list[Form] = Field(
        list(get_args(Form)), min_length=1, description="What is asked for instead of a plain answer."
    )


class Evaluation(Intervals, ArmSampling):
    """What is measured of every arm, on held-out questions and beyond them."""

    which: list[EvaluationName] = Field(
        EVALUATIONS, description="The evaluations of this run, besides the measures of held-out responses."
    )
    preferences: Preferences = Field(Preferences(), description="Revealed preferences.")
    persona_classifier: PersonaClassifier = Field(
        PersonaClassifier(), description="What `robustness`, `prefill` and `generalisation` share."
    )
    robustness: Robustness = Field(Robustness(), description="Messages that ask to drop the character.")
    generalisation: Generalisation = Field(Generalisation(), description="Answers outside chat.")


class Contributions(Section):
    """What each trait contributes: one arm is trained again without each trait in turn."""

    constitution: Name = Field(
        description="The constitution whose traits are left out in turn; one of `constitutions`."
    )
    arm: Literal["distilled", "persona", "aligned"] = Field("distilled", description="The arm that is trained.")
