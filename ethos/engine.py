"""What an engine is asked and what it answers; the engines themselves live in modules of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from ethos.files import canonical_json, sha256_of_text


class Sampling(BaseModel):
    """How text is sampled. The defaults are the published values (arXiv 2511.01689)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(0.7, ge=0, description="Sampling temperature; 0 is greedy.")
    top_p: float = Field(0.95, gt=0, le=1, description="Nucleus: the most likely tokens up to this probability.")
    repetition_penalty: float = Field(
        1.1, ge=1, description="Divides the positive and multiplies the negative logits of tokens already seen."
    )
    max_new_tokens: int = Field(
        1024,
        ge=1,
        description="Longest completion, in tokens. A prompt that leaves no room for them in the model's context is not sent, and "
        "counted as `too_long`.",
    )


@dataclass(frozen=True)
class Message:
    role: str
    content: str


def chat(*, system: str | None = None, user: str) -> tuple[Message, ...]:
    """The messages of one turn of a user, with or without a system prompt."""
    return (*((Message("system", system),) if system is not None else ()), Message("user", user))


@dataclass(frozen=True)
class Request:
    """One completion to be sampled; its answer depends on the request alone, never on its companions.

    prefill: the beginning of the reply, put into the model's mouth and not part of the completion.
    stops: the completion ends before the first of these. choices: the only answers that count; an engine that can lets the
    model give no other.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int
    prefill: str = ""
    stops: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()

    def key(self, model: str) -> str:
        content = {**asdict(self), "sampling": self.sampling.model_dump()}
        if not self.choices:
            del content["choices"]  # a request without them is what it always was
        return request_key("generate", model, content)


@dataclass(frozen=True)
class Completion:
    """An answer. A request whose prompt and `max_new_tokens` exceed the model's context is not computed but answered `too_long`.

    finish_reason: `stop` (the model or a stop string ended it), `length` (cut off) or `too_long`. thinking: what a
    reasoning model thought first; not part of the text.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    thinking: str = ""


@dataclass(frozen=True)
class ScoreRequest:
    """Ask for the log-probability of a given response, or of plain text where there are no messages."""

    messages: tuple[Message, ...]
    response: str

    def key(self, model: str) -> str:
        return request_key("score", model, asdict(self))


@dataclass(frozen=True)
class Score:
    """`log_probability`: natural log, summed over the `tokens` of the response (end of turn not counted)."""

    log_probability: float
    tokens: int

    @property
    def mean(self) -> float:
        """Nats per token; 0 for an empty response."""
        return self.log_probability / self.tokens if self.tokens else 0.0


def request_key(kind: str, model: str, content: Any) -> str:
    """The key of an answer in the store. kind: of the request. model: the model's key. content: the rest of it, as JSON."""
    return sha256_of_text(canonical_json([kind, model, content]))


class Engine(Protocol):
    """Answers come in the order of the requests; `on_answer(index, answer)` is called as each arrives."""

    def generate(self, requests: Sequence[Request], on_answer: Callable[[int, Completion], None]) -> None: ...

    def score(self, requests: Sequence[ScoreRequest], on_answer: Callable[[int, Score], None]) -> None: ...
