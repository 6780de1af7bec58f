"""The typed settings of a run: what every field means, its default, and what is refused.

Defaults are the published values where there are any (arXiv 2511.01689); a run's file states what differs.
`execution` holds what changes speed and never a result, so changing it rebuilds nothing. A section that two stages share
is made of the parts that each of them reads, so that a setting reruns only who reads it.
Jobs are given the values as parameters, and this file does not count as their code: nothing here may do a stage's work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ethos.engine import Sampling
from ethos.yaml_file import FieldError, YamlFile, parse_value

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
Precision = Literal["float32", "bfloat16"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _keep_defaults_of_subsections(cls, data: Any) -> Any:
        """A subsection that states one field keeps the section's own defaults for the others, not its type's."""
        if not isinstance(data, Mapping):
            return data
        merged = dict(data)
        for name, field in cls.model_fields.items():
            if isinstance(field.default, BaseModel) and isinstance(merged.get(name), Mapping):
                merged[name] = _overlay(field.default.model_dump(), merged[name])
        return merged


def _overlay(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults with what is given laid over them, mapping by mapping."""
    both = {
        name: _overlay(defaults[name], value)
        if isinstance(value, Mapping) and isinstance(defaults.get(name), Mapping)
        else value
        for name, value in given.items()
    }
    return {**defaults, **both}


class ModelSource(Section):
    """A model by name: where it comes from and what is checked."""

    source: str = Field(
        description="`pypi:NAME==VERSION` (a GGUF inside a wheel), `hub:ID@REVISION` (safetensors; gated ones by "
        "HF_TOKEN) or `path:FOLDER`."
    )
    file: str = Field("", description="For `pypi:`, the GGUF inside the wheel.")
    sha256: str = Field(
        "",
        description="Expected SHA-256: of the GGUF for `pypi:`, of the model's content (`identity.json`) otherwise. "
        "Empty checks nothing.",
    )
    dtype: Precision = Field("bfloat16", description="Precision in which the model generates and scores.")
    template_options: dict[str, bool | int | float | str] = Field(
        {}, description="Options of the model's chat template, as `enable_thinking: false`."
    )
    thinking_tags: tuple[str, str] = Field(
        ("<think>", "</think>"),
        description="What stands around a reasoning model's thinking, which is kept apart and never trained on.",
    )
    trust_remote_code: bool = Field(
        False, description="Run Python code that comes with the model. Off unless you trust it."
    )

    @field_validator("source")
    @classmethod
    def _known_source(cls, value: str) -> str:
        forms = r"pypi:[A-Za-z0-9._-]+==[^\s=]+|hub:[\w.-]+(/[\w.-]+)?@[\w.-]+|path:.+"
        if not re.fullmatch(forms, value):
            raise ValueError(f"{value!r} is not pypi:NAME==VERSION, hub:ID@REVISION or path:FOLDER")
        return value

    @model_validator(mode="after")
    def _wheel_names_its_file(self) -> ModelSource:
        if self.source.startswith("pypi:") and not self.file:
            raise ValueError("a pypi: source needs `file`, the path of the GGUF inside the wheel")
        return self


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


class Rankings(Section):
    """How the responses to one question are ordered."""

    method: Literal["likelihood_ratio", "pairwise"] = Field(
        "pairwise",
        description="`pairwise`: the judge reads two responses in both orders. `likelihood_ratio`: mean log-probability "
        "with the traits in the system prompt minus without; works with models too small to judge in words.",
    )
    with_plain: bool = Field(
        False,
        description="Let the student's plain response compete too. The preference model then knows what the policy says before "
        "it is aligned, and not only what it says in character.",
    )
    pairs_per_question: int = Field(
        10, ge=1, description="Pairs of a question that train the preference model, widest margin first."
    )
    sampling: Sampling = Field(Sampling(temperature=0, max_new_tokens=256), description="Sampling of verdicts.")


class Lora(Section):
    rank: int = Field(64, ge=1, description="LoRA rank.")
    alpha: int = Field(128, ge=1, description="LoRA alpha; updates are scaled by alpha / rank.")


class Training(Section):
    """What the trainings share."""

    learning_rate: float = Field(5e-5, gt=0, description="Peak learning rate (AdamW).")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    schedule: Literal["constant_with_warmup", "linear", "cosine"] = Field(
        "cosine", description="Learning rate after warm-up."
    )
    batch_size: int = Field(32, ge=1, description="Examples of one optimiser step.")
    epochs: float = Field(1, gt=0, description="Passes over the data.")
    max_tokens: int = Field(
        1024,
        ge=8,
        description="Longer examples are cut, or left out where a cut would leave nothing to learn (the log counts them).",
    )
    precision: Precision = Field("bfloat16", description="Precision of the frozen weights; adapters train in float32.")
    lora: Lora = Field(Lora(), description="The adapter's shape.")


class PreferenceModel(Training):
    """The preference model: a reward head and LoRA on the student (Bradley-Terry loss, arXiv 2203.02155)."""


class Dpo(Training):
    """Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290)."""

    beta: float = Field(0.1, gt=0, description="Strength of the pull to the reference.")
    nll: float = Field(0.1, ge=0, description="Weight of the negative log-likelihood of the chosen response.")


class Distillation(Dpo):
    """DPO on the teacher in character against the student as it is, with an NLL term on the teacher's response.

    The published loss has a KL term too (0.001), which TRL does not offer; it is left out.
    """

    responses_per_question: int = Field(
        5, ge=1, description="The teacher's responses to each training question; a pair each."
    )


class IntrospectionTraining(Training):
    """The SFT on reflections and self-interactions."""

    max_tokens: int = Field(
        3072,
        ge=8,
        description="Longer examples are cut, or left out where a cut would leave nothing to learn (the log counts them).",
    )


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


class Introspection(IntrospectionData, IntrospectionTraining):
    """Reflections and self-interactions of the distilled model, and the SFT on them."""


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


class Evaluation(Intervals, ArmSampling):
    """What is measured on held-out questions, for every arm."""

    preferences: Preferences = Field(Preferences(), description="Revealed preferences.")


class Report(Section):
    """What the report puts first. Named before a run, so that it cannot be chosen by its result."""

    headline: Name | None = Field(
        None, description="The constitution the headline is about; the first one if not given."
    )
    examples: int = Field(6, ge=1, description="Held-out questions shown with all arms side by side.")
    max_perplexity_ratio: float = Field(
        2.5,
        gt=1,
        description="Fluency margin: an arm's perplexity under base, with its whole interval, at most this many times base's own.",
    )
    max_repetition_increase: float = Field(
        0.05, ge=0, description="Fluency margin: rise over base in the share of repeated four-word sequences."
    )


class Execution(Section):
    """How the work is done. Changing any of these rebuilds nothing; another device, number of threads or training batch may
    round the last bits of a training otherwise."""

    store: str = Field("store", description="Folder of models, completions and trainings; may be shared between runs.")
    batch_size: int = Field(32, ge=1, description="Most rows an engine computes at once.")
    training_batch_size: int = Field(8, ge=1, description="Most examples on the device at once; the rest accumulates.")
    checkpoint_minutes: float = Field(
        10.0, ge=0, description="Minutes between checkpoints, from which a killed training goes on; 0: at every step."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="`auto` takes a GPU where there is one; on a cluster, `cuda` asks for one."
    )
    threads: int = Field(2, ge=1, description="CPU threads of a job that runs a model.")
    log_level: Literal["debug", "info", "warning"] = Field("info", description="How much the logs say.")


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
    alignment: Dpo = Field(Dpo(nll=0.0), description="DPO on the best and worst of k (Claude's Character).")
    distillation: Distillation = Field(
        Distillation(), description="DPO on teacher against student (Open Character Training)."
    )
    introspection: Introspection = Field(
        Introspection(), description="Reflections, self-interactions and the SFT on them."
    )
    persona: Persona = Field(Persona(), description="The merge of both adapters.")
    evaluation: Evaluation = Field(Evaluation(), description="What is measured.")
    report: Report = Field(Report(), description="What the report shows first.")
    execution: Execution = Field(Execution(), description="How the work is done; rebuilds nothing.")

    @model_validator(mode="after")
    def _names_exist(self) -> Settings:
        for role in ("teacher", "judge"):
            self._require_model(getattr(self, role), role)
        for number, student in enumerate(self.students):
            self._require_model(student, "students", number)
        for field in ("constitutions", "students", "seeds"):
            values = getattr(self, field)
            if len(set(values)) < len(values):
                raise FieldError("names one twice; keep one", field)
        if self.report.headline and self.report.headline not in self.constitutions:
            raise FieldError(f"{self.report.headline!r} is not one of `constitutions`", "report", "headline")
        return self

    def _require_model(self, name: str, *location: str | int) -> None:
        if name not in self.models:
            raise FieldError(f"{name!r} is not one of `models`; known: {', '.join(self.models)}", *location)

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

    def error_at(message: str, location):
        holders = [YamlFile(file) for file in files]
        holder = next(
            (file for file in reversed(holders) if location and location[0] in file.value),
            holders[-1] if holders else None,
        )
        if holder is None:
            from ethos.errors import BadInput

            return BadInput(message, path="--config", field=".".join(map(str, location)))
        return holder.error(message, location)

    return parse_value(Settings, dict(config), error_at)
