"""Rows of tokens computed together, each in slots of its own, so that none depends on its companions.

Keys and values live in a cache of fixed length per row; a row that ends makes place for the next request without
moving the others. Attention to a single new token is computed by plain products, for speed and for equal rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

import torch
from transformers import AttentionInterface, DynamicCache, PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from ethos.engine import Request, Sampling
from ethos.sampler import penalise_repetition, sample_tokens

BUCKET = 16  # tokens; prompts and responses are padded to a multiple of this
# A row's place in the cache, prompt and completion, is a multiple of this. Wide, so that most requests of a stage can be
# computed in one batch; attention to the unused slots is cheap.
SLOTS = 128
_PREFILL_ROWS = 8  # prompts run at once; more would only need more memory
# With fewer rows the matrix products of CPUs switch to kernels that round otherwise (seen with oneDNN: bf16 below 2
# rows, float32 below 8), so that a request alone would differ from one in company.
LEAST_ROWS = 8


def _attention(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **kwargs):
    """Scaled dot-product attention; a step of one token is computed by plain products.

    On CPU `scaled_dot_product_attention` rounds a row by the thread it lands on, and is 2.4 times slower at this shape.
    Shapes as in transformers: query [rows, heads, tokens, dimension]; key and value have the heads of their groups.
    """
    rows, heads, tokens, dimension = query.shape
    if tokens > 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
    grouped = query.reshape(rows, key.shape[1], heads // key.shape[1], dimension)
    weights = torch.matmul(grouped, key.transpose(2, 3)).float() * scaling + attention_mask
    mixed = torch.matmul(weights.softmax(-1).to(value.dtype), value)
    return mixed.reshape(rows, heads, 1, value.shape[3]).transpose(1, 2), None


AttentionInterface.register("ethos", _attention)


def causal_mask(mask: torch.Tensor) -> torch.Tensor:
    """A mask of our own for prompts padded on the left: transformers drops its mask when no companion has padding.

    mask: int64 [rows, tokens]. Returns bool [rows, 1, tokens, tokens]; padding sees itself, not nothing.
    """
    order = torch.arange(mask.shape[1], device=mask.device)
    causal = (order[:, None] >= order) & mask.bool()[:, None, :]
    return (causal | (order[:, None] == order))[:, None]


def padded(length: int, multiple: int = BUCKET) -> int:
    """The length, at least 1, rounded up to a multiple."""
    return -(-max(length, 1) // multiple) * multiple


class _Slots(CacheLayerMixin):
    """Keys and values of one layer, [rows, heads, slots, dimension]; each row writes at a position of its own."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, position: _Position):
        super().__init__()
        self.keys, self.values, self.position = keys, values, position
        self.is_initialized = True

    def lazy_initialization(self, key_states, value_states):
        pass

    def update(self, key_states, value_states, *args, **kwargs):
        self.keys[self.position.rows, :, self.position.slots] = key_states[:, :, 0]
        self.values[self.position.rows, :, self.position.slots] = value_states[:, :, 0]
        return self.keys, self.values

    def get_mask_sizes(self, query_length):
        return self.keys.shape[2], 0

    def get_seq_length(self):
        return self.keys.shape[2]

    def get_max_length(self):
        return self.keys.shape[2]


class _Position:
    """Where the rows of a batch write next; shared by all layers."""

    rows: torch.Tensor
    slots: torch.Tensor


@dataclass
class Row:
    """A request under way."""

    index: int
    request: Request
    prompt: list[int]
    tokens: list[int] = field(default_factory=list)


class Batch:
    """The rows that are computed together; a row's numbers never depend on the others.

    model: its attention must be the one registered here. is_finished: asked after each token of a row. size: rows.
    slots: keys and values kept for a row, prompt and completion.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        pad_token: int,
        is_finished: Callable[[Row], bool],
        size: int,
        slots: int,
        sampling: Sampling,
    ):
        self.model, self.pad_token, self.is_finished = model, pad_token, is_finished
        self.slots, self.sampling = slots, sampling
        self.rows: list[Row | None] = [None] * size
        self.position = _Position()
        self.cache: Cache | None = None
        device = model.device
        # Padding of `seen` repeats a token that was seen, so it changes nothing.
        self.seen = torch.zeros((size, slots), dtype=torch.long, device=device)
        # Added to the attention weights: 0 where a row may look, minus infinity elsewhere.
        self.mask = torch.full((size, 1, 1, slots), -torch.inf, device=device)
        self.mask[..., 0] = 0  # an empty row must not look at nothing
        self.last = torch.zeros(size, dtype=torch.long, device=device)
        self.starts = torch.zeros(size, dtype=torch.long, device=device)  # first slot behind the padded prompt
        self.lengths = torch.zeros(size, dtype=torch.long, device=device)  # tokens of the prompt
        self.counts = torch.zeros(size, dtype=torch.long, device=device)  # tokens sampled so far
        self.seeds = torch.zeros(size, dtype=torch.long, device=device)
        self.logits: torch.Tensor | None = None  # of the next token, [rows, vocabulary]

    @property
    def active(self) -> bool:
        return any(row is not None for row in self.rows)

    def fill(self, waiting: list[Row]) -> None:
        """Put waiting requests into the free rows: run their prompts and copy keys and values into the row's slots."""
        free = [place for place, row in enumerate(self.rows) if row is None][: len(waiting)]
        rows = [waiting.pop() for _ in free]
        for length, group in groupby(zip(free, rows, strict=True), key=lambda pair: padded(len(pair[1].prompt))):
            pairs = list(group)
            for start in range(0, len(pairs), _PREFILL_ROWS):
                places, part = zip(*pairs[start : start + _PREFILL_ROWS], strict=True)
                self._prefill(list(places), list(part), length)

    def _prefill(self, places: list[int], rows: list[Row], length: int) -> None:
        device = self.model.device
        ids = torch.full((len(rows), length), self.pad_token)
        mask = torch.zeros((len(rows), length), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, -len(row.prompt) :] = torch.tensor(row.prompt)
            mask[i, -len(row.prompt) :] = 1
        ids, mask = ids.to(device), mask.to(device)
        cache = DynamicCache()
        out = self.model(
            input_ids=ids,
            attention_mask=causal_mask(mask),
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=LEAST_ROWS,  # one alone would be a product of too few rows
        )
        logits = out.logits[:, -1].float()
        if self.cache is None:
            self._allocate(cache, logits)
        for layer, filled in zip(self.cache.layers, cache.layers, strict=True):
            layer.keys[places, :, :length] = filled.keys
            layer.values[places, :, :length] = filled.values
        self.logits[places] = logits
        self.mask[places] = -torch.inf
        self.mask[places, :, :, :length] = torch.where(mask.bool(), 0.0, -torch.inf)[:, None, None]
        for i, (place, row) in enumerate(zip(places, rows, strict=True)):
            self.rows[place] = row
            self.seen[place] = row.prompt[0]
            self.seen[place, :length] = torch.where(mask[i].bool(), ids[i], row.prompt[0])
            self.starts[place], self.lengths[place] = length, len(row.prompt)
            self.counts[place] = 0
            self.seeds[place] = row.request.seed

    def _allocate(self, cache: DynamicCache, logits: torch.Tensor) -> None:
        size = len(self.rows)
        self.logits = logits.new_zeros((size, logits.shape[1]))
        layers = []
        for filled in cache.layers:
            _, heads, _, dimension = filled.keys.shape
            keys = filled.keys.new_zeros((size, heads, self.slots, dimension))
            values = filled.values.new_zeros((size, heads, self.slots, filled.values.shape[3]))
            layers.append(_Slots(keys, values, self.position))
        self.cache = Cache(layers=layers)

    def step(self) -> list[Row]:
        """Sample the next token of every row, and run it unless its row has ended. Returns the rows that ended."""
        sampling = self.sampling
        logits = penalise_repetition(self.logits, self.seen, sampling.repetition_penalty)
        self.last = sample_tokens(logits, self.seeds, self.counts, sampling.temperature, sampling.top_p)
        ended = []
        for place, token in enumerate(self.last.tolist()):
            row = self.rows[place]
            if row is not None:
                row.tokens.append(token)
                if self.is_finished(row):
                    ended.append(row)
                    self.rows[place] = None
        if self.active:
            self._forward()
        return ended

    def _forward(self) -> None:
        size = len(self.rows)
        rows = torch.arange(size, device=self.model.device)
        slots = (self.starts + self.counts).clamp(max=self.slots - 1)  # empty rows run on and must not run out
        self.seen[rows, slots] = self.last
        self.mask[rows, 0, 0, slots] = 0
        self.position.rows, self.position.slots = rows, slots
        out = self.model(
            input_ids=self.last[:, None],
            attention_mask=self.mask,
            position_ids=(self.lengths + self.counts)[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        self.logits = out.logits[:, -1].float()
        self.counts += 1

    def shrink(self) -> None:
        """Drop ended rows once half of them are: the last requests should not pay for a full batch."""
        kept = [place for place, row in enumerate(self.rows) if row is not None]
        if not kept or max(LEAST_ROWS, len(kept)) > len(self.rows) // 2:
            return
        ended = [place for place, row in enumerate(self.rows) if row is None]
        kept += ended[: LEAST_ROWS - len(kept)] if len(kept) < LEAST_ROWS else []
        index = torch.tensor(kept, device=self.model.device)
        self.rows = [self.rows[place] for place in kept]
        for name in ("seen", "mask", "last", "starts", "lengths", "counts", "seeds", "logits"):
            setattr(self, name, getattr(self, name)[index])
        for layer in self.cache.layers:
            layer.keys, layer.values = layer.keys[index], layer.values[index]
