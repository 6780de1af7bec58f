"""What every engine promises, on a real tiny model: answers depend on the request alone, and scores are log-probabilities."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from ethos.chat_format import render
from ethos.engine import Completion, Request, Sampling, Score, ScoreRequest, chat
from ethos.errors import BadInput
from ethos.loading import load_tokenizer
from ethos.prompts import render_prompt
from ethos.transformers_engine import TransformersEngine
from ethos.vllm_engine import VllmEngine

pytestmark = pytest.mark.slow
SAMPLING = Sampling(max_new_tokens=24)
GREEDY = Sampling(temperature=0, max_new_tokens=24)
QUESTIONS = [
    "How do I clean a room?",
    "Can you plan the week?",
    "Why?",
    "Where can we cook for a friend and save money at once?",
]
REQUESTS = [
    Request(chat(system=system, user=question), SAMPLING, seed)
    for seed, (system, question) in enumerate(
        (system, question)
        for system in (None, "I answer in poetic language.", "I sing. " * 12)
        for question in QUESTIONS
    )
]
Engine = TransformersEngine | VllmEngine
in_float32 = pytest.mark.parametrize("start", ["transformers", "vllm"], indirect=True)


@pytest.fixture(scope="module", params=["transformers", "transformers in bfloat16", "vllm"])
def start(request: pytest.FixtureRequest, wide_model: Path):
    """Makes an engine with the options given."""
    kind, _, dtype = request.param.partition(" in ")
    if kind == "vllm":
        request.getfixturevalue("vllm_server")
    return partial(VllmEngine if kind == "vllm" else TransformersEngine, wide_model, dtype=dtype or "float32")


@pytest.fixture(scope="module")
def engine(start) -> Engine:
    return start()


@pytest.fixture(scope="module")
def model(wide_model: Path):
    return AutoModelForCausalLM.from_pretrained(wide_model, dtype=torch.float32)


def generate(engine: Engine, requests: list[Request], batch_size: int = 8) -> list[Completion]:
    engine.batch_size = batch_size
    answers: dict[int, Completion] = {}
    engine.generate(requests, answers.__setitem__)
    return [answers[index] for index in range(len(requests))]


def score(engine: Engine, requests: list[ScoreRequest], batch_size: int = 8) -> list[Score]:
    engine.batch_size = batch_size
    answers: dict[int, Score] = {}
    engine.score(requests, answers.__setitem__)
    return [answers[index] for index in range(len(requests))]


@pytest.mark.parametrize("batch_size", [1, 5, 32])
def test_a_completion_does_not_depend_on_order_batch_size_or_companions(engine: Engine, batch_size: int) -> None:
    expected = generate(engine, REQUESTS, 12)
    assert len({completion.text for completion in expected}) > len(expected) // 2
    assert generate(engine, REQUESTS[::-1], batch_size)[::-1] == expected
    assert generate(engine, REQUESTS[3:4], batch_size) == expected[3:4]
    assert generate(engine, REQUESTS[::3], batch_size) == expected[::3]


def test_another_seed_gives_another_completion(engine: Engine) -> None:
    requests = [Request(chat(user=QUESTIONS[0]), SAMPLING, seed) for seed in (*range(7), 2**63 - 1)]
    assert len({completion.text for completion in generate(engine, requests)}) > 1


@in_float32
def test_greedy_equals_plain_generate(engine: Engine, model, wide_model: Path) -> None:
    """Repetition penalty and all."""
    own = generate(engine, [Request(chat(user=question), GREEDY, 0) for question in QUESTIONS])
    tokenizer = load_tokenizer(wide_model)
    for question, completion in zip(QUESTIONS, own, strict=True):
        inputs = tokenizer(render(tokenizer, chat(user=question)), return_tensors="pt", add_special_tokens=False)
        output = model.generate(**inputs, do_sample=False, repetition_penalty=1.1, max_new_tokens=24)
        output = output[0, inputs.input_ids.shape[1] :]
        assert completion.text == tokenizer.decode(output, skip_special_tokens=True)
        assert (completion.prompt_tokens, completion.completion_tokens) == (inputs.input_ids.shape[1], len(output))


@in_float32
def test_a_score_is_the_log_probability_of_the_response(engine: Engine, model, wide_model: Path) -> None:
    """Of plain text too, read behind the token that begins a text."""
    tokenizer = load_tokenizer(wide_model)
    requests = [ScoreRequest(request.messages, "The moon whispers to the stars.") for request in REQUESTS]
    requests.append(ScoreRequest((), "The moon whispers to the stars."))
    for request, own in zip(requests, score(engine, requests), strict=True):
        text = render(tokenizer, request.messages) if request.messages else tokenizer.eos_token
        prompt = tokenizer(text, add_special_tokens=False).input_ids
        response = tokenizer(request.response, add_special_tokens=False).input_ids
        with torch.no_grad():
            logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        expected = logits.gather(1, torch.tensor(response)[:, None]).sum().item()
        assert own.tokens == len(response)
        assert own.log_probability == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_a_score_does_not_depend_on_its_companions(engine: Engine, batch_size: int) -> None:
    requests = [
        ScoreRequest(request.messages, text)
        for request in REQUESTS
        for text in ("The dawn.", "A friend can check the list.")
    ]
    expected = score(engine, requests, 24)
    assert score(engine, requests[::-1], batch_size)[::-1] == expected


def test_an_empty_response_has_no_tokens_and_a_score_of_zero(engine: Engine) -> None:
    assert score(engine, [ScoreRequest(chat(user="Why?"), "")]) == [Score(0.0, 0)]


def test_a_stop_string_ends_the_completion_before_it(engine: Engine) -> None:
    request = Request(chat(user=QUESTIONS[0]), GREEDY, 0)
    whole = generate(engine, [request])[0].text
    stopped = generate(engine, [Request(request.messages, request.sampling, 0, stops=(whole[6:9],))])[0]
    assert stopped.text == whole[: whole.index(whole[6:9])]
    assert stopped.finish_reason == "stop"


def test_a_prefill_begins_the_reply_and_is_no_part_of_it(engine: Engine) -> None:
    request = Request(
        chat(user=render_prompt("generate_questions", count=7, length="", kind="", trait="I wait.", clarification="")),
        GREEDY,
        0,
        prefill="1. Can you plan the week?\n2.",
    )
    text = generate(engine, [request])[0].text
    assert "Can you plan the week?\n2." not in text
    assert text.lstrip()[:1].isupper()


def test_a_request_longer_than_the_context_is_answered_too_long_and_the_others_as_ever(engine: Engine) -> None:
    long = Request(chat(user="Why? " * 3000), SAMPLING, 0)
    first, second = generate(engine, [long, REQUESTS[0]])
    assert (first.text, first.finish_reason, first.completion_tokens) == ("", "too_long", 0)
    assert first.prompt_tokens + SAMPLING.max_new_tokens > engine.context
    assert second == generate(engine, [REQUESTS[0]])[0]


def test_a_text_too_long_to_be_scored_is_refused_in_one_line(engine: Engine) -> None:
    with pytest.raises(BadInput, match="context holds 2048"):
        score(engine, [ScoreRequest(chat(user="Why?"), "Because. " * 3000)])


def test_thinking_is_kept_apart_from_the_answer(start) -> None:
    request = Request(chat(user=QUESTIONS[0]), GREEDY, 0)
    plain = generate(start(), [request])[0].text
    first, second, third, *_ = plain.split()
    # Words that the model says anyway, taken for its tags.
    thought = generate(start(thinking_tags=(first, third)), [request])[0]
    assert thought.thinking == second
    assert thought.text == plain.partition(third)[2].lstrip()
