"""Reading texts into keys and values: what requests share is read once, and no row depends on its companions.

A text is read in parts, each padded to a bucket of its own length behind what was read before it. The parts follow from
the request alone, so sharing them saves time and changes no number.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from transformers import DynamicCache, PreTrainedModel

from ethos.attention import causal_mask

BUCKET = 16  # tokens; every part is padded to a multiple of this
_ROWS = 8  # texts read at once; more would only need more memory
_SHARED = 16  # shared beginnings kept, the last used
LEAST_LOGITS = 2  # one row alone is a product that rounds otherwise (float32 on CPU)


def padded(length: int, multiple: int = BUCKET) -> int:
    """The length rounded up to a multiple."""
    return -(-length // multiple) * multiple


@dataclass(frozen=True)
class Prompt:
    """Token ids of a prompt: what it shares with other requests (the system prompt, as a rule), and the rest."""

    shared: tuple[int, ...]
    rest: tuple[int, ...]

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.shared + self.rest

    @property
    def shape(self) -> tuple[int, int]:
        """Slots of both parts; prompts of one shape are read together."""
        return padded(len(self.shared)), padded(len(self.rest))


@dataclass(frozen=True)
class Context:
    """What is kept of tokens that were read.

    keys, values: a layer each, [1, heads, slots, dimension]. mask: bool [slots], False at padding. length: tokens read.
    logits: float32 [vocabulary], of the token that comes next.
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    mask: torch.Tensor
    length: int
    logits: torch.Tensor


@torch.inference_mode()
def run_model(
    model: PreTrainedModel, pad_token: int, before: Sequence[Context | None], parts: Sequence[Sequence[int]], keep: int
) -> tuple[torch.Tensor, DynamicCache, torch.Tensor]:
    """Run the model over one part of each text, all of one bucket, behind contexts of one number of slots.

    keep: the last positions whose logits are wanted. Returns logits [rows, keep, vocabulary] in the model's precision, keys
    and values of everything read, and the mask over it, bool [rows, slots].
    """
    length = padded(max(map(len, parts)))
    ids = torch.full((len(parts), length), pad_token)
    own = torch.zeros((len(parts), length), dtype=torch.bool)
    for row, part in enumerate(parts):
        ids[row, -len(part) :] = torch.tensor(part)
        own[row, -len(part) :] = True
    ids, own = ids.to(model.device), own.to(model.device)
    cache, earlier = DynamicCache(), None
    positions = (own.cumsum(1) - 1).clamp(min=0)
    if before[0] is not None:
        for layer in range(len(before[0].keys)):
            keys = torch.cat([context.keys[layer] for context in before])
            values = torch.cat([context.values[layer] for context in before])
            cache.update(keys, values, layer)
        earlier = torch.stack([context.mask for context in before])
        positions += torch.tensor([[context.length] for context in before], device=model.device)
    logits = model(
        input_ids=ids,
        attention_mask=causal_mask(model.config.get_text_config(), own, earlier),
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=keep,
    ).logits
    return logits, cache, own if earlier is None else torch.cat([earlier, own], dim=1)


class Reader:
    """Reads prompts, equal ones and shared beginnings once."""

    def __init__(self, model: PreTrainedModel, pad_token: int):
        self.model, self.pad_token = model, pad_token
        self._shared: OrderedDict[tuple[int, ...], Context] = OrderedDict()
        self._kept: dict[Prompt, Context] = {}

    def has(self, prompt: Prompt) -> bool:
        """Whether a prompt needs no reading."""
        return prompt in self._kept

    def keep(self, prompts: Sequence[Prompt]) -> None:
        """Forget all prompts but these; what is needed next should be read already."""
        self._kept = {prompt: self._kept[prompt] for prompt in prompts if prompt in self._kept}

    def read(self, prompts: Sequence[Prompt]) -> dict[Prompt, Context | None]:
        """The context of each prompt; None for an empty one. They are kept until `keep` says otherwise."""
        missing = sorted({*prompts} - {*self._kept}, key=lambda prompt: (prompt.shape, prompt.shared, prompt.rest))
        for (_, length), group in groupby(missing, key=lambda prompt: prompt.shape):
            waiting = list(group)
            for start in range(0, len(waiting), _ROWS):
                rows = waiting[start : start + _ROWS]
                before = [self._read_shared(prompt.shared) for prompt in rows]
                contexts = self._extend(before, [prompt.rest for prompt in rows]) if length else before
                self._kept.update(zip(rows, contexts, strict=True))
        return {prompt: self._kept[prompt] for prompt in prompts}

    def _read_shared(self, tokens: tuple[int, ...]) -> Context | None:
        if not tokens:
            return None
        if tokens not in self._shared:
            self._shared[tokens] = self._extend([None], [tokens])[0]
        self._shared.move_to_end(tokens)
        while len(self._shared) > _SHARED:
            self._shared.popitem(last=False)
        return self._shared[tokens]

    def _extend(self, before: Sequence[Context | None], parts: Sequence[Sequence[int]]) -> list[Context]:
        logits, cache, mask = run_model(self.model, self.pad_token, before, parts, LEAST_LOGITS)
        return [
            Context(
                [layer.keys[row : row + 1] for layer in cache.layers],
                [layer.values[row : row + 1] for layer in cache.layers],
                mask[row],
                (context.length if context else 0) + len(part),
                logits[row, -1].float(),
            )
            for row, (context, part) in enumerate(zip(before, parts, strict=True))
        ]
