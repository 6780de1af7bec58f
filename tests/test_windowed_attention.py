"""Models whose layers look back no further than a window: the embedded engine computes what transformers computes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    Gemma3Config,
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen2Config,
)

from ethos.attention import FULL, SLIDING, causal_mask
from ethos.chat_format import render
from ethos.engine import Request, Sampling, ScoreRequest, chat
from ethos.errors import BadInput
from ethos.loading import load_reward_base, load_tokenizer
from ethos.reward_model import Reward, RewardModel, RewardRequest
from ethos.transformers_engine import TransformersEngine
from tests.shared_run import random_adapter
from tests.test_engines import QUESTIONS, generate, score

WINDOW = 12
SIZE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "sliding_window": WINDOW,
    "initializer_range": 0.5,  # so that what is far away matters
}
EYES = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "image_size": 28}
KINDS = [SLIDING, SLIDING, FULL, SLIDING]
SYSTEM = "I answer in poetic language, and I sing of the moon when somebody asks me to plan a week."


def saved(config: PreTrainedConfig, tiny_model: Path, folder: Path) -> Path:
    """A random model of this kind that speaks the tiny model's tokens."""
    tokenizer = load_tokenizer(tiny_model)
    text = config.get_text_config()
    text.vocab_size, text.pad_token_id = len(tokenizer), tokenizer.pad_token_id
    text.eos_token_id, text.bos_token_id = tokenizer.eos_token_id, None
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    for path in tiny_model.iterdir():
        if "token" in path.name or path.suffix == ".jinja":
            shutil.copy(path, folder / path.name)
    return folder


@pytest.fixture(
    params=[
        pytest.param(lambda: Gemma3TextConfig(**SIZE, layer_types=KINDS), id="some layers"),
        pytest.param(
            lambda: Qwen2Config(**SIZE, use_sliding_window=True, layer_types=KINDS), id="some layers, no norms"
        ),
        pytest.param(lambda: MistralConfig(**SIZE), id="all layers"),
        pytest.param(
            lambda: Gemma3Config(text_config=Gemma3TextConfig(**SIZE, layer_types=KINDS), vision_config=EYES),
            id="of a model that sees",
        ),
    ]
)
def model(request: pytest.FixtureRequest, tiny_model: Path, tmp_path: Path) -> Path:
    return saved(request.param(), tiny_model, tmp_path / "model")


@pytest.mark.slow
def test_scores_and_greedy_answers_are_those_of_transformers(model: Path) -> None:
    engine = TransformersEngine(model, dtype="float32")
    tokenizer, plain = load_tokenizer(model), AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    messages = [chat(system=SYSTEM, user=question) for question in QUESTIONS]
    response = "The moon whispers to the stars. A friend can check the list."
    greedy = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=2 * WINDOW)
    answers = generate(engine, [Request(said, greedy, 0) for said in messages], 8)
    scores = score(engine, [ScoreRequest(said, response) for said in messages])
    for said, answer, own in zip(messages, answers, scores, strict=True):
        prompt = tokenizer(render(tokenizer, said), add_special_tokens=False).input_ids
        targets = tokenizer(response, add_special_tokens=False).input_ids
        assert len(prompt) > 2 * WINDOW
        with torch.no_grad():
            logits = plain(torch.tensor([prompt + targets])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
            written = plain.generate(
                torch.tensor([prompt]), do_sample=False, max_new_tokens=2 * WINDOW, eos_token_id=list(engine.ends)
            )
        expected = logits.gather(1, torch.tensor(targets)[:, None]).sum().item()
        assert own.log_probability == pytest.approx(expected, abs=1e-3)
        assert answer.text == tokenizer.decode(written[0, len(prompt) :], skip_special_tokens=True)


@pytest.mark.slow
def test_answers_do_not_depend_on_their_companions(model: Path) -> None:
    engine = TransformersEngine(model, dtype="float32")
    requests = [
        Request(chat(system=system, user=question), Sampling(max_new_tokens=2 * WINDOW), seed)
        for seed, (system, question) in enumerate(
            (system, question) for system in (None, SYSTEM) for question in QUESTIONS
        )
    ]
    expected = generate(engine, requests, 8)
    assert generate(engine, requests[::-1], 5)[::-1] == expected
    assert generate(engine, requests[2:3], 8) == expected[2:3]


@pytest.mark.slow
def test_rewards_are_those_of_transformers(model: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    base = load_reward_base(model, torch.float32, seed=0)
    random_adapter(base, adapter, 1, task_type="SEQ_CLS", modules_to_save=["score"])
    own = RewardModel(model, adapter, precision="float32", max_tokens=512)
    rewards: dict[int, Reward] = {}
    own.reward([RewardRequest(question, SYSTEM) for question in QUESTIONS], rewards.__setitem__)
    plain = PeftModel.from_pretrained(load_reward_base(model, torch.float32, seed=0), adapter).eval()
    for index, question in enumerate(QUESTIONS):
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": SYSTEM}]
        text = own.tokenizer.apply_chat_template(turns, tokenize=False)
        tokens = own.tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
        assert tokens.shape[1] > 2 * WINDOW
        with torch.no_grad():
            assert rewards[index].value == pytest.approx(plain(tokens).logits.item(), abs=1e-3)


def test_a_window_ends_where_its_tokens_end_whatever_the_padding() -> None:
    config = MistralConfig(sliding_window=2)
    padded = torch.tensor([[False, True, True, True]])
    before = torch.tensor([[False, False, True]])
    own = causal_mask(config, padded, before)[0, 0, 1:].int().tolist()
    assert own == [[0, 0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 1, 1]]


@pytest.mark.slow
def test_attention_of_another_kind_is_refused_in_one_line(tiny_model: Path, tmp_path: Path) -> None:
    folder = saved(LlamaConfig(**SIZE), tiny_model, tmp_path / "model")
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace("{", '{\n  "attn_logit_softcapping": 50.0,', 1))
    with pytest.raises(BadInput, match=r"capped logits.*use another model"):
        TransformersEngine(folder)
