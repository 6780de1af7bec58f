"""The embedded engine on a real tiny model: answers depend on the request alone, and scores are log-probabilities."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from ethos import reading
from ethos.engine import Completion, Message, Request, Sampling, Score, ScoreRequest, chat
from ethos.errors import BadInput
from ethos.loading import load_tokenizer
from ethos.prompts import render_prompt
from ethos.reading import run_model
from ethos.transformers_engine import TransformersEngine, render

pytestmark = pytest.mark.slow
SAMPLING = Sampling(max_new_tokens=24)
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


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def engine(request: pytest.FixtureRequest, tiny_model: Path) -> TransformersEngine:
    return TransformersEngine(tiny_model, dtype=request.param, batch_size=12)


def generate(engine: TransformersEngine, requests: list[Request], batch_size: int) -> list[Completion]:
    engine.batch_size = batch_size
    answers: dict[int, Completion] = {}
    engine.generate(requests, answers.__setitem__)
    return [answers[index] for index in range(len(requests))]


def score(engine: TransformersEngine, requests: list[ScoreRequest], batch_size: int = 8) -> list[Score]:
    engine.batch_size = batch_size
    answers: dict[int, Score] = {}
    engine.score(requests, answers.__setitem__)
    return [answers[index] for index in range(len(requests))]


@pytest.mark.parametrize("batch_size", [1, 5, 12, 32])
def test_a_completion_does_not_depend_on_order_batch_size_or_companions(
    engine: TransformersEngine, batch_size: int
) -> None:
    expected = generate(engine, REQUESTS, 12)
    assert len({completion.text for completion in expected}) > len(expected) // 2
    assert generate(engine, REQUESTS[::-1], batch_size)[::-1] == expected
    assert generate(engine, REQUESTS[3:4], batch_size) == expected[3:4]
    assert generate(engine, REQUESTS[::3], batch_size) == expected[::3]


def test_another_seed_gives_another_completion(engine: TransformersEngine) -> None:
    requests = [Request(chat(user=QUESTIONS[0]), SAMPLING, seed) for seed in range(8)]
    assert len({completion.text for completion in generate(engine, requests, 8)}) > 1


def test_greedy_equals_plain_generate(tiny_model: Path) -> None:
    engine = TransformersEngine(tiny_model, dtype="float32")
    greedy = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=20)
    own = generate(engine, [Request(chat(user=question), greedy, 0) for question in QUESTIONS], 4)
    tokenizer, model = load_tokenizer(tiny_model), AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    for question, completion in zip(QUESTIONS, own, strict=True):
        inputs = tokenizer(render(tokenizer, chat(user=question)), return_tensors="pt", add_special_tokens=False)
        output = model.generate(**inputs, do_sample=False, max_new_tokens=20)[0, inputs.input_ids.shape[1] :]
        assert completion.text == tokenizer.decode(output, skip_special_tokens=True)


def test_a_score_is_the_log_probability_of_the_response(tiny_model: Path) -> None:
    engine = TransformersEngine(tiny_model, dtype="float32")
    tokenizer, model = load_tokenizer(tiny_model), AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    requests = [ScoreRequest(request.messages, "The moon whispers to the stars.") for request in REQUESTS]
    for request, own in zip(requests, score(engine, requests), strict=True):
        prompt = tokenizer(render(tokenizer, request.messages), add_special_tokens=False).input_ids
        response = tokenizer(request.response, add_special_tokens=False).input_ids
        with torch.no_grad():
            logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        expected = logits.gather(1, torch.tensor(response)[:, None]).sum().item()
        assert own.tokens == len(response)
        assert own.log_probability == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_a_score_does_not_depend_on_its_companions(engine: TransformersEngine, batch_size: int) -> None:
    requests = [
        ScoreRequest(request.messages, text)
        for request in REQUESTS
        for text in ("The dawn.", "A friend can check the list.")
    ]
    expected = score(engine, requests, 24)
    assert score(engine, requests[::-1], batch_size)[::-1] == expected


def test_an_empty_response_has_no_tokens_and_a_score_of_zero(engine: TransformersEngine) -> None:
    assert score(engine, [ScoreRequest(chat(user="Why?"), "")]) == [Score(0.0, 0)]


def test_a_stop_string_ends_the_completion_before_it(engine: TransformersEngine) -> None:
    request = Request(chat(user=QUESTIONS[0]), Sampling(temperature=0, max_new_tokens=24), 0)
    whole = generate(engine, [request], 8)[0].text
    stopped = generate(engine, [Request(request.messages, request.sampling, 0, stops=(whole[6:9],))], 8)[0]
    assert stopped.text == whole[: whole.index(whole[6:9])]
    assert stopped.finish_reason == "stop"


def test_a_prefill_begins_the_reply_and_is_no_part_of_it(engine: TransformersEngine) -> None:
    request = Request(
        chat(user=render_prompt("generate_questions", count=7, length="", kind="", trait="I wait.", clarification="")),
        Sampling(temperature=0, max_new_tokens=24),
        0,
        prefill="1. Can you plan the week?\n2.",
    )
    text = generate(engine, [request], 8)[0].text
    assert "Can you plan the week?\n2." not in text
    assert text.lstrip()[:1].isupper()


def test_a_template_without_a_system_role_gets_it_before_the_first_user_turn(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "[{{ m['role'] }}] {{ m['content'] }} {% endfor %}"
    )
    text = render(tokenizer, [Message("system", "Be kind."), Message("user", "Hello.")])
    assert text == "[user] Be kind.\n\nHello. "


def test_a_request_longer_than_the_context_is_answered_too_long_and_the_others_as_ever(
    engine: TransformersEngine,
) -> None:
    long = Request(chat(user="Why? " * 3000), SAMPLING, 0)
    first, second = generate(engine, [long, REQUESTS[0]], 8)
    assert (first.text, first.finish_reason, first.completion_tokens) == ("", "too_long", 0)
    assert first.prompt_tokens + SAMPLING.max_new_tokens > engine.context
    assert second == generate(engine, [REQUESTS[0]], 8)[0]


def test_a_text_too_long_to_be_scored_is_refused_in_one_line(engine: TransformersEngine) -> None:
    with pytest.raises(BadInput, match="context holds 2048"):
        score(engine, [ScoreRequest(chat(user="Why?"), "Because. " * 3000)])


def test_a_prompt_is_parted_behind_its_system_prompt(engine: TransformersEngine) -> None:
    prompts = [
        engine._prompt(chat(system="I answer in poetic language.", user=question))
        for question in ("Why?", "Where? Who?")
    ]
    assert prompts[0].shared == prompts[1].shared
    text = engine.tokenizer.decode(prompts[0].shared)
    assert "poetic language" in text and "Why" not in text
    assert "Why?" in engine.tokenizer.decode(prompts[0].rest)


def test_equal_prompts_and_equal_beginnings_are_read_once(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counting(model, pad_token, before, parts, keep):
        read.extend(map(len, parts))
        return run_model(model, pad_token, before, parts, keep)

    monkeypatch.setattr(reading, "run_model", counting)
    system = "I answer in poetic language."
    generate(
        engine, [Request(chat(system=system, user=user), SAMPLING, seed) for user in QUESTIONS for seed in range(5)], 8
    )
    assert len(read) == 1 + len(QUESTIONS)
    read.clear()
    score(
        engine,
        [ScoreRequest(chat(system=system, user=user), text) for user in QUESTIONS for text in ("Yes.", "No.")],
        4,
    )
    assert len(read) == 1 + len(QUESTIONS)


def test_thinking_is_kept_apart_from_the_answer(tiny_model: Path) -> None:
    request = Request(chat(user=QUESTIONS[0]), Sampling(temperature=0, max_new_tokens=24), 0)
    plain = generate(TransformersEngine(tiny_model, dtype="float32"), [request], 8)[0].text
    first, second, third, *_ = plain.split()
    # Words that the model says anyway, taken for its tags.
    tags = (first, third)
    thought = generate(TransformersEngine(tiny_model, dtype="float32", thinking_tags=tags), [request], 8)[0]
    assert thought.thinking == second
    assert thought.text == plain.partition(third)[2].lstrip()


def test_options_reach_the_chat_template(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    tokenizer.chat_template = "{{ 'fast' if not enable_thinking else 'slow' }}: {{ messages[0]['content'] }}"
    assert render(tokenizer, chat(user="Why?"), options={"enable_thinking": False}) == "fast: Why?"
