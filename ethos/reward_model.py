"""A trained preference model: gives a response to a question a reward, in logits; only differences mean something."""

from __future__ import annotations

from collections import defaultdict
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
        base.config.get_text_config().pad_token_id = self.tokenizer.pad_token_id  # finds the last token of a text
        self.model = PeftModel.from_pretrained(base, adapter).eval().to(self.device)

    def score(self, rows: Sequence[tuple[str, str]], *, stage: str) -> list[float]:
        """Rewards of (question, response) rows, in their order."""
        from ethos.decoding import padded

        texts = [self.tokenizer.apply_chat_template(conversation(*row), tokenize=False) for row in rows]
        ids = [self.tokenizer(text, add_special_tokens=False).input_ids[: self.max_tokens] for text in texts]
        rewards = [0.0] * len(rows)
        progress = Progress(stage, len(rows))
        # In shapes of their own length, as in the engine: a reward must not depend on what shares its batch.
        groups: dict[int, list[int]] = defaultdict(list)
        for index, tokens in enumerate(ids):
            groups[padded(len(tokens))].append(index)
        for length, group in sorted(groups.items(), reverse=True):
            for start in range(0, len(group), execution().batch_size):
                part = group[start : start + execution().batch_size]
                for index, value in zip(part, self._rewards([ids[index] for index in part], length), strict=True):
                    rewards[index] = value
                    progress.add(len(ids[index]))
        return rewards

    def _rewards(self, texts: Sequence[Sequence[int]], length: int) -> list[float]:
        import torch

        from ethos.decoding import causal_mask

        ids = torch.full((len(texts), length), self.tokenizer.pad_token_id)
        mask = torch.zeros((len(texts), length), dtype=torch.long)
        for row, tokens in enumerate(texts):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        with torch.inference_mode():
            output = self.model(input_ids=ids.to(self.device), attention_mask=causal_mask(mask.to(self.device)))
        return output.logits[:, 0].float().tolist()
