"""The embedded engine: a transformers model in this process, on CPU or GPU.

A completion depends on its request alone. So each request is computed in shapes that follow from its own length:
prompts are padded to a bucket, every row has its own slots in a cache of fixed length, and rows that end make place
for the next request without moving the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jinja2.exceptions import TemplateError
from transformers import AttentionInterface, DynamicCache
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from ethos.engine import Completion, Message, Request, Sampling, Score, ScoreRequest
from ethos.errors import BadInput
from ethos.loading import load_model, load_tokenizer
from ethos.sampler import penalise_repetition, sample_tokens

_BUCKET = 16  # tokens; prompts and responses are padded to a multiple of this
# With fewer rows the matrix products of CPUs switch to kernels that round otherwise (seen with oneDNN: bf16 below 2
# rows, float32 below 8), so that a request alone would differ from one in company.
_LEAST_ROWS = 8


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


def _causal_mask(mask: torch.Tensor) -> torch.Tensor:
    """A mask of our own for prompts padded on the left: transformers drops its mask when no companion has padding.

    mask: int64 [rows, tokens]. Returns bool [rows, 1, tokens, tokens]; padding sees itself, not nothing.
    """
    order = torch.arange(mask.shape[1], device=mask.device)
    causal = (order[:, None] >= order) & mask.bool()[:, None, :]
    return (causal | (order[:, None] == order))[:, None]


def render(tokenizer, messages: Sequence[Message], *, prefill: str = "", generation_prompt: bool = True) -> str:
    """The text of a conversation up to the reply; a template without a system role gets it before the first user turn."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=generation_prompt)
    except TemplateError:
        if turns[0]["role"] != "system":
            raise
        system, first, *rest = turns
        merged = [{"role": first["role"], "content": f"{system['content']}\n\n{first['content']}"}, *rest]
        text = tokenizer.apply_chat_template(merged, tokenize=False, add_generation_prompt=generation_prompt)
    return text + prefill


def _bucket(length: int) -> int:
    return max(_BUCKET, -(-length // _BUCKET) * _BUCKET)


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
class _Row:
    """A request under way."""

    index: int
    request: Request
    prompt: list[int]
    tokens: list[int] = field(default_factory=list)


class TransformersEngine:
    """Generates and scores with one model in this process.

    folder: a prepared model. adapters: PEFT folders, merged in order. dtype: name of a torch dtype. batch_size: most
    rows at once; an execution setting, it changes speed and memory, never an answer.
    """

    def __init__(
        self,
        folder: Path,
        *,
        adapters: Sequence[Path] = (),
        dtype: str = "bfloat16",
        device: str = "cpu",
        batch_size: int = 32,
        trust_remote_code: bool = False,
    ):
        self.tokenizer = load_tokenizer(folder)
        self.device = torch.device(device)
        self.model = load_model(
            folder, getattr(torch, dtype), adapters=adapters, trust_remote_code=trust_remote_code
        ).to(self.device)
        self.model.set_attn_implementation("ethos")
        self.batch_size = batch_size
        self.context = getattr(self.model.config.get_text_config(), "max_position_embeddings", 1 << 30)
        ends = self.model.generation_config.eos_token_id
        self.ends = {*(ends if isinstance(ends, list) else [ends]), self.tokenizer.eos_token_id} - {None}

    # Generation

    @torch.inference_mode()
    def generate(self, requests: Sequence[Request], on_answer: Callable[[int, Completion], None]) -> None:
        groups: dict[tuple[int, Sampling], list[_Row]] = defaultdict(list)
        for index, request in enumerate(requests):
            prompt = self._encode(render(self.tokenizer, request.messages, prefill=request.prefill))
            self._refuse_too_long(len(prompt) + request.sampling.max_new_tokens)
            groups[_bucket(len(prompt)), request.sampling].append(_Row(index, request, prompt))
        # Longest first: memory runs out at once or never.
        for (length, sampling), rows in sorted(groups.items(), key=lambda group: -group[0][0]):
            self._generate_group(length, sampling, rows, on_answer)

    def _generate_group(self, length: int, sampling: Sampling, waiting: list[_Row], on_answer) -> None:
        """Complete requests of one bucket and one sampling, refilling the rows that end."""
        slots = length + _bucket(sampling.max_new_tokens)
        waiting = waiting[::-1]
        size = max(_LEAST_ROWS, min(self.batch_size, len(waiting)))
        batch = _Batch(self, size, length, slots, sampling)
        while waiting or batch.active:
            batch.fill(waiting)
            for row in batch.step():
                on_answer(row.index, self._completion(row))
            if not waiting:
                batch.shrink()

    def _completion(self, row: _Row) -> Completion:
        ended = bool(row.tokens) and row.tokens[-1] in self.ends
        text = self.tokenizer.decode(row.tokens, skip_special_tokens=True)
        cut = min((text.find(stop) for stop in row.request.stops if stop in text), default=None)
        reason = "stop" if ended or cut is not None else "length"
        return Completion(text if cut is None else text[:cut], reason, len(row.prompt), len(row.tokens))

    def is_finished(self, row: _Row) -> bool:
        if row.tokens[-1] in self.ends or len(row.tokens) == row.request.sampling.max_new_tokens:
            return True
        if not row.request.stops:
            return False
        # A stop string spans few tokens; decoding the whole row at every step would be quadratic.
        tail = self.tokenizer.decode(row.tokens[-(2 + max(map(len, row.request.stops))) :])
        return any(stop in tail for stop in row.request.stops)

    # Scoring

    @torch.inference_mode()
    def score(self, requests: Sequence[ScoreRequest], on_answer: Callable[[int, Score], None]) -> None:
        groups: dict[tuple[int, int], list[tuple[int, list[int], list[int]]]] = defaultdict(list)
        for index, request in enumerate(requests):
            prompt = self._encode(render(self.tokenizer, request.messages))
            response = self._encode(request.response)
            if not response:
                on_answer(index, Score(0.0, 0))
                continue
            self._refuse_too_long(len(prompt) + len(response))
            kept = _bucket(len(response))
            groups[_bucket(len(prompt)) + kept, kept].append((index, prompt, response))
        for (length, kept), group in sorted(groups.items(), reverse=True):
            for start in range(0, len(group), self.batch_size):
                part = group[start : start + self.batch_size]
                scores = self._score_batch([(prompt, response) for _, prompt, response in part], length, kept)
                for (index, _, _), score in zip(part, scores, strict=True):
                    on_answer(index, score)

    def _score_batch(self, texts: list[tuple[list[int], list[int]]], length: int, kept: int) -> list[Score]:
        ids = torch.full((len(texts), length), self.tokenizer.pad_token_id)
        mask = torch.zeros((len(texts), length), dtype=torch.long)
        for row, (prompt, response) in enumerate(texts):
            tokens = [*prompt, *response]
            ids[row, -len(tokens) :] = torch.tensor(tokens)
            mask[row, -len(tokens) :] = 1
        ids, mask = ids.to(self.device), mask.to(self.device)
        logits = self.model(
            input_ids=ids,
            attention_mask=_causal_mask(mask),
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            logits_to_keep=kept + 1,
            use_cache=False,
        ).logits[:, :-1]
        targets = ids[:, -kept:, None]
        # One row at a time: the float32 copy of all logits would be the peak of the memory.
        chosen = [
            row.float().log_softmax(-1).gather(1, target)[:, 0].double()
            for row, target in zip(logits, targets, strict=True)
        ]
        return [
            Score(float(values[-len(response) :].sum()), len(response))
            for values, (_, response) in zip(chosen, texts, strict=True)
        ]

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def _refuse_too_long(self, tokens: int) -> None:
        if tokens > self.context:
            raise BadInput(
                f"a request needs {tokens} tokens, the model's context holds {self.context}; "
                "shorten the constitution or lower max_new_tokens"
            )


class _Batch:
    """The rows that are computed together; a row's numbers never depend on the others."""

    def __init__(self, engine: TransformersEngine, size: int, length: int, slots: int, sampling: Sampling):
        self.engine, self.length, self.slots, self.sampling = engine, length, slots, sampling
        self.rows: list[_Row | None] = [None] * size
        self.position = _Position()
        self.cache: Cache | None = None
        device = engine.device
        # Padding of `seen` repeats a token that was seen, so it changes nothing.
        self.seen = torch.zeros((size, slots), dtype=torch.long, device=device)
        # Added to the attention weights: 0 where a row may look, minus infinity elsewhere.
        self.mask = torch.full((size, 1, 1, slots), -torch.inf, device=device)
        self.mask[..., 0] = 0  # an empty row must not look at nothing
        self.last = torch.zeros(size, dtype=torch.long, device=device)
        self.lengths = torch.zeros(size, dtype=torch.long, device=device)  # tokens seen so far, prompt included
        self.counts = torch.zeros(size, dtype=torch.long, device=device)  # tokens sampled so far
        self.seeds = torch.zeros(size, dtype=torch.long, device=device)
        self.logits: torch.Tensor | None = None  # of the next token, [rows, vocabulary]

    @property
    def active(self) -> bool:
        return any(row is not None for row in self.rows)

    def fill(self, waiting: list[_Row]) -> None:
        """Put waiting requests into the free rows: run their prompts and copy keys and values into the row's slots."""
        free = [place for place, row in enumerate(self.rows) if row is None][: len(waiting)]
        for start in range(0, len(free), 8):
            places = free[start : start + 8]
            rows = [waiting.pop() for _ in places]
            self._prefill(places, rows)

    def _prefill(self, places: list[int], rows: list[_Row]) -> None:
        engine, device = self.engine, self.engine.device
        ids = torch.full((len(rows), self.length), engine.tokenizer.pad_token_id)
        mask = torch.zeros((len(rows), self.length), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, -len(row.prompt) :] = torch.tensor(row.prompt)
            mask[i, -len(row.prompt) :] = 1
        ids, mask = ids.to(device), mask.to(device)
        cache = DynamicCache()
        out = engine.model(
            input_ids=ids,
            attention_mask=_causal_mask(mask),
            position_ids=(mask.cumsum(1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits = out.logits[:, -1].float()
        if self.cache is None:
            self._allocate(cache, logits)
        for layer, filled in zip(self.cache.layers, cache.layers, strict=True):
            layer.keys[places, :, : self.length] = filled.keys
            layer.values[places, :, : self.length] = filled.values
        self.logits[places] = logits
        self.mask[places] = -torch.inf
        self.mask[places, :, :, : self.length] = torch.where(mask.bool(), 0.0, -torch.inf)[:, None, None]
        for i, (place, row) in enumerate(zip(places, rows, strict=True)):
            self.rows[place] = row
            self.seen[place] = row.prompt[0]
            self.seen[place, : self.length] = torch.where(mask[i].bool(), ids[i], row.prompt[0])
            self.lengths[place] = len(row.prompt)
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

    def step(self) -> list[_Row]:
        """Sample the next token of every row, and run it unless its row has ended. Returns the rows that ended."""
        engine, sampling = self.engine, self.sampling
        logits = penalise_repetition(self.logits, self.seen, sampling.repetition_penalty)
        self.last = sample_tokens(logits, self.seeds, self.counts, sampling.temperature, sampling.top_p)
        ended = []
        for place, token in enumerate(self.last.tolist()):
            row = self.rows[place]
            if row is not None:
                row.tokens.append(token)
                if engine.is_finished(row):
                    ended.append(row)
                    self.rows[place] = None
        if self.active:
            self._forward()
        return ended

    def _forward(self) -> None:
        size = len(self.rows)
        rows = torch.arange(size, device=self.engine.device)
        slots = (self.length + self.counts).clamp(max=self.slots - 1)
        self.seen[rows, slots] = self.last
        self.mask[rows, 0, 0, slots] = 0
        self.position.rows, self.position.slots = rows, slots
        out = self.engine.model(
            input_ids=self.last[:, None],
            attention_mask=self.mask,
            position_ids=self.lengths[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        self.logits = out.logits[:, -1].float()
        self.lengths += 1
        self.counts += 1

    def shrink(self) -> None:
        """Drop ended rows once half of them are: the last requests should not pay for a full batch."""
        kept = [place for place, row in enumerate(self.rows) if row is not None]
        if not kept or max(_LEAST_ROWS, len(kept)) > len(self.rows) // 2:
            return
        ended = [place for place, row in enumerate(self.rows) if row is None]
        kept += ended[: _LEAST_ROWS - len(kept)] if len(kept) < _LEAST_ROWS else []
        index = torch.tensor(kept, device=self.engine.device)
        self.rows = [self.rows[place] for place in kept]
        for name in ("seen", "mask", "last", "lengths", "counts", "seeds", "logits"):
            setattr(self, name, getattr(self, name)[index])
        for layer in self.cache.layers:
            layer.keys, layer.values = layer.keys[index], layer.values[index]
