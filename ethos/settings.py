"""The typed settings of a run: what every field means, its default, and what is refused.

Defaults are the published values where there are any (arXiv 2511.01689); a run's file states what differs.
`execution` holds what changes speed and never a result, so changing it rebuilds nothing.
Jobs are given the values as parameters, and this file does not count as their code: nothing here may do a stage's work.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from ethos.evaluation_settings import PERSONA_EVALUATIONS, Contributions, Evaluation
from ethos.execution_settings import Execution
from ethos.model_settings import ModelSource
from ethos.section import Name, Section
from ethos.stage_settings import (
    IntrospectionData,
    Persona,
    Questions,
    RankerComparison,
    Ranking,
    Responses,
    Steering,
)
from ethos.training_settings import Alignment, Distillation, IntrospectionTraining, PreferenceModel
from ethos.yaml_file import FieldError, YamlFile, parse_value


class Rankings(RankerComparison, Ranking):
    """How the responses to one question are ordered, and which other ways that is compared with."""


class Introspection(IntrospectionData, IntrospectionTraining):
    """Reflections and self-interactions of the distilled model, and the SFT on them."""


class Report(Section):
    """What the report puts first. Named before a run, so that it cannot be chosen by its result."""

    headline: Name | None = Field(
        None, description="The constitution the headline is about; the first one if not given."
    )
    examples: int = Field(6, ge=1, description="Held-out questions shown with all arms side by side.")
    worst_questions: int = Field(12, ge=1, description="Questions shown in the section on data quality, worst first.")
    max_perplexity_ratio: float = Field(
        2.5,
        gt=1,
        description="Fluency margin: an arm's perplexity under base, with its whole interval, at most this many times base's own.",
    )
    max_repetition_increase: float = Field(
        0.05, ge=0, description="Fluency margin: rise over base in the share of repeated four-word sequences."
    )


class Settings(Section):
    """Everything a run is made of."""

    run: Name = Field(description="Name of the run; its results are in `results/{run}/`.")
    constitutions: list[Name] = Field(min_length=1, description="Files in `constitutions/`, without `.yaml`.")
    models: dict[Name, ModelSource] = Field(min_length=1, description="Models by name.")
    students: list[Name] = Field(min_length=1, description="Models that are trained.")
    teacher: Name = Field(description="Model that plays the character for distillation.")
    judge: Name = Field(description="Model that ranks responses and judges pairs.")
    seeds: list[Annotated[int, Field(ge=0, lt=2**32)]] = Field(
        [0], min_length=1, description="Seeds of what is trained and all that is sampled from it."
    )
    data_seed: int = Field(0, description="Seed of questions, responses and rankings.")
    questions: Questions = Field(Questions(), description="How questions are collected and split.")
    responses: Responses = Field(Responses(), description="Responses in character, and plain ones.")
    rankings: Rankings = Field(Rankings(), description="How responses are ordered.")
    preference_model: PreferenceModel = Field(PreferenceModel(), description="Training of the preference model.")
    alignment: Alignment = Field(Alignment(), description="Training against the preference model (Claude's Character).")
    distillation: Distillation = Field(
        Distillation(), description="DPO on teacher against student (Open Character Training)."
    )
    introspection: Introspection = Field(
        Introspection(), description="Reflections, self-interactions and the SFT on them."
    )
    persona: Persona = Field(Persona(), description="The merge of both adapters.")
    steering: Steering = Field(Steering(), description="The student steered by a vector, untrained.")
    evaluation: Evaluation = Field(Evaluation(), description="What is measured.")
    contributions: Contributions | None = Field(
        None,
        description="What each trait contributes, by leaving it out; not measured if not given. See `docs/traits.md`.",
    )
    report: Report = Field(Report(), description="What the report shows first.")
    execution: Execution = Field(Execution(), description="How the work is done; rebuilds nothing.")

    @model_validator(mode="after")
    def _names_exist(self) -> Settings:
        for role in ("teacher", "judge"):
            self._require_model(getattr(self, role), role)
        for number, student in enumerate(self.students):
            self._require_model(student, "students", number)
        if classifier := self.persona_classifier_model:
            place = ("evaluation", "persona_classifier", "fine_tuned", "model")
            self._require_model(classifier, *place)
            if self.models[classifier].is_api:
                raise FieldError(f"{classifier!r} is reached over HTTP and can't be fine-tuned", *place)
        for number, student in enumerate(self.students):
            if self.models[student].is_api:
                raise FieldError(
                    f"{student!r} is reached over HTTP and can't be trained; name a model with weights",
                    "students",
                    number,
                )
        rankers = {
            self.rankings.method: ("rankings", "method"),
            **dict.fromkeys(self.rankings.compared, ("rankings", "compared")),
        }
        if self.models[self.judge].is_api and "likelihood_ratio" in rankers:
            message = f"needs a judge that says how likely a text is, and {self.judge!r} is reached over HTTP; name another method or judge"
            raise FieldError(message, *rankers["likelihood_ratio"])
        for field in ("constitutions", "students", "seeds"):
            values = getattr(self, field)
            if len(set(values)) < len(values):
                raise FieldError("names one twice; keep one", field)
        for student in self.students:
            if self.models[self.teacher].names and not self.models[student].names:
                message = f"needs a name, since the teacher {self.teacher!r} has names and its responses are renamed"
                raise FieldError(message, "models", student, "names")
        if self.contributions and self.contributions.constitution not in self.constitutions:
            raise FieldError(
                f"{self.contributions.constitution!r} is not one of `constitutions`", "contributions", "constitution"
            )
        if self.report.headline and self.report.headline not in self.constitutions:
            raise FieldError(f"{self.report.headline!r} is not one of `constitutions`", "report", "headline")
        return self

    @model_validator(mode="after")
    def _processes_share_batches(self) -> Settings:
        spread = self.execution.training.processes
        for name in ("preference_model", "alignment", "distillation", "introspection"):
            training = getattr(self, name)
            if training.batch_size % spread and not training.is_online:
                raise FieldError(f"must be a multiple of `execution.training.processes` ({spread})", name, "batch_size")
        return self

    @model_validator(mode="after")
    def _limits_on_money_hold(self) -> Settings:
        """A limit of a model that is never asked, or of money that nothing is said to cost, would be none."""
        asked = [name for name, model in self.models.items() if model.is_api]
        for name, limits in self.execution.api.items():
            if name not in asked:
                near = get_close_matches(name, asked, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(asked) or 'none'}"
                raise FieldError(f"is no model behind an endpoint (`api:`); {hint}", "execution", "api", name)
            if limits.max_money and not limits.costs:
                message = (
                    "is never reached without prices; give `prompt_price` and `completion_price`, or limit `max_tokens`"
                )
                raise FieldError(message, "execution", "api", name, "max_money")
        if self.execution.budget.money and not any(limits.costs for limits in self.execution.api.values()):
            message = (
                "is never reached, since no model has a price; give `prompt_price` and `completion_price` under "
                "`execution.api`, or leave it out"
            )
            raise FieldError(message, "execution", "budget", "money")
        return self

    def _require_model(self, name: str, *location: str | int) -> None:
        if name not in self.models:
            raise FieldError(f"{name!r} is not one of `models`; known: {', '.join(self.models)}", *location)

    @property
    def persona_classifier_model(self) -> str | None:
        """The model that is fine-tuned to name personas, if one is."""
        fine_tuned = self.evaluation.persona_classifier.fine_tuned
        return fine_tuned and fine_tuned.model

    @property
    def asked_models(self) -> list[str]:
        """The models that a run asks or trains, by name; of the others of `models` it wants nothing."""
        names_personas = set(PERSONA_EVALUATIONS) & set(self.evaluation.which)
        classifier = self.persona_classifier_model if names_personas else None
        return [*dict.fromkeys(filter(None, [*self.students, self.teacher, self.judge, classifier]))]

    @property
    def drifted_to(self) -> list[str]:
        """The constitutions whose traits `drift` measures, trained or not; none where it is not asked."""
        if "drift" not in self.evaluation.which:
            return []
        return self.evaluation.drift.constitutions or self.constitutions

    @property
    def headline(self) -> str:
        return self.report.headline or self.constitutions[0]


def load_settings(path: str | Path) -> Settings:
    """Read a run's file. Raises BadInput naming file, line and field."""
    return YamlFile(path).parse(Settings)


def settings_from(config: Mapping[str, Any], files: list[str]) -> Settings:
    """Validate Snakemake's merged `config`; an error names the file that holds the field, where one does.

    files: the configuration files, the last one wins.
    """
    holders = [YamlFile(file) for file in files]  # also where all is well: a field that is given twice is refused

    def error_at(message: str, location):
        holder = next(
            (file for file in reversed(holders) if location and location[0] in file.value),
            holders[-1] if holders else None,
        )
        if holder is None:
            from ethos.errors import BadInput

            return BadInput(message, path="--config", field=".".join(map(str, location)))
        return holder.error(message, location)

    return parse_value(Settings, dict(config), error_at)
