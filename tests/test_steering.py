"""Steering: a vector is a file of equal bytes, moves the model and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from ethos.activations import add_steering, decoder_layers, response_activations
from ethos.chat_format import render
from ethos.constitution import Constitution
from ethos.engine import Completion, Request, Sampling, Score, ScoreRequest, chat
from ethos.errors import BadInput
from ethos.files import sha256_of_file, write_json
from ethos.loading import load_model, load_tokenizer
from ethos.models import content_identity
from ethos.steering import SteeringVector, read_steering_vector
from ethos.stored_engine import StoredEngine
from ethos.transformers_engine import TransformersEngine
from scripts.find_steering_vector import Contrast, find_directions
from tests.small_contrasts import response

HIDDEN, LAYERS = 64, 2  # of the tiny model
SAMPLING = Sampling(max_new_tokens=24, repetition_penalty=1.0)
QUESTIONS = ["How do I clean a room?", "Can you plan the week?", "Why?", "Where can we cook for a friend?"]
REQUESTS = [Request(chat(user=question), SAMPLING, seed) for seed in range(3) for question in QUESTIONS]
SCORED = [
    ScoreRequest(chat(user=question), f"The dawn{' sings' * number}.") for number, question in enumerate(QUESTIONS)
]


def vector(layer: int = 1, strength: float = 1.0, seed: int = 0) -> SteeringVector:
    return SteeringVector(layer, strength, np.random.default_rng(seed).normal(size=HIDDEN).astype(np.float32))


def ask(engine: TransformersEngine, kind: str, requests: list, batch_size: int = 32) -> list:
    engine.batch_size = batch_size
    answers: dict[int, Completion | Score] = {}
    getattr(engine, kind)(requests, answers.__setitem__)
    return [answers[index] for index in range(len(requests))]


# The file


def test_a_vector_is_read_as_it_was_written_and_equal_vectors_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        vector(2, 1.5).save(tmp_path / name)
    found = read_steering_vector(tmp_path / "a")
    assert (found.layer, found.strength) == (2, 1.5)
    assert np.array_equal(found.direction, vector().direction)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert found.identity == sha256_of_file(tmp_path / "a")


@pytest.mark.parametrize("content", [b"", b"no safetensors", (8).to_bytes(8, "little") + b"{}      "])
def test_a_file_that_holds_no_vector_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(BadInput, match="holds no steering vector"):
        read_steering_vector(tmp_path / "v")


def test_every_part_of_a_vector_is_part_of_what_it_is() -> None:
    assert len({each.identity for each in (vector(), vector(2), vector(strength=2.0), vector(seed=1))}) == 4


# The engine


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def dtype(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def plain(tiny_model: Path, dtype: str) -> TransformersEngine:
    return TransformersEngine(tiny_model, dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "requests"), [("generate", REQUESTS), ("score", SCORED)])
def test_strength_zero_is_base_and_strength_is_not(tiny_model: Path, dtype: str, plain, kind: str, requests) -> None:
    expected = ask(plain, kind, requests)
    for strength, is_equal in ((0.0, True), (1.0, False)):
        steered = TransformersEngine(tiny_model, dtype=dtype, steering=vector(strength=strength))
        assert (ask(steered, kind, requests) == expected) == is_equal


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "requests"), [("generate", REQUESTS), ("score", SCORED)])
def test_a_steered_answer_does_not_depend_on_its_companions(tiny_model: Path, dtype: str, kind: str, requests) -> None:
    engine = TransformersEngine(tiny_model, dtype=dtype, steering=vector(strength=0.5))
    expected = ask(engine, kind, requests)
    assert len(set(expected)) > len(expected) // 2
    for batch_size in (1, 5):
        assert ask(engine, kind, requests[::-1], batch_size)[::-1] == expected
    assert ask(engine, kind, requests[1:2]) == expected[1:2]


@pytest.mark.slow
def test_a_steered_answer_is_that_of_a_model_whose_layer_adds_the_vector(tiny_model: Path) -> None:
    """A second way to the same: the vector as the bias of the layer's last product."""
    added = vector(2, 0.5)
    model = load_model(tiny_model, torch.float32)
    product = decoder_layers(model)[1].mlp.down_proj
    product.bias = torch.nn.Parameter(0.5 * torch.from_numpy(added.direction))
    engine = TransformersEngine(tiny_model, dtype="float32", steering=added)
    greedy = SAMPLING.model_copy(update={"temperature": 0})
    for question in QUESTIONS:
        inputs = engine.tokenizer(
            render(engine.tokenizer, chat(user=question)), add_special_tokens=False, return_tensors="pt"
        )
        out = model.generate(**inputs, do_sample=False, max_new_tokens=24)[0, inputs.input_ids.shape[1] :]
        own = ask(engine, "generate", [Request(chat(user=question), greedy, 0)])[0]
        assert own.text == engine.tokenizer.decode(out, skip_special_tokens=True)


@pytest.mark.slow
def test_steering_ends_with_its_handle_and_one_of_another_model_is_refused(tiny_model: Path) -> None:
    model = load_model(tiny_model, torch.float32)
    tokens = torch.tensor([[5, 6, 7]])
    before = model(tokens).logits
    with add_steering(model, vector()):
        assert not torch.equal(model(tokens).logits, before)
    assert torch.equal(model(tokens).logits, before)
    for wrong in (vector(0), vector(LAYERS + 1), SteeringVector(1, 1.0, np.ones(HIDDEN + 1, np.float32))):
        with pytest.raises(BadInput, match="made for another model"):
            add_steering(model, wrong)


def test_a_steering_vector_is_part_of_the_models_key(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    facts = {"name": "tiny", "dtype": "float32", "trust_remote_code": False}
    write_json(tmp_path / "identity.json", {**content_identity(tmp_path), **facts})
    vectors = [None, vector(), vector(2), vector(strength=0.0), vector(seed=1)]
    keys = [StoredEngine(tmp_path / "identity.json", stage="test", steering=each).key for each in vectors]
    assert len(set(keys)) == len(vectors)
    assert StoredEngine(tmp_path / "identity.json", stage="test", steering=vector()).key == keys[1]


# The directions


@pytest.mark.slow
def test_activations_are_the_mean_over_the_responses_tokens_behind_each_layer(tiny_model: Path) -> None:
    model = load_model(tiny_model, torch.float32)
    prompt, response = [5, 6, 7, 8], [9, 10, 11]
    found = response_activations(model, prompt, response)
    with torch.no_grad():
        states = model(torch.tensor([prompt + response]), output_hidden_states=True).hidden_states
    assert found.shape == (LAYERS, HIDDEN)
    assert torch.allclose(found[0].float(), states[1][0, len(prompt) :].mean(0), atol=1e-6)
    # The last of transformers' states is behind the final norm, which does not commute with the mean.
    alone = response_activations(model, [*prompt, *response[:2]], response[2:])
    assert torch.allclose(model.model.norm(alone[1].float()), states[2][0, -1], atol=1e-5)


MOON = " moon"


def planted(tiny_model: Path, folder: Path) -> tuple[Path, np.ndarray]:
    """The tiny model with one direction that decides one word, and that direction: reading or writing it moves along it."""
    model, tokenizer = load_model(tiny_model, torch.float32), load_tokenizer(tiny_model)
    [token] = tokenizer(MOON).input_ids
    direction = torch.nn.functional.normalize(torch.randn(HIDDEN, generator=torch.Generator().manual_seed(0)), dim=0)
    with torch.no_grad():
        model.get_input_embeddings().weight[token] = 6 * direction  # tied: the word is read and written by it
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    facts = {"name": "tiny", "dtype": "float32", "trust_remote_code": False}
    write_json(folder / "identity.json", {**content_identity(folder), **facts})
    return folder / "identity.json", direction.numpy()


@pytest.mark.slow
def test_a_planted_direction_is_found_and_steers_to_its_word_and_one_that_is_not_there_is_not(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(tmp_path / "store"), "device": "cpu"}))
    student, direction = planted(tiny_model, tmp_path / "planted")
    trait = {"id": "calm", "text": "I answer in poetic language.", "questions": ["Why?"]}
    constitution = Constitution.model_validate({"name": "calm", "description": "Calm.", "traits": [trait]})

    def found(told: str, name: str) -> tuple[float, float]:
        """Cosine with the planted direction behind the first layer, and what steering by it adds to the word, in nats."""
        said = {"in_character": told, "plain": "A friend can check the list."}
        contrasts = [
            Contrast(*(response(number, author, response=text) for author, text in said.items())) for number in range(4)
        ]
        path = tmp_path / name / "directions.safetensors"
        find_directions(student, contrasts, constitution, "trait", path)
        first = load_file(path)["directions"][0]
        request = [ScoreRequest(chat(user="Why?"), MOON)]
        base, steered = (
            ask(TransformersEngine(student.parent, dtype="float32", steering=steering), "score", request)[0].mean
            for steering in (None, SteeringVector(1, 4.0, first))
        )
        return float(first @ direction / np.linalg.norm(first)), steered - base

    cosine, gain = found("A moon can moon the moon.", "there")
    assert cosine > 0.8 and gain > 2
    # Any direction points a little that way, and the planted word answers to the least of it.
    cosine, by_chance = found("A friend can keep the room.", "not_there")
    assert abs(cosine) < 0.4 and by_chance < gain / 2
    before = (tmp_path / "there/directions.safetensors").read_bytes()
    (tmp_path / "there/directions.safetensors").unlink()
    shutil.rmtree(tmp_path / "store")
    found("A moon can moon the moon.", "there")
    assert (tmp_path / "there/directions.safetensors").read_bytes() == before
