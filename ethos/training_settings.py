"""The settings of the trainings: LoRA, optimisation, and what each kind of training adds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ethos.section import Precision, Section


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
