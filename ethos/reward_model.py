"""A trained preference model as a torch module: gives a text a reward, in logits; only differences mean something."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from peft import PeftModel

from ethos.attention import causal_mask
from ethos.loading import computing_dtype, load_reward_base, load_tokenizer
from ethos.preference_data import Reward, RewardRequest, conversation
from ethos.reading import padded


class RewardModel:
    """The student with a reward head and its LoRA adapter.

    folder: the prepared student. adapter: the preference model's PEFT folder. precision: name of a torch dtype.
    max_tokens: what is behind them is not read. batch_size: most texts at once; it changes no reward.
    """

    def __init__(
        self,
        folder: Path,
        adapter: Path,
        *,
        precision: str,
        max_tokens: int,
        device: str = "cpu",
        batch_size: int = 32,
        trust_remote_code: bool = False,
    ):
        self.max_tokens, self.device, self.batch_size = max_tokens, device, batch_size
        self.tokenizer = load_tokenizer(folder)
        # The head's seed does not matter: the adapter brings the trained one.
        dtype = computing_dtype(precision, device)
        base = load_reward_base(folder, dtype, seed=0, trust_remote_code=trust_remote_code)
        base.config.get_text_config().pad_token_id = self.tokenizer.pad_token_id  # finds the last token of a text
        self.model = PeftModel.from_pretrained(base, adapter).eval().to(device)

    def reward(self, requests: Sequence[RewardRequest], on_answer: Callable[[int, Reward], None]) -> None:
        """Rewards in no order; `on_answer(index, answer)` is called as each arrives."""
        # In shapes of their own length, as in the engine: a reward must not depend on what shares its batch.
        groups: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
        for index, request in enumerate(requests):
            text = self.tokenizer.apply_chat_template(conversation(request.question, request.response), tokenize=False)
            tokens = self.tokenizer(text, add_special_tokens=False).input_ids[: self.max_tokens]
            groups[padded(len(tokens))].append((index, tokens))
        for length, group in sorted(groups.items(), reverse=True):
            for start in range(0, len(group), self.batch_size):
                part = group[start : start + self.batch_size]
                values = self._rewards([tokens for _, tokens in part], length)
                for (index, tokens), value in zip(part, values, strict=True):
                    on_answer(index, Reward(value, len(tokens)))

    @torch.inference_mode()
    def _rewards(self, texts: Sequence[Sequence[int]], length: int) -> list[float]:
        ids = torch.full((len(texts), length), self.tokenizer.pad_token_id)
        mask = torch.zeros((len(texts), length), dtype=torch.bool)
        for row, tokens in enumerate(texts):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = True
        looked_at = causal_mask(self.model.config.get_text_config(), mask.to(self.device))
        output = self.model(input_ids=ids.to(self.device), attention_mask=looked_at)
        return output.logits[:, 0].float().tolist()
