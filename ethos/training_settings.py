"""The settings of the trainings: LoRA, optimisation, and what each kind of training adds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ethos.section import Precision, Section
from ethos.yaml_file import FieldError


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
    precision: Precision = Field(
        "bfloat16",
        description="Precision of the frozen weights and of what is computed; the adapters' weights are float32. A CPU without "
        "instructions for bfloat16 takes float32.",
    )
    lora: Lora = Field(Lora(), description="The adapter's shape.")

    @property
    def is_online(self) -> bool:
        """Whether the policy samples what it learns from. What it samples depends on how many processes do, so one does."""
        return False


class PreferenceModel(Training):
    """The preference model: a reward head and LoRA on the student (Bradley-Terry loss, arXiv 2203.02155)."""


class Dpo(Training):
    """Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290)."""

    beta: float = Field(0.1, gt=0, description="Strength of the pull to the reference.")
    nll: float = Field(0.1, ge=0, description="Weight of the negative log-likelihood of the chosen response.")


class Grpo(Section):
    """Group relative policy optimisation (Shao et al. 2024, arXiv 2402.03300): the policy answers a training question
    several times, and learns which of its answers the preference model rewards above their mean.
    """

    generations: int = Field(
        8, ge=2, description="Responses to a question that are compared with each other (TRL's default; published: 64)."
    )
    kl: float = Field(0.04, gt=0, description="Weight of the KL divergence from the untrained student (published).")
    temperature: float = Field(1.0, gt=0, description="Sampling temperature; 1 samples the policy that is trained.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus: the most likely tokens up to this probability.")
    max_new_tokens: int = Field(
        512, ge=1, description="Longest response, in tokens (TRL's default; published: 1,024); less than `max_tokens`."
    )


class GrpoTraining(Training):
    """What GRPO reads."""

    grpo: Grpo = Field(Grpo(), description="What `method: grpo` adds; `batch_size` counts responses.")


class AlignmentTraining(Dpo, GrpoTraining):
    """What decides an alignment, its control included."""

    method: Literal["dpo", "best_of_n", "grpo"] = Field(
        "dpo",
        description="`dpo`: the response of highest reward against the one of lowest. `best_of_n`: SFT on the one of highest. "
        "`grpo`: online, rewarded by the preference model. docs/alignment.md says when to take which.",
    )
    nll: float = Field(
        0.0, ge=0, description="For `dpo`: weight of the negative log-likelihood of the chosen response."
    )

    @property
    def is_online(self) -> bool:
        return self.method == "grpo"

    @model_validator(mode="after")
    def _groups_are_whole(self) -> AlignmentTraining:
        if self.method == "grpo":
            if self.batch_size % self.grpo.generations:
                raise FieldError(
                    f"must be a multiple of `grpo.generations` ({self.grpo.generations}); it counts responses",
                    "batch_size",
                )
            if self.grpo.max_new_tokens >= self.max_tokens:
                raise FieldError(
                    f"must be less than `max_tokens` ({self.max_tokens}), which the question shares",
                    "grpo",
                    "max_new_tokens",
                )
        return self


class Alignment(AlignmentTraining):
    """The student is aligned with the preference model (Claude's Character)."""

    snapshots: int = Field(
        4,
        ge=1,
        description="Adapters kept at equal parts of the training, the last being the aligned adapter itself; each is measured "
        "on the held-out questions to see over-optimisation.",
    )


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
