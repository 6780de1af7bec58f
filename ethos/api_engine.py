"""The engine for models that are reached over HTTP: any endpoint that speaks OpenAI's chat completions.

Answers are kept as they arrive, so what was paid for is paid for once. A service may answer the same request otherwise
tomorrow; what makes a run repeatable is the store.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import openai

from ethos.engine import Completion, Request, Score, ScoreRequest
from ethos.errors import BadInput
from ethos.execution_settings import ApiLimits
from ethos.thinking import split_thinking

_MILLION = 1_000_000
# How services call a prompt that does not fit.
_TOO_LONG = ("context_length_exceeded", "maximum context length", "prompt is too long")


@dataclass
class Spending:
    """Tokens bought of a model so far, and what limits them. A request is not sent when it could pass the limit."""

    limits: ApiLimits
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def money(self) -> float:
        """In the currency of the prices."""
        prices = self.limits.prompt_price, self.limits.completion_price
        return (self.prompt_tokens * prices[0] + self.completion_tokens * prices[1]) / _MILLION

    def add(self, prompt_tokens: int, completion_tokens: int) -> None:
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens

    def allows(self, waiting: Sequence[Request]) -> bool:
        """Whether the longest answers to these requests, with prompts of a token for every three characters, stay within it."""
        worst = Spending(self.limits, self.prompt_tokens, self.completion_tokens)
        for request in waiting:
            characters = sum(len(message.content) for message in request.messages)
            worst.add(characters // 3, request.sampling.max_new_tokens)
        tokens, money = self.limits.max_tokens, self.limits.max_money
        return (tokens is None or worst.prompt_tokens + worst.completion_tokens <= tokens) and (
            money is None or worst.money <= money
        )


class ApiEngine:
    """Generates with a model behind an endpoint.

    name: of the model in the config, for messages. model: what the endpoint calls it. url: of the endpoint, up to `/v1`.
    key: the environment variable that holds the key; empty for an endpoint that wants none. spent: what was bought of the
    model before.
    """

    def __init__(
        self,
        name: str,
        *,
        model: str,
        url: str,
        key: str,
        limits: ApiLimits,
        thinking_tags: tuple[str, str],
        spent: tuple[int, int] = (0, 0),
    ):
        if key and not os.environ.get(key):
            raise BadInput(f"needs a key; set the environment variable {key}", field=f"models.{name}.key")
        self.name, self.model, self.url, self.key = name, model, url, key
        self.limits, self.thinking_tags = limits, thinking_tags
        self.spending = Spending(limits, *spent)
        # It tries again, ever later, after 408, 409, 429, 5xx, a time-out and a lost connection; nothing else.
        self._client = openai.OpenAI(
            base_url=url,
            api_key=os.environ[key] if key else "none",
            timeout=limits.timeout_seconds,
            max_retries=limits.retries,
        )

    def generate(self, requests: Sequence[Request], on_answer: Callable[[int, Completion], None]) -> None:
        """Ask for all, several at once. Raises BadInput when the endpoint refuses or a limit is reached; what came is kept."""
        waiting = deque(enumerate(requests))
        under_way: dict[Future[Completion], tuple[int, Request]] = {}
        stopped: BadInput | None = None
        with ThreadPoolExecutor(self.limits.concurrency) as pool:
            while under_way or (waiting and not stopped):
                while waiting and not stopped and len(under_way) < self.limits.concurrency:
                    index, request = waiting[0]
                    if not self.spending.allows([request, *(sent for _, sent in under_way.values())]):
                        stopped = BadInput(self._limit_reached(), field=f"execution.api.{self.name}")
                        break
                    waiting.popleft()
                    under_way[pool.submit(self._complete, request)] = (index, request)
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    index, _ = under_way.pop(future)
                    try:
                        answer = future.result()
                        self.spending.add(answer.prompt_tokens, answer.completion_tokens)
                        on_answer(index, answer)
                    except BadInput as error:  # those under way still arrive, and are kept
                        stopped = stopped or error
        if stopped:
            raise stopped

    def _limit_reached(self) -> str:
        spent, limits = self.spending, self.limits
        bought = f"{spent.prompt_tokens + spent.completion_tokens} tokens, {spent.money:.2f} in money"
        given = {"max_tokens": limits.max_tokens, "max_money": limits.max_money}
        limit = " or ".join(f"{name} ({value:g})" for name, value in given.items() if value is not None)
        return f"bought {bought}; what comes next could pass {limit}. Nothing is lost: raise it, or the budget, and run again"

    def score(self, requests: Sequence[ScoreRequest], on_answer: Callable[[int, Score], None]) -> None:
        raise BadInput(
            "is reached over HTTP and can't say how likely a given text is; use a model that runs here",
            field=f"models.{self.name}",
        )

    def _complete(self, request: Request) -> Completion:
        try:
            answer = self._client.chat.completions.create(**self._body(request))
        except openai.APIStatusError as error:
            if error.status_code == 400 and any(sign in str(error).lower() for sign in _TOO_LONG):
                return Completion("", "too_long", 0, 0)
            raise self._refused(f"answered {error.status_code}: {_message(error)}") from None
        except openai.APIConnectionError as error:  # a time-out too
            raise self._refused(f"gave no answer in {1 + self.limits.retries} attempts ({error})") from None
        if not answer.choices or answer.usage is None:
            raise self._refused("answered without a completion or without counting its tokens")
        choice, usage = answer.choices[0], answer.usage
        text = choice.message.content or ""
        thought = getattr(choice.message, "reasoning_content", None) or ""
        if not thought:
            thought, text = split_thinking(text, *self.thinking_tags)
        text = text if not request.prefill else text.lstrip().removeprefix(request.prefill)
        return Completion(text, choice.finish_reason, usage.prompt_tokens, usage.completion_tokens, thought)

    def _body(self, request: Request) -> dict[str, Any]:
        """What is sent. The repetition penalty has no counterpart there; a prefill is taken off if the answer begins with it."""
        sampling = request.sampling
        body = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "temperature": sampling.temperature,
            "max_tokens": sampling.max_new_tokens,
            "seed": request.seed % 2**31,
        }
        return (
            body
            | ({"top_p": sampling.top_p} if sampling.temperature else {})
            | ({"stop": list(request.stops)} if request.stops else {})
        )

    def _refused(self, what: str) -> BadInput:
        """One line, without the key: services quote it, in parts, when they refuse it."""
        if self.key:
            key = os.environ.get(self.key, "")
            what = what.replace(key, f"${self.key}") if key else what
        return BadInput(f"{self.url} {' '.join(what.split())[:300]}", field=f"models.{self.name}")


def _message(error: openai.APIStatusError) -> str:
    """What a service says went wrong; a refused key is not quoted, even in part."""
    if error.status_code in (401, 403):
        return "it does not accept the key, or not for this model"
    body = error.body
    return str(body.get("message", body)) if isinstance(body, dict) else error.message
