"""The embedded engine: a transformers model in this process, on CPU or GPU.

A completion depends on its request alone. So each request is computed in shapes that follow from its own length:
prompts are padded to a bucket, every row has its own slots in a cache of fixed length, and rows that end make place
for the next request without moving the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ethos.decoding import LEAST_ROWS, SLOTS, Batch, Row, causal_mask, padded
from ethos.engine import Completion, Message, Request, Sampling, Score, ScoreRequest
from ethos.errors import BadInput
from ethos.loading import load_model, load_tokenizer, supported_turns


def render(tokenizer, messages: Sequence[Message], *, prefill: str = "") -> str:
    """The text of a conversation up to the reply, and the prefill with which the reply begins."""
    turns = supported_turns(tokenizer, [{"role": message.role, "content": message.content} for message in messages])
    return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) + prefill


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
        self._refuse_other_attention(folder)
        self.model.set_attn_implementation("ethos")
        self.batch_size = batch_size
        self.context = getattr(self.model.config.get_text_config(), "max_position_embeddings", 1 << 30)
        ends = self.model.generation_config.eos_token_id
        self.ends = {*(ends if isinstance(ends, list) else [ends]), self.tokenizer.eos_token_id} - {None}

    def _refuse_other_attention(self, folder: Path) -> None:
        """The rows' masks are our own, so a model whose layers want others would be computed wrongly, in silence."""
        config = self.model.config.get_text_config()
        kinds = set(getattr(config, "layer_types", None) or []) - {"full_attention"}
        capped = getattr(config, "attn_logit_softcapping", None)
        if kinds or capped or getattr(config, "sliding_window", None):
            what = ", ".join(sorted(kinds)) or ("capped logits" if capped else "a sliding window")
            raise BadInput(
                f"has attention of another kind ({what}), which the embedded engine can't compute; use another model",
                path=folder,
            )

    # Generation

    @torch.inference_mode()
    def generate(self, requests: Sequence[Request], on_answer: Callable[[int, Completion], None]) -> None:
        groups: dict[tuple[int, Sampling], list[Row]] = defaultdict(list)
        for index, request in enumerate(requests):
            prompt = self._encode(render(self.tokenizer, request.messages, prefill=request.prefill))
            self._refuse_too_long(len(prompt) + request.sampling.max_new_tokens)
            slots = padded(padded(len(prompt)) + request.sampling.max_new_tokens, SLOTS)
            groups[slots, request.sampling].append(Row(index, request, prompt))
        # Longest first: memory runs out at once or never.
        for (slots, sampling), rows in sorted(groups.items(), key=lambda group: -group[0][0]):
            self._generate_group(slots, sampling, sorted(rows, key=lambda row: len(row.prompt)), on_answer)

    def _generate_group(self, slots: int, sampling: Sampling, waiting: list[Row], on_answer) -> None:
        """Complete requests of one number of slots and one sampling, refilling the rows that end; the last waiting is first."""
        batch = Batch(
            self.model,
            pad_token=self.tokenizer.pad_token_id,
            is_finished=self._is_finished,
            size=max(LEAST_ROWS, min(self.batch_size, len(waiting))),
            slots=slots,
            sampling=sampling,
        )
        while waiting or batch.active:
            batch.fill(waiting)
            for row in batch.step():
                on_answer(row.index, self._completion(row))
            if not waiting:
                batch.shrink()

    def _completion(self, row: Row) -> Completion:
        ended = bool(row.tokens) and row.tokens[-1] in self.ends
        text = self.tokenizer.decode(row.tokens, skip_special_tokens=True)
        cut = min((text.find(stop) for stop in row.request.stops if stop in text), default=None)
        reason = "stop" if ended or cut is not None else "length"
        return Completion(text if cut is None else text[:cut], reason, len(row.prompt), len(row.tokens))

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
        groups: dict[tuple[int, int], list[tuple[int, list[int], list[int]]]] = defaultdict(list)
        for index, request in enumerate(requests):
            prompt = self._encode(render(self.tokenizer, request.messages))
            response = self._encode(request.response)
            if not response:
                on_answer(index, Score(0.0, 0))
                continue
            self._refuse_too_long(len(prompt) + len(response))
            kept = padded(len(response))
            groups[padded(len(prompt)) + kept, kept].append((index, prompt, response))
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
            attention_mask=causal_mask(mask),
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
