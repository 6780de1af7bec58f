"""`make bench`: the embedded engine against plain `generate()`, as ratios of one run.

Both answer the same requests in the same batch size at the published sampling settings; the pairs alternate, so that a
machine whose speed drifts slows both.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, set_seed

from ethos.engine import Completion, Request, Sampling, chat
from ethos.loading import load_tokenizer
from ethos.prompts import prompt_lines
from ethos.settings import load_settings
from ethos.transformers_engine import TransformersEngine, render

ROOT = Path(__file__).resolve().parent.parent
ROUNDS, REQUESTS, BATCH, TOKENS = 3, 64, 32, 64


def prepared_model() -> Path:
    """The demo's model, prepared as the workflow does it."""
    folder = ROOT / "store" / "models" / "smollm2"
    if not (folder / "identity.json").is_file():
        source = load_settings(ROOT / "config.yaml").models["smollm2"]
        command = [
            sys.executable,
            "scripts/prepare_model.py",
            "--name",
            "smollm2",
            "--settings",
            source.model_dump_json(),
        ]
        subprocess.run([*command, "--identity", folder / "identity.json"], cwd=ROOT, check=True)
    return folder


def plain_generate(model, tokenizer, prompts: list[str], sampling: Sampling) -> int:
    """Sample with transformers' own `generate`, batch by batch; returns the tokens sampled."""
    tokens = 0
    for start in range(0, len(prompts), BATCH):
        inputs = tokenizer(
            prompts[start : start + BATCH],
            return_tensors="pt",
            padding=True,
            padding_side="left",
            add_special_tokens=False,
        )
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


def main() -> None:
    torch.set_num_threads(2)
    folder = prepared_model()
    sampling = Sampling(max_new_tokens=TOKENS)
    requests = [
        Request(chat(user=text), sampling, seed)
        for seed, text in enumerate(prompt_lines("general_questions")[:REQUESTS])
    ]
    engine = TransformersEngine(folder, batch_size=BATCH)
    tokenizer = load_tokenizer(folder)
    prompts = [render(tokenizer, request.messages) for request in requests]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    plain_generate(model, tokenizer, prompts[:8], Sampling(max_new_tokens=4))
    engine.generate(requests[:8], lambda index, answer: None)
    ratios = []
    for number in range(ROUNDS):
        set_seed(number)
        started = time.perf_counter()
        plain = plain_generate(model, tokenizer, prompts, sampling) / (time.perf_counter() - started)
        answers: dict[int, Completion] = {}
        started = time.perf_counter()
        engine.generate(requests, answers.__setitem__)
        own = sum(answer.completion_tokens for answer in answers.values()) / (time.perf_counter() - started)
        ratios.append(own / plain)
        print(
            f"round {number + 1}/{ROUNDS}: plain generate() {plain:.0f} tokens/s, embedded engine {own:.0f} tokens/s",
            flush=True,
        )
    print(
        f"embedded engine / plain generate(): median {statistics.median(ratios):.2f} "
        f"(n = {len(ratios)}, {min(ratios):.2f} to {max(ratios):.2f}); {REQUESTS} requests, batch {BATCH}, bf16, 2 threads"
    )


if __name__ == "__main__":
    main()
