"""GRPO: the policy answers training questions several times, and the preference model says which answers to learn from.

What TRL does with it: `scale_rewards` by group and the loss `dapo` are its defaults, `beta` adds the KL divergence from
the model without its adapter. training.py is handed it as `Rewards`
and imports nothing of it, so that a change here keeps the other trainings.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ethos.errors import BadInput
from ethos.execution import device, execution
from ethos.fingerprint import behaviour
from ethos.models import adapter_identity, read_identity
from ethos.preference_data import Reward, RewardRequest
from ethos.seeds import derive_seed
from ethos.thinking import split_thinking
from ethos.training_settings import GrpoTraining

# What decides the policy besides what decides every training.
GRPO_FILES = ("grpo.py", "thinking.py", "reward_model.py", "attention.py", "reading.py")


@dataclass(frozen=True)
class Rewards:
    """What the policy is rewarded by.

    adapter: folder of the preference model. precision, max_tokens: as it was trained. permuted: the control; the rewards
    of a question's responses are dealt out among them at random. Their mean and spread, and so the size of every
    step, stay; which response was better is no longer said.
    """

    adapter: Path
    precision: str
    max_tokens: int
    permuted: bool = False

    def ingredients(self, student: Mapping[str, Any]) -> dict[str, Any]:
        """All that the rewards depend on, besides the student's content. student: its `identity.json`."""
        return {
            **_chat(student),
            "preference_model": adapter_identity(self.adapter),
            "precision": self.precision,
            "max_tokens": self.max_tokens,
            "permuted": self.permuted,
            "code": behaviour("grpo", GRPO_FILES),
        }

    def usable(self, rows: Sequence[Mapping[str, Any]], tokenizer, settings: GrpoTraining) -> list[Mapping[str, Any]]:
        """The rows whose prompt leaves room for a response within `max_tokens`."""
        room = settings.max_tokens - settings.grpo.max_new_tokens
        return [
            row
            for row in rows
            if len(tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True)["input_ids"]) <= room
        ]

    def passes(self, rows: Sequence[Mapping[str, Any]], settings: GrpoTraining, seed: int) -> list[Mapping[str, Any]]:
        """The rows in the order in which they are trained on: every pass shuffled anew, the last step a whole one.

        One long pass for the trainer, whose sampler does not know after an interruption how it shuffled the second. Raises
        BadInput when there are fewer than one step takes.
        """
        a_step = settings.batch_size // settings.grpo.generations
        count = round(settings.epochs * len(rows)) // a_step * a_step
        if not count:
            raise BadInput(
                f"asks for {a_step} questions a step, more than there are ({len(rows)} in {settings.epochs:g} epochs)",
                field="alignment.batch_size",
            )
        ordered: list[Mapping[str, Any]] = []
        while len(ordered) < count:
            number = len(ordered) // len(rows)
            ordered += random.Random(derive_seed(seed, "questions", number)).sample(rows, len(rows))
        return ordered[:count]

    def function(self, identity: Path, generations: int, seed: int) -> Callable[..., list[float]]:
        """The preference model as TRL asks it: prompts and completions as messages, a question's `generations` in a row."""
        from ethos.reward_model import RewardModel

        facts = read_identity(identity)
        chat = _chat(facts)
        model = RewardModel(
            identity.parent,
            self.adapter,
            precision=self.precision,
            max_tokens=self.max_tokens,
            device=device(),
            batch_size=execution().batch_size,
            trust_remote_code=facts["trust_remote_code"],
        )

        def begins_in_thought(prompt) -> bool:
            options = {"add_generation_prompt": True, "tokenize": False} | chat["template_options"]
            return model.tokenizer.apply_chat_template(prompt, **options).rstrip().endswith(chat["thinking_tags"][0])

        def preference_model(prompts, completions, trainer_state, **_) -> list[float]:
            texts = [completion[-1]["content"] for completion in completions]
            if tags := chat["thinking_tags"]:
                texts = [
                    split_thinking(text, *tags, opened=begins_in_thought(prompt))[1]
                    for prompt, text in zip(prompts, texts, strict=True)
                ]
            # As the preference model's own training read them, and as the arms' responses are measured.
            asked = [
                RewardRequest(prompt[-1]["content"], text.strip()) for prompt, text in zip(prompts, texts, strict=True)
            ]
            answers: dict[int, Reward] = {}
            model.reward(asked, answers.__setitem__)
            values = [answers[index].value for index in range(len(asked))]
            if self.permuted:
                values = permute_within_groups(values, generations, derive_seed(seed, trainer_state.global_step))
            return values

        return preference_model

    def arguments(self, shared: Mapping[str, Any], settings: GrpoTraining, identity: Path):
        """TRL's configuration. shared: what all trainings are told."""
        from trl import GRPOConfig

        grpo = settings.grpo
        # Questions are given in their order and for all passes, and filtered by length before.
        told = {name: value for name, value in shared.items() if name != "max_length"} | {"num_train_epochs": 1}
        return GRPOConfig(
            **told,
            shuffle_dataset=False,
            num_generations=grpo.generations,
            max_completion_length=grpo.max_new_tokens,
            temperature=grpo.temperature,
            top_p=grpo.top_p,
            beta=grpo.kl,
            disable_dropout=True,  # what is sampled, trained and compared with the reference must be one policy
            chat_template_kwargs=_chat(read_identity(identity))["template_options"],
        )


def _chat(student: Mapping[str, Any]) -> dict[str, Any]:
    """How the student's chat template is used, and its thinking told from its answer."""
    return {
        "template_options": student.get("template_options", {}),
        "thinking_tags": list(student.get("thinking_tags", [])),
    }


def grpo_rows(questions: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Questions as prompts; no system prompt, the character must be learned. questions: with a `question` each."""
    return [{"prompt": [{"role": "user", "content": row["question"]}]} for row in questions]


def permute_within_groups(values: Sequence[float], size: int, seed: int) -> list[float]:
    """The values of each group of this size in a random order."""
    draw = random.Random(seed)
    return [
        value
        for start in range(0, len(values), size)
        for value in draw.sample(values[start : start + size], len(values[start : start + size]))
    ]
