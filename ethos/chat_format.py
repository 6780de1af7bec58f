"""A model's own format: conversations as its tokens, and its tokens as answers. Every engine that is given tokens has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ethos.engine import Completion, Message, Request
from ethos.errors import BadInput
from ethos.loading import load_tokenizer, supported_turns
from ethos.thinking import split_thinking

_TAIL = 8  # tokens of a prompt in which an opening tag of thinking would stand


def render(
    tokenizer, messages: Sequence[Message], *, prefill: str = "", options: Mapping[str, Any] | None = None
) -> str:
    """The text of a conversation up to the reply, and the prefill with which the reply begins.

    options: passed on to the chat template.
    """
    turns = supported_turns(tokenizer, [{"role": message.role, "content": message.content} for message in messages])
    return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, **(options or {})) + prefill


class ChatFormat:
    """folder: a prepared model. config, generation_config: the model's, as transformers has them. template_options: passed on to
    the chat template. thinking_tags: what stands around a reasoning model's thinking.

    context: tokens that prompt and completion may have together. ends: the tokens that end a reply.
    """

    def __init__(
        self,
        folder: Path,
        config,
        generation_config,
        *,
        template_options: Mapping[str, Any] | None,
        thinking_tags: tuple[str, str],
    ):
        self.tokenizer = load_tokenizer(folder)
        self.template_options, self.thinking_tags = dict(template_options or {}), thinking_tags
        self.context = getattr(config.get_text_config(), "max_position_embeddings", 1 << 30)
        # What the first token of a plain text is predicted from; a model that knows no beginning of a text reads its end.
        bos = self.tokenizer.bos_token_id
        self.beginning = self.tokenizer.eos_token_id if bos is None else bos
        ends = generation_config.eos_token_id
        self.ends = {*(ends if isinstance(ends, list) else [ends]), self.tokenizer.eos_token_id} - {None}

    def tokens_of(self, messages: Sequence[Message], prefill: str = "") -> list[int]:
        """The tokens before an answer. Plain text, without messages, is read behind the token that begins a text, and no template."""
        if not messages:
            return [self.beginning]
        return self.encode(render(self.tokenizer, messages, prefill=prefill, options=self.template_options))

    def encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False).input_ids

    def starts_thinking(self, prompt: Sequence[int]) -> bool:
        """Whether a prompt ends with the opening tag, so that the reply begins in the middle of a thought."""
        return self.tokenizer.decode(prompt[-_TAIL:]).rstrip().endswith(self.thinking_tags[0])

    def completion(self, request: Request, prompt: Sequence[int], tokens: Sequence[int]) -> Completion:
        """The answer that sampled tokens are, up to the first stop, with the thinking apart."""
        ended = bool(tokens) and tokens[-1] in self.ends
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        cut = min((text.find(stop) for stop in request.stops if stop in text), default=None)
        reason = "stop" if ended or cut is not None else "length"
        thinking, text = split_thinking(
            text if cut is None else text[:cut], *self.thinking_tags, opened=self.starts_thinking(prompt)
        )
        return Completion(text, reason, len(prompt), len(tokens), thinking)

    def is_too_long(self, request: Request, prompt: Sequence[int]) -> bool:
        return len(prompt) + request.sampling.max_new_tokens > self.context

    def refuse_too_long(self, tokens: int) -> None:
        """Raises BadInput for a text to be scored that the context does not hold."""
        if tokens > self.context:
            raise BadInput(
                f"a text to be scored has {tokens} tokens, the model's context holds {self.context}; "
                "shorten the constitution or lower max_new_tokens"
            )
