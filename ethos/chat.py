"""Arms that one can talk to: one base model in memory, adapters and steering switched, a conversation for each arm."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from ethos.activations import add_steering
from ethos.chat_format import render
from ethos.engine import Message, Sampling
from ethos.loading import computing_dtype, load_model, load_tokenizer
from ethos.sampler import penalise_repetition, sample_tokens
from ethos.seeds import derive_seed
from ethos.steering import SteeringVector
from ethos.thinking import split_thinking

# What a terminal would obey: control characters but tab and line feed, and marks that turn the writing direction.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """A model's text as a terminal may have it: what it would obey is replaced."""
    return _OBEYED.sub(_REPLACEMENT, text)


class Voices:
    """The arms of a run, each with its own conversation.

    base: a prepared model's folder. facts: its identity. systems: the system prompt by arm, empty for none. adapters:
    PEFT folders, of the arms that have one. steering: vectors, of the arms that have one. Adapters are not merged into the
    weights as the engine does, so the last bits of its numbers may differ from the run's.
    """

    def __init__(
        self,
        base: Path,
        facts: Mapping[str, Any],
        systems: Mapping[str, str],
        adapters: Mapping[str, Path],
        *,
        steering: Mapping[str, SteeringVector] | None = None,
        sampling: Sampling,
        device: str = "cpu",
    ):
        self.tokenizer = load_tokenizer(base)
        dtype = computing_dtype(facts["dtype"], device)
        model = load_model(base, dtype, trust_remote_code=facts["trust_remote_code"])
        for arm, folder in adapters.items():
            if isinstance(model, PeftModel):
                model.load_adapter(folder, adapter_name=arm)
            else:
                model = PeftModel.from_pretrained(model, folder, adapter_name=arm)
        self.model = model.to(device).eval()
        self.device, self.sampling, self.systems, self.adapters = device, sampling, dict(systems), adapters
        self.steering = dict(steering or {})
        self.options = dict(facts.get("template_options") or {})
        self.tags = tuple(facts.get("thinking_tags") or ("<think>", "</think>"))
        ends = model.generation_config.eos_token_id
        self.ends = {*(ends if isinstance(ends, list) else [ends]), self.tokenizer.eos_token_id} - {None}
        self.context = getattr(model.config.get_text_config(), "max_position_embeddings", 1 << 30)
        self.seed = 0
        self.reset()

    @property
    def arms(self) -> Sequence[str]:
        return list(self.systems)

    def reset(self) -> None:
        """Forget all conversations."""
        self.turns: dict[str, list[Message]] = {arm: [] for arm in self.systems}

    def answer(self, arm: str, question: str) -> Iterator[str]:
        """The arm's answer so far, again and again as it grows; what was said when it ends or is closed is remembered.

        The seed of a turn is the same for all arms, so that they differ by weights and prompts alone.
        """
        turns = self.turns[arm]
        seed = derive_seed(self.seed, "chat", len(turns) // 2)
        turns.append(Message("user", question))
        answer = ""
        try:
            for answer in self._stream(arm, seed):
                yield answer
        finally:
            turns.append(Message("assistant", answer))

    def _stream(self, arm: str, seed: int) -> Iterator[str]:
        prompt = self._prompt(arm)
        opened = self.tokenizer.decode(prompt[-8:]).rstrip().endswith(self.tags[0])
        tokens: list[int] = []
        for token in self._tokens(arm, prompt, seed):
            tokens.append(token)
            text = self.tokenizer.decode(tokens, skip_special_tokens=True)
            begun = text.lstrip()
            if begun and not opened and self.tags[0].startswith(begun):
                continue  # may become the tag that opens thinking
            # A character of several tokens is not shown before it is whole.
            yield split_thinking(text, *self.tags, opened=opened)[1].rstrip(_REPLACEMENT)

    def _prompt(self, arm: str) -> list[int]:
        """The tokens of the conversation; its oldest turns go when there is no room for an answer."""
        turns = self.turns[arm]
        while True:
            system = [Message("system", self.systems[arm])] if self.systems[arm] else []
            text = render(self.tokenizer, [*system, *turns], options=self.options)
            tokens = self.tokenizer(text, add_special_tokens=False).input_ids
            if len(tokens) + self.sampling.max_new_tokens <= self.context or len(turns) == 1:
                return tokens[-self.context + 1 :]
            turns = turns[2:]

    @torch.no_grad()  # not inference mode, whose logits could not be changed outside it
    def _next(self, arm: str, tokens: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:
        """Logits of the next token, [1, vocabulary], from an arm's weights."""
        if arm in self.adapters:
            self.model.set_adapter(arm)
        plain = isinstance(self.model, PeftModel) and arm not in self.adapters
        steering = self.steering.get(arm)
        with (
            self.model.disable_adapter() if plain else nullcontext(),
            add_steering(self.model, steering) if steering else nullcontext(),
        ):
            out = self.model(input_ids=tokens, past_key_values=cache, use_cache=True)
        return out.logits[:, -1].float(), out.past_key_values

    def _tokens(self, arm: str, prompt: list[int], seed: int) -> Iterator[int]:
        seen, cache = torch.tensor([prompt], device=self.device), None
        seeds = torch.tensor([seed], device=self.device)
        new = seen
        room = self.context - len(prompt)
        for _ in range(min(self.sampling.max_new_tokens, room)):
            logits, cache = self._next(arm, new, cache)
            logits = penalise_repetition(logits, seen, self.sampling.repetition_penalty)
            steps = torch.tensor([seen.shape[1]], device=self.device)
            new = sample_tokens(logits, seeds, steps, self.sampling.temperature, self.sampling.top_p)[:, None]
            token = int(new)
            if token in self.ends:
                return
            seen = torch.cat([seen, new], dim=1)
            yield token
