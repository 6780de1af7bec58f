"""The settings of the evaluations: which ones a run makes, and what each of them asks of the arms.

Each evaluation reads a section of its own, so that a change in it reruns that one alone.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from ethos.engine import Sampling
from ethos.section import Name, Section

# Each is a table of results and a section of the report, by this name; held-out questions are always measured.
EvaluationName = Literal["preferences", "capabilities"]
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


class CapabilityTasks(Section):
    """What is asked to see whether training cost any ability: tasks of lm-evaluation-harness."""

    tasks: list[Annotated[str, Field(pattern=r"^[\w.,+-]+$")]] = Field(
        ["truthfulqa_mc2", "winogrande", "hellaswag", "arc_challenge", "mmlu"],
        min_length=1,
        description="Tasks or groups of lm-evaluation-harness, of multiple choice or of plain text to be predicted; those in "
        "`tasks/` too (`everyday`, `plain_prose`).",
    )


class Capabilities(CapabilityTasks):
    """Capabilities: right answers to questions that have nothing to do with the character."""

    limit: int | None = Field(
        None, ge=1, description="Items of each task (of each part of a group), from its first on; all if not given."
    )
    shots: int | None = Field(
        None, ge=0, description="Solved examples before each item; each task's own number if not given."
    )


class Evaluation(Intervals, ArmSampling):
    """What is measured of every arm, on held-out questions and beyond them."""

    which: list[EvaluationName] = Field(
        EVALUATIONS, description="The evaluations of this run, besides the measures of held-out responses."
    )
    preferences: Preferences = Field(Preferences(), description="Revealed preferences.")
    capabilities: Capabilities = Field(Capabilities(), description="Capabilities.")


class Contributions(Section):
    """What each trait contributes: one arm is trained again without each trait in turn."""

    constitution: Name = Field(
        description="The constitution whose traits are left out in turn; one of `constitutions`."
    )
    arm: Literal["distilled", "persona", "aligned"] = Field("distilled", description="The arm that is trained.")
