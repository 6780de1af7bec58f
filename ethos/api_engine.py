"""The engine for models that are reached over HTTP: any endpoint that speaks OpenAI's chat completions.

Answers are kept as they arrive, so what was paid for is paid for once. A service may answer the same request otherwise
tomorrow; what makes a run repeatable is the store.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import openai
from pydantic import BaseModel, Field, ValidationError

from ethos.engine import Completion, Request, Score, ScoreRequest
from ethos.errors import BadInput
from ethos.execution_settings import ApiLimits
from ethos.model_settings import check_key
from ethos.thinking import split_thinking

log = logging.getLogger("ethos.engine")

# How services call a prompt that does not fit.
_TOO_LONG = ("context_length_exceeded", "maximum context length", "prompt is too long")


class _Said(BaseModel):
    content: str | None = None
    reasoning_content: str | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str


class _Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int


class _Answer(BaseModel):
    """What must be in an answer; services add what they like."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage


class ApiEngine:
    """Generates with a model behind an endpoint.

    name: of the model in the config, for messages. model: what the endpoint calls it. url: of the endpoint, up to `/v1`.
    key: the environment variable that holds the key; empty for an endpoint that wants none. request: what the endpoint calls
    fields of a request, or None for those that it refuses.
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
        request: Mapping[str, str | None] | None = None,
    ):
        check_key(name, key)
        self.name, self.model, self.url, self.key = name, model, url, key
        self.limits, self.thinking_tags, self.called = limits, thinking_tags, request or {}
        # It tries again, ever later, after 408, 409, 429, 5xx, a time-out and a lost connection; nothing else.
        self._client = openai.OpenAI(
            base_url=url,
            api_key=os.environ[key] if key else "none",
            timeout=limits.timeout_seconds,
            max_retries=limits.retries,
        )

    def generate(
        self,
        requests: Sequence[Request],
        on_answer: Callable[[int, Completion], None],
        may_buy: Callable[[int, int], None] = lambda prompt_tokens, completion_tokens: None,
    ) -> None:
        """Ask for all, several at once. may_buy: raises BadInput where tokens of prompts and of answers could pass a limit.

        Raises BadInput when the endpoint refuses or a limit is reached. Whatever ends it, Ctrl-C too, what was sent is paid for: it
        still arrives, and is kept. A second Ctrl-C drops it.
        """
        waiting = deque(enumerate(requests))
        under_way: dict[Future[Completion], tuple[int, Request]] = {}
        stopped: BaseException | None = None
        with ThreadPoolExecutor(self.limits.concurrency) as pool:
            while under_way or (waiting and not stopped):
                try:
                    while waiting and not stopped and len(under_way) < self.limits.concurrency:
                        index, request = waiting[0]
                        try:
                            may_buy(*_longest([request, *(sent for _, sent in under_way.values())]))
                        except BadInput:
                            if not under_way:
                                raise
                            break  # those under way may cost less than they could
                        waiting.popleft()
                        under_way[pool.submit(self._complete, request)] = (index, request)
                    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                        index, _ = under_way.pop(future)
                        on_answer(index, future.result())
                except Exception as error:
                    stopped = stopped or error
                except BaseException as interruption:
                    if stopped and not isinstance(stopped, Exception):
                        raise
                    log.info(f"{self.name}: waits for {len(under_way)} answers that are paid for")
                    stopped = interruption
        if stopped:
            raise stopped

    def score(self, requests: Sequence[ScoreRequest], on_answer: Callable[[int, Score], None]) -> None:
        raise BadInput(
            "is reached over HTTP and can't say how likely a given text is; use a model that runs here",
            field=f"models.{self.name}",
        )

    def _complete(self, request: Request) -> Completion:
        try:
            answer = self._client.chat.completions.with_raw_response.create(**self._body(request))
        except openai.APIStatusError as error:
            if error.status_code == 400 and any(sign in str(error).lower() for sign in _TOO_LONG):
                return Completion("", "too_long", 0, 0)
            raise self._refused(f"answered {error.status_code}: {_message(error)}") from None
        except openai.APIConnectionError as error:  # a time-out too
            raise self._refused(f"gave no answer in {1 + self.limits.retries} attempts ({error})") from None
        content = answer.http_response.text
        try:
            read = _Answer.model_validate_json(content)
        except ValidationError:  # a web page, where the address is not quite right
            what = "answered without a completion or without counting its tokens"
            raise self._refused(f"{what}; check the address, most end in /v1. It said: {content}") from None
        said, usage = read.choices[0].message, read.usage
        text, thought = said.content or "", said.reasoning_content or ""
        if not thought:
            thought, text = split_thinking(text, *self.thinking_tags)
        text = text if not request.prefill else text.lstrip().removeprefix(request.prefill)
        return Completion(text, read.choices[0].finish_reason, usage.prompt_tokens, usage.completion_tokens, thought)

    def _body(self, request: Request) -> dict[str, Any]:
        """What is sent. The repetition penalty has no counterpart there; a prefill is taken off if the answer begins with it."""
        sampling = request.sampling
        options = {
            "temperature": sampling.temperature,
            "max_tokens": sampling.max_new_tokens,
            "seed": request.seed % 2**31,
            **({"top_p": sampling.top_p} if sampling.temperature else {}),
            **({"stop": list(request.stops)} if request.stops else {}),
        }
        called = {self.called.get(name, name): value for name, value in options.items()}
        return {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "extra_body": {name: value for name, value in called.items() if name is not None},
        }

    def _refused(self, what: str) -> BadInput:
        """One line, without the key: services quote it, in parts, when they refuse it."""
        if self.key:
            key = os.environ.get(self.key, "")
            what = what.replace(key, f"${self.key}") if key else what
        return BadInput(f"{self.url} {' '.join(what.split())[:300]}", field=f"models.{self.name}")


def _longest(requests: Sequence[Request]) -> tuple[int, int]:
    """Tokens of prompts, one for every three characters, and of the longest answers."""
    characters = sum(len(message.content) for request in requests for message in request.messages)
    return characters // 3, sum(request.sampling.max_new_tokens for request in requests)


def _message(error: openai.APIStatusError) -> str:
    """What a service says went wrong; a refused key is not quoted, even in part."""
    if error.status_code in (401, 403):
        return "it does not accept the key, or not for this model"
    body = error.body
    return str(body.get("message", body)) if isinstance(body, dict) else error.message
