"""A trained preference model: gives a response to a question a reward, in logits; only differences mean something."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ethos.execution import device, execution
from ethos.models import read_identity
from ethos.progress import Progress


def conversation(question: str, response: str) -> list[dict[str, str]]:
    """What the preference model reads: no system prompt, so that it must see the trait in the response itself."""
    return [{"role": "user", "content": question}, {"role": "assistant", "content": response}]


class RewardModel:
    """The student with a reward head and its LoRA adapter.

    identity: the prepared model. adapter: the preference model's PEFT folder.
    """

    def __init__(self, identity: Path, adapter: Path, *, precision: str, max_tokens: int):
        import torch
        from peft import PeftModel

        from ethos.loading import load_reward_base, load_tokenizer

        self.max_tokens = max_tokens
        self.device = device()
        self.tokenizer = load_tokenizer(identity.parent)
        trust = read_identity(identity)["trust_remote_code"]
        # The head's seed does not matter: the adapter brings the trained one.
        base = load_reward_base(identity.parent, getattr(torch, precision), seed=0, trust_remote_code=trust)
        self.model = PeftModel.from_pretrained(base, adapter).eval().to(self.device)

    def score(self, rows: Sequence[tuple[str, str]], *, stage: str) -> list[float]:
        """Rewards of (question, response) rows, in their order."""
        import torch

        texts = [self.tokenizer.apply_chat_template(conversation(*row), tokenize=False) for row in rows]
        ids = [self.tokenizer(text, add_special_tokens=False).input_ids[: self.max_tokens] for text in texts]
        rewards = [0.0] * len(rows)
        progress = Progress(stage, len(rows))
        # Of like length together, so that little is spent on padding.
        order = sorted(range(len(rows)), key=lambda index: len(ids[index]))
        for start in range(0, len(order), execution().batch_size):
            part = order[start : start + execution().batch_size]
            batch = self.tokenizer.pad(
                {"input_ids": [ids[index] for index in part]}, padding_side="right", return_tensors="pt"
            ).to(self.device)
            with torch.inference_mode():
                values = self.model(**batch).logits[:, 0].float().tolist()
            for index, value in zip(part, values, strict=True):
                rewards[index] = value
                progress.add(len(ids[index]))
        return rewards
