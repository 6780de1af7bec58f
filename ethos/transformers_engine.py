"""The embedded engine: a transformers model in this process, on CPU or GPU.

A completion depends on its request alone. So each request is computed in shapes that follow from its own parts: what it
shares with others and the rest are padded to buckets, every row has its own slots in a cache of fixed length, and rows
that end make place for the next request without moving the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ethos.activations import add_steering
from ethos.attention import NAME as ATTENTION
from ethos.attention import other_attention
from ethos.chat_format import ChatFormat
from ethos.decoding import LEAST_ROWS, SLOTS, Batch, Row
from ethos.engine import Completion, Message, Request, Sampling, Score, ScoreRequest
from ethos.errors import BadInput
from ethos.loading import computing_dtype, load_model
from ethos.packing import pack_linear_layers
from ethos.reading import Prompt, Reader, padded, run_model
from ethos.steering import SteeringVector

_MARK = "\N{ASTERISM}"  # stands for what users and assistants say; no text of ours begins with it


class TransformersEngine(ChatFormat):
    """Generates and scores with one model in this process.

    folder: a prepared model. adapters: PEFT folders, merged in order. steering: added to the activations, of prompts and of
    responses. dtype: name of a torch dtype. batch_size: most rows at once; an execution setting, it changes speed and memory,
    never an answer. template_options: passed on to the chat template. thinking_tags: what stands around a reasoning model's
    thinking.
    """

    def __init__(
        self,
        folder: Path,
        *,
        adapters: Sequence[Path] = (),
        steering: SteeringVector | None = None,
        dtype: str = "bfloat16",
        device: str = "cpu",
        batch_size: int = 32,
        trust_remote_code: bool = False,
        template_options: Mapping[str, Any] | None = None,
        thinking_tags: tuple[str, str] = ("<think>", "</think>"),
    ):
        self.device = torch.device(device)
        self.model = load_model(
            folder, computing_dtype(dtype, device), adapters=adapters, trust_remote_code=trust_remote_code
        ).to(self.device)
        self._refuse_other_attention(folder)
        self.model.set_attn_implementation(ATTENTION)
        pack_linear_layers(self.model)
        if steering:
            add_steering(self.model, steering)
        super().__init__(
            folder,
            self.model.config,
            self.model.generation_config,
            template_options=template_options,
            thinking_tags=thinking_tags,
        )
        self.batch_size = batch_size
        self._marked: dict[tuple[Message, ...], list[int]] = {}

    def _refuse_other_attention(self, folder: Path) -> None:
        """The rows' masks are our own, so a model whose layers want others would be computed wrongly, in silence."""
        if what := other_attention(self.model.config.get_text_config()):
            raise BadInput(
                f"has attention of another kind ({what}), which the embedded engine can't compute; use another model",
                path=folder,
            )

    # Prompts

    def _prompt(self, messages: Sequence[Message], prefill: str = "") -> Prompt:
        """The tokens of a conversation, parted behind what it shares with all that have its system prompt."""
        tokens = self.tokens_of(messages, prefill)
        if not messages:
            return Prompt((), tuple(tokens))
        key = tuple(Message(m.role, m.content if m.role == "system" else _MARK) for m in messages)
        if key not in self._marked:
            self._marked[key] = self.tokens_of(key)
        pairs = zip(tokens, self._marked[key], strict=False)
        shared = next((place for place, (own, marked) in enumerate(pairs) if own != marked), 0)
        return Prompt(tuple(tokens[:shared]), tuple(tokens[shared:]))

    # Generation

    @torch.inference_mode()
    def generate(self, requests: Sequence[Request], on_answer: Callable[[int, Completion], None]) -> None:
        groups: dict[tuple[int, Sampling], list[Row]] = defaultdict(list)
        for index, request in enumerate(requests):
            prompt = self._prompt(request.messages, request.prefill)
            if self.is_too_long(request, prompt.tokens):
                on_answer(index, Completion("", "too_long", len(prompt.tokens), 0))
                continue
            slots = padded(len(prompt.tokens) + request.sampling.max_new_tokens, SLOTS)
            groups[slots, request.sampling].append(Row(index, request, prompt))
        # Longest first: memory runs out at once or never. Equal prompts and equal beginnings are neighbours: read once.
        for (slots, sampling), rows in sorted(groups.items(), key=lambda group: -group[0][0]):
            ordered = sorted(rows, key=lambda row: (row.prompt.shape, row.prompt.shared, row.prompt.rest))
            self._generate_group(slots, sampling, ordered, on_answer)

    def _generate_group(self, slots: int, sampling: Sampling, waiting: list[Row], on_answer) -> None:
        """Complete requests of one number of slots and one sampling, refilling the rows that end; the last waiting is first."""
        batch = Batch(
            self.model,
            Reader(self.model, self.tokenizer.pad_token_id),
            is_finished=self._is_finished,
            size=max(LEAST_ROWS, min(self.batch_size, len(waiting))),
            slots=slots,
            sampling=sampling,
        )
        while waiting or batch.active:
            batch.fill(waiting)
            for row in batch.step():
                on_answer(row.index, self.completion(row.request, row.prompt.tokens, row.tokens))
            if not waiting:
                batch.shrink()

    def _is_finished(self, row: Row) -> bool:
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
        groups: dict[tuple[int, ...], list[tuple[int, Prompt, list[int]]]] = defaultdict(list)
        for index, request in enumerate(requests):
            prompt, response = self._prompt(request.messages), self.encode(request.response)
            if not response:
                on_answer(index, Score(0.0, 0))
                continue
            self.refuse_too_long(len(prompt.tokens) + len(response))
            # The prompt's last token is what the response's first is predicted from, so it is read with the response.
            *rest, last = prompt.rest
            prompt = Prompt(prompt.shared, tuple(rest))
            groups[*prompt.shape, padded(1 + len(response))].append((index, prompt, [last, *response]))
        reader = Reader(self.model, self.tokenizer.pad_token_id)
        for _, group in sorted(groups.items(), reverse=True):
            group.sort(key=lambda item: (item[1].shared, item[1].rest))
            for start in range(0, len(group), self.batch_size):
                part = group[start : start + self.batch_size]
                contexts = reader.read([prompt for _, prompt, _ in part])
                scores = self._score_batch([contexts[prompt] for _, prompt, _ in part], [text for _, _, text in part])
                for (index, _, _), score in zip(part, scores, strict=True):
                    on_answer(index, score)
                reader.keep([part[-1][1]])

    def _score_batch(self, contexts: list, texts: list[list[int]]) -> list[Score]:
        length = padded(max(map(len, texts)))
        logits, _, _ = run_model(self.model, self.tokenizer.pad_token_id, contexts, texts, length)
        scores = []
        # One row at a time: the float32 copy of all logits would be the peak of the memory.
        for row, text in zip(logits, texts, strict=True):
            targets = torch.tensor(text[1:], device=self.device)
            values = row[-len(text) : -1].float().log_softmax(-1).gather(1, targets[:, None])
            scores.append(Score(float(values.double().sum()), len(targets)))
        return scores
