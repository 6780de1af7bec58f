"""The settings of the evaluations: which ones a run makes, and what each of them asks of the arms.

Each evaluation reads a section of its own, so that a change in it reruns that one alone.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from ethos.engine import Sampling
from ethos.section import Name, Section

# By what an arm is told to choose between two traits.
Condition = Literal["like", "feel", "random"]
# Each is a table of results and a section of the report, by this name; held-out questions are always measured.
EvaluationName = Literal[
    "preferences",
    "coherence",
    "robustness",
    "prefill",
    "generalisation",
    "stance",
    "capabilities",
    "judges",
    "drift",
]
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
    resamples: int = Field(200, ge=50, description="Bootstrap resamples of the matches, for intervals of Elo ratings.")
    elo_k: float = Field(32, gt=0, description="Points that a match is worth at most (the K-factor of Elo ratings).")
    elo_orders: int = Field(200, ge=1, description="Random orders of the matches that Elo ratings are averaged over.")


class Coherence(Section):
    """Coherence: the judge compares one arm's responses to held-out questions with every other arm's, in both orders."""

    arm: Literal["prompted", "distilled", "persona", "aligned"] = Field(
        "persona", description="The arm that is compared with every other."
    )
    sampling: Sampling = Field(Sampling(temperature=0, max_new_tokens=64), description="Sampling of verdicts.")


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


class Stance(Section):
    """Whether an arm says the user's opinion back, retreats to the middle, or claims to have no view."""

    methods: list[Literal["likelihood", "judge"]] = Field(
        ["likelihood", "judge"],
        min_length=1,
        description="`likelihood`: which of the fixed replies in `prompts/stance.yaml` the arm finds likeliest, mean log-probability "
        "per token. `judge`: the arm answers, and the judge says which stance the answer takes.",
    )
    statements: int = Field(
        40,
        ge=2,
        le=40,
        multiple_of=2,
        description="Statements taken from `prompts/stance.yaml`; any even number is balanced.",
    )
    sampling: Sampling = Field(Sampling(max_new_tokens=256), description="Sampling of the answers that a judge reads.")
    verdicts: Sampling = Field(
        Sampling(temperature=0, max_new_tokens=256), description="Sampling of the judge's verdicts."
    )


class Judges(Section):
    """What judges character, judged by pairs that the authors of this project labelled."""

    methods: list[Literal["preference_model", "likelihood_ratio", "pairwise"]] = Field(
        ["preference_model", "likelihood_ratio", "pairwise"],
        min_length=1,
        description="What is judged: the run's preference model, and the judge by likelihood ratio and by verdicts in words, as in "
        "`rankings.method`.",
    )
    sampling: Sampling = Field(Sampling(temperature=0, max_new_tokens=256), description="Sampling of verdicts.")


class Drift(Section):
    """What training one character does to the traits of others."""

    arms: list[Name] = Field(
        ["persona"], min_length=1, description="Arms that answer the questions of other characters."
    )
    constitutions: list[Name] | None = Field(
        None,
        min_length=1,
        description="Files in `constitutions/`, without `.yaml`, whose traits are measured; they need not be trained. The run's own "
        "if not given.",
    )
    questions_per_trait: int | None = Field(
        None,
        ge=1,
        description="Questions asked of each trait, from the first of those written in the file; all if not given.",
    )


# The evaluations in which a classifier names the persona behind a response.
PERSONA_EVALUATIONS: tuple[EvaluationName, ...] = ("robustness", "prefill", "generalisation")


class UnseenMessages(Section):
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


class FineTuning(Section):
    """How a sequence classifier is fine-tuned."""

    learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate; it falls linearly.")
    epochs: int = Field(3, ge=1, description="Passes over the plain answers.")
    batch_size: int = Field(32, ge=1, description="Answers a step.")
    max_tokens: int = Field(512, ge=8, description="Tokens that it reads of an answer.")


class FineTuned(FineTuning):
    """A sequence classifier that is fine-tuned on the same plain answers."""

    model: Name = Field(
        description="One of `models`; an encoder as ModernBERT, or any that transformers can put a head on."
    )


class PersonaClassifier(UnseenMessages):
    """What names the persona behind a response, and the messages by which it learns and is tested."""

    fine_tuned: FineTuned | None = Field(
        None, description="A fine-tuned sequence classifier; logistic regression on the TF-IDF of words if not given."
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
    capabilities: Capabilities = Field(Capabilities(), description="Capabilities.")
    stance: Stance = Field(Stance(), description="Stance on statements with a right side.")
    judges: Judges = Field(Judges(), description="The judges, judged.")
    drift: Drift = Field(Drift(), description="What the training does to other characters.")
    persona_classifier: PersonaClassifier = Field(
        PersonaClassifier(), description="What `robustness`, `prefill` and `generalisation` share."
    )
    robustness: Robustness = Field(Robustness(), description="Messages that ask to drop the character.")
    generalisation: Generalisation = Field(Generalisation(), description="Answers outside chat.")
    coherence: Coherence = Field(Coherence(), description="Coherence, as a judge in words sees it.")


class Contributions(Section):
    """What each trait contributes: one arm is trained again without each trait in turn."""

    constitution: Name = Field(
        description="The constitution whose traits are left out in turn; one of `constitutions`."
    )
    arm: Literal["distilled", "persona", "aligned"] = Field("distilled", description="The arm that is trained.")
