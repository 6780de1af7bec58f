"""A model behind an endpoint: tried again when that helps, never when not; paid for once, within its limit; its key nowhere."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ethos.api_engine import ApiEngine
from ethos.engine import Completion, Message, Request, Sampling, ScoreRequest, chat
from ethos.errors import BadInput
from ethos.execution_settings import ApiLimits
from ethos.files import write_json
from ethos.settings import ModelSource
from ethos.stored_engine import StoredEngine
from scripts.prepare_model import prepare_model
from tests.endpoint import Endpoint, Failure, serving

KEY = "sk-not-a-real-key-0123456789abcdef"
SAMPLING = Sampling(max_new_tokens=20)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    with serving(Endpoint()) as endpoint:
        yield endpoint


def requests(count: int, **others) -> list[Request]:
    return [Request(chat(user=f"number {number}"), SAMPLING, seed=number, **others) for number in range(count)]


def engine(endpoint: Endpoint, request: dict[str, str | None] | None = None, **limits) -> ApiEngine:
    return ApiEngine(
        "teacher",
        model="big",
        url=endpoint.url,
        key="TEST_API_KEY",
        limits=ApiLimits(**{"retries": 3} | limits),
        thinking_tags=("<think>", "</think>"),
        request=request,
    )


def ask(engine: ApiEngine, asked: list[Request]) -> dict[int, Completion]:
    answers: dict[int, Completion] = {}
    engine.generate(asked, answers.__setitem__)
    return answers


def test_every_request_has_its_own_answer_and_no_more_are_under_way_than_allowed(endpoint: Endpoint) -> None:
    answers = ask(engine(endpoint, concurrency=4), requests(20))
    assert {index: answer.text for index, answer in answers.items()} == {n: f"You said number {n}" for n in range(20)}
    assert endpoint.most_at_once <= 4
    assert answers[0] == Completion("You said number 0", "stop", 10, 4)


def test_a_request_is_sent_as_it_is_meant(endpoint: Endpoint) -> None:
    asked = Request((Message("system", "Be brief."), Message("user", "Hello?")), SAMPLING, seed=7, stops=("\n",))
    ask(engine(endpoint), [asked])
    assert endpoint.asked == [
        {
            "model": "big",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}],
            "temperature": 0.7,
            "top_p": 0.95,
            "max_tokens": 20,
            "seed": 7,
            "stop": ["\n"],
        }
    ]
    assert endpoint.keys == {KEY}


def test_an_endpoint_with_another_dialect_is_asked_in_it(endpoint: Endpoint) -> None:
    request = {"max_tokens": "max_completion_tokens", "seed": None, "top_p": None}
    ask(engine(endpoint, request=request), requests(1))
    said = [{"role": "user", "content": "number 0"}]
    assert endpoint.asked == [{"model": "big", "messages": said, "temperature": 0.7, "max_completion_tokens": 20}]


@pytest.mark.parametrize(
    ("request_fields", "is_same"),
    [({"max_tokens": "max_completion_tokens", "seed": None}, True), ({"temperature": None}, False)],
)
def test_a_dialect_makes_another_model_only_where_it_means_something(
    tmp_path: Path, request_fields: dict[str, str | None], is_same: bool
) -> None:
    keys = []
    for name, request in (("plain", {}), ("dialect", request_fields)):
        source = ModelSource(source="api:big@https://api.example.org/v1", request=request)
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "identity.json", prepare_model("teacher", source, tmp_path / name))
        keys.append(StoredEngine(tmp_path / name / "identity.json", stage="test").key)
    assert (keys[0] == keys[1]) == is_same


def test_thinking_is_kept_apart_and_what_the_answer_was_to_begin_with_is_not_said_twice(endpoint: Endpoint) -> None:
    endpoint.answer = lambda body: "<think>Hm.</think>1. What is rust?"
    [answer] = ask(engine(endpoint), requests(1, prefill="1.")).values()
    assert (answer.thinking, answer.text) == ("Hm.", " What is rust?")


@pytest.mark.parametrize(
    "failure",
    [
        Failure(429, "Slow down."),
        Failure(500, "Oh."),
        Failure(503, "Busy."),
        Failure(seconds=1.5),
        Failure(is_lost=True),
    ],
    ids=["429", "500", "503", "time-out", "lost connection"],
)
def test_what_passes_is_tried_again(endpoint: Endpoint, failure: Failure) -> None:
    endpoint.failures = [failure]
    answers = ask(engine(endpoint, timeout_seconds=0.5), requests(1))
    assert answers[0].text == "You said number 0"
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_does_not_pass_is_asked_once_and_told_in_a_line_without_the_key(endpoint: Endpoint, status: int) -> None:
    endpoint.failures = [Failure(status, f"Bad key {KEY[:12]}\nor {KEY}.")] * 9
    with pytest.raises(BadInput) as caught:
        ask(engine(endpoint, concurrency=1), requests(3))
    assert len(endpoint.asked) == 1
    said = str(caught.value)
    assert said.startswith("models.teacher: ") and f"answered {status}" in said
    assert "\n" not in said and KEY not in said


def test_a_connection_that_is_always_lost_is_told_in_a_line(endpoint: Endpoint) -> None:
    endpoint.failures = [Failure(is_lost=True)] * 9
    with pytest.raises(BadInput, match=r"^models.teacher: \S+ gave no answer in 2 attempts"):
        ask(engine(endpoint, retries=1), requests(1))
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize(
    "page",
    [
        "<!doctype html>\n<title>Welcome</title>",
        "Not JSON at all",
        "[]",
        '{"error": {"message": "No such route"}}',
        '{"choices": []}',
        '{"choices": [{"message": {"content": "Hi."}, "finish_reason": "stop"}]}',
    ],
)
def test_what_is_no_completion_is_told_in_a_line_and_those_under_way_are_kept(endpoint: Endpoint, page: str) -> None:
    endpoint.failures = [Failure(200, page=page)]
    answers: dict[int, Completion] = {}
    with pytest.raises(BadInput) as caught:
        engine(endpoint, concurrency=3).generate(requests(20), answers.__setitem__)
    said = str(caught.value)
    assert "without a completion or without counting its tokens; check the address, most end in /v1. It said: " in said
    assert "\n" not in said
    assert 0 < len(answers) == len(endpoint.asked) - 1 < 6


@pytest.mark.parametrize("error", [OSError("No space left"), ZeroDivisionError()], ids=["disk", "defect"])
def test_whatever_goes_wrong_those_under_way_are_kept(endpoint: Endpoint, error: Exception) -> None:
    answers: dict[int, Completion] = {}

    def keep(index: int, answer: Completion) -> None:
        answers[index] = answer
        if len(answers) == 1:
            raise error

    with pytest.raises(type(error)):
        engine(endpoint, concurrency=4).generate(requests(20), keep)
    assert len(answers) == len(endpoint.asked) < 20


def test_an_interruption_waits_for_what_is_under_way(endpoint: Endpoint) -> None:
    def interrupt(body) -> str:
        if body["messages"][-1]["content"] == "number 3":
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        return "Yes."

    endpoint.answer = interrupt
    answers: dict[int, Completion] = {}
    with pytest.raises(KeyboardInterrupt):
        engine(endpoint, concurrency=4).generate(requests(20), answers.__setitem__)
    assert len(answers) == len(endpoint.asked) == 4


def test_an_endpoint_that_keeps_failing_is_given_up_and_what_it_answered_is_kept(endpoint: Endpoint) -> None:
    def answer_the_first(body) -> str:
        endpoint.failures = [Failure(500, "Oh.")] * 99
        return "Yes."

    endpoint.answer = answer_the_first
    answers: dict[int, Completion] = {}
    with pytest.raises(BadInput, match="answered 500: Oh."):
        engine(endpoint, concurrency=1, retries=2).generate(requests(3), answers.__setitem__)
    assert list(answers) == [0]
    assert len(endpoint.asked) == 1 + 3


def test_a_prompt_that_does_not_fit_is_counted_and_stops_nothing(endpoint: Endpoint) -> None:
    endpoint.failures = [Failure(400, "This model's maximum context length is 10 tokens.")]
    answers = ask(engine(endpoint, concurrency=1), requests(2))
    assert [answers[index].finish_reason for index in (0, 1)] == ["too_long", "stop"]


def test_a_missing_key_is_named(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_API_KEY")
    with pytest.raises(BadInput, match="models.teacher.key: needs a key; set the environment variable TEST_API_KEY"):
        engine(endpoint)


def test_likelihoods_are_refused(endpoint: Endpoint) -> None:
    with pytest.raises(BadInput, match="can't say how likely a given text is"):
        engine(endpoint).score([ScoreRequest(chat(user="Hello?"), "Hi.")], lambda index, score: None)


def test_an_answer_is_bought_once_and_the_key_is_in_no_file(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stored(max_tokens: int) -> StoredEngine:
        execution = {"store": str(tmp_path / "store"), "api": {"teacher": {"max_tokens": max_tokens, "concurrency": 2}}}
        monkeypatch.setenv("ETHOS_EXECUTION", json.dumps(execution))
        for known in ("ethos.store._opened", "ethos.stored_model._loaded"):  # to a job before this one
            monkeypatch.setattr(known, {})
        return StoredEngine(identity, stage="test")

    caplog.set_level(logging.DEBUG)
    identity = tmp_path / "store/models/teacher/identity.json"
    source = ModelSource(source=f"api:big@{endpoint.url}", key="TEST_API_KEY")
    identity.parent.mkdir(parents=True)
    write_json(identity, prepare_model("teacher", source, identity.parent))
    with pytest.raises(BadInput, match="max_tokens"):
        stored(100).generate(requests(20))
    bought = len(endpoint.asked)
    assert 0 < bought < 20
    answers = stored(1_000).generate(requests(20))
    assert [answer.text for answer in answers] == [f"You said number {number}" for number in range(20)]
    assert stored(1).generate(requests(20)) == answers
    assert len(endpoint.asked) == 20
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY.encode() not in kept and KEY not in caplog.text
