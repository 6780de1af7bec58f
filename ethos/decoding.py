"""Rows of tokens sampled together, each in slots of its own, so that none depends on its companions.

Keys and values live in a cache of fixed length per row; a row that ends makes place for the next request without
moving the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin

from ethos.attention import as_layers_take_it
from ethos.engine import Request, Sampling
from ethos.reading import Context, Prompt, Reader
from ethos.sampler import penalise_repetition, sample_tokens

# A row's place in the cache, prompt and completion, is a multiple of this. Wide, so that most requests of a stage can be
# computed in one batch; attention to the unused slots is cheap.
SLOTS = 128
# With fewer rows the matrix products of CPUs may switch to kernels that round otherwise.
LEAST_ROWS = 8
_REFILL = 4  # free rows that are worth reading new prompts for


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
    prompt: Prompt
    tokens: list[int] = field(default_factory=list)


class Batch:
    """The rows that are computed together; a row's numbers never depend on the others.

    model: its attention must be the one of ethos.attention. is_finished: asked after each token of a row. size: rows.
    slots: keys and values kept for a row, prompt and completion.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        reader: Reader,
        *,
        is_finished: Callable[[Row], bool],
        size: int,
        slots: int,
        sampling: Sampling,
    ):
        self.model, self.reader, self.is_finished = model, reader, is_finished
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
        self.lengths = torch.zeros(size, dtype=torch.long, device=device)  # tokens read and sampled so far
        self.seeds = torch.zeros(size, dtype=torch.long, device=device)
        self.logits: torch.Tensor | None = None  # of the next token, [rows, vocabulary]

    @property
    def active(self) -> bool:
        return any(row is not None for row in self.rows)

    def fill(self, waiting: list[Row]) -> None:
        """Put waiting requests, the last one first, into the free rows; reading new prompts waits until it pays."""
        free = [place for place, row in enumerate(self.rows) if row is None][: len(waiting)]
        if self.active and len(free) < min(_REFILL, len(waiting)):
            free = free[: sum(self.reader.has(row.prompt) for row in waiting[: -len(free) - 1 : -1])]
        if not free:
            return
        rows = [waiting.pop() for _ in free]
        contexts = self.reader.read([row.prompt for row in rows])
        if self.cache is None:
            self._allocate(contexts[rows[0].prompt])
        for place, row in zip(free, rows, strict=True):
            self._place(place, row, contexts[row.prompt])
        self.reader.keep([row.prompt for row in waiting[-1:]])

    def _place(self, place: int, row: Row, context: Context) -> None:
        for layer, keys, values in zip(self.cache.layers, context.keys, context.values, strict=True):
            layer.keys[place, :, : context.length] = keys[0][:, context.mask]
            layer.values[place, :, : context.length] = values[0][:, context.mask]
        self.logits[place] = context.logits
        self.mask[place] = -torch.inf
        self.mask[place, ..., : context.length] = 0
        tokens = row.prompt.tokens
        self.seen[place] = tokens[0]
        self.seen[place, : len(tokens)] = torch.tensor(tokens)
        self.lengths[place] = context.length
        self.seeds[place] = row.request.seed
        self.rows[place] = row

    def _allocate(self, context: Context) -> None:
        size = len(self.rows)
        self.logits = context.logits.new_zeros((size, len(context.logits)))
        layers = []
        for keys, values in zip(context.keys, context.values, strict=True):
            _, heads, _, dimension = keys.shape
            layers.append(
                _Slots(
                    keys.new_zeros((size, heads, self.slots, dimension)),
                    values.new_zeros((size, heads, self.slots, values.shape[3])),
                    self.position,
                )
            )
        self.cache = Cache(layers=layers)

    def step(self) -> list[Row]:
        """Sample the next token of every row, and run it unless its row has ended. Returns the rows that ended."""
        sampling = self.sampling
        logits = penalise_repetition(self.logits, self.seen, sampling.repetition_penalty)
        last = sample_tokens(logits, self.seeds, self.lengths, sampling.temperature, sampling.top_p)
        ended = []
        for place, token in enumerate(last.tolist()):
            row = self.rows[place]
            if row is not None:
                row.tokens.append(token)
                if self.is_finished(row):
                    ended.append(row)
                    self.rows[place] = None
        if self.active:
            self._forward(last)
        return ended

    def _forward(self, last: torch.Tensor) -> None:
        rows = torch.arange(len(self.rows), device=self.model.device)
        slots = self.lengths.clamp(max=self.slots - 1)  # empty rows run on and must not run out
        self.seen[rows, slots] = last
        self.mask[rows, 0, 0, slots] = 0
        self.position.rows, self.position.slots = rows, slots
        distance = slots[:, None, None, None] - torch.arange(self.slots, device=self.model.device)
        out = self.model(
            input_ids=last[:, None],
            attention_mask=as_layers_take_it(self.mask, distance, self.model.config.get_text_config()),
            position_ids=self.lengths[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        self.logits = out.logits[:, -1].float()
        self.lengths += 1

    def shrink(self) -> None:
        """Drop ended rows once half of them are: the last requests should not pay for a full batch."""
        kept = [place for place, row in enumerate(self.rows) if row is not None]
        if not kept or max(LEAST_ROWS, len(kept)) > len(self.rows) // 2:
            return
        ended = [place for place, row in enumerate(self.rows) if row is None]
        kept += ended[: LEAST_ROWS - len(kept)] if len(kept) < LEAST_ROWS else []
        index = torch.tensor(kept, device=self.model.device)
        self.rows = [self.rows[place] for place in kept]
        for name in ("seen", "mask", "lengths", "seeds", "logits"):
            setattr(self, name, getattr(self, name)[index])
        for layer in self.cache.layers:
            layer.keys, layer.values = layer.keys[index], layer.values[index]
