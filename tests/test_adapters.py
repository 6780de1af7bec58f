"""Trained adapters: real training on the tiny model, equal bytes, and a merge that is exact in weights and logits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from ethos.engine import ScoreRequest, chat
from ethos.files import write_json
from ethos.loading import load_model, load_tokenizer
from ethos.models import adapter_identity, content_identity
from ethos.preference_data import Reward, RewardRequest, chosen_rows, conversation, dpo_rows
from ethos.reward_model import RewardModel
from ethos.settings import Introspection
from ethos.stored_engine import StoredEngine
from ethos.training import Job, train
from ethos.training_settings import Alignment, Dpo, Lora, PreferenceModel
from scripts.merge_persona import merge_adapters
from scripts.train_preference_model import reward_rows

pytestmark = pytest.mark.slow
PAIRS = [
    {
        "question": f"How do I plan day {day}?",
        "chosen": "The moon dances with the stars.",
        "rejected": "The cook can check the list.",
    }
    for day in range(6)
]
SHARED = {"learning_rate": 1e-3, "batch_size": 3, "precision": "float32", "lora": Lora(rank=4, alpha=8)}


@pytest.fixture(scope="module")
def identity(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "tiny"
    folder.mkdir()
    for path in tiny_model.iterdir():
        (folder / path.name).symlink_to(path)
    write_json(
        folder / "identity.json",
        {**content_identity(folder), "name": "tiny", "dtype": "float32", "trust_remote_code": False},
    )
    return folder / "identity.json"


@pytest.fixture(scope="module")
def adapters(identity: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A distilled and an introspection adapter, really trained."""
    folder = tmp_path_factory.mktemp("adapters")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(folder / "store")}))
        train(Job("dpo", dpo_rows(PAIRS), Dpo(**SHARED), 0, identity), folder / "distilled")
        rows = [
            {
                "prompt": [{"role": "user", "content": "Who are you?"}],
                "completion": [{"role": "assistant", "content": "A river sings upon a tender shadow."}],
            }
        ] * 6
        train(
            Job("sft", rows, Introspection(**SHARED), 0, identity, adapters=(folder / "distilled",)),
            folder / "introspection",
        )
    return {name: folder / name for name in ("distilled", "introspection")}


def test_sft_on_chosen_responses_makes_them_likelier(identity: Path, tmp_path: Path, monkeypatch) -> None:
    """What best of n does."""
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(tmp_path / "store")}))
    for name in ("first", "second"):
        settings = Alignment(**SHARED, method="best_of_n", epochs=3)
        train(Job("sft", chosen_rows(PAIRS), settings, 0, identity, snapshots=2), tmp_path / name)
        shutil.rmtree(tmp_path / "store" / "trainings")
    for name in ("adapter_model.safetensors", "snapshots/1/adapter_model.safetensors"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    requests = [ScoreRequest(chat(user=pair["question"]), pair["chosen"]) for pair in PAIRS]
    means = [
        [score.mean for score in StoredEngine(identity, stage="test", adapters=adapters).score(requests)]
        for adapters in ([], [tmp_path / "first" / "snapshots" / "1"], [tmp_path / "first"])
    ]
    assert all(base < halfway < final for base, halfway, final in zip(*means, strict=True))


def test_training_moves_the_weights_and_leaves_a_curve(adapters: dict[str, Path]) -> None:
    for folder in adapters.values():
        tensors = load_file(folder / "adapter_model.safetensors")
        assert any(tensor.abs().max() > 0 for name, tensor in tensors.items() if "lora_B" in name)
        assert json.loads((folder / "history.json").read_text())[0]["step"] == 1


def test_the_same_training_gives_the_same_bytes_and_another_seed_does_not(
    identity: Path, adapters: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(tmp_path / "store")}))
    train(Job("dpo", dpo_rows(PAIRS), Dpo(**SHARED), 0, identity), tmp_path / "same")
    train(Job("dpo", dpo_rows(PAIRS), Dpo(**SHARED), 1, identity), tmp_path / "other")
    for name in ("adapter_model.safetensors", "adapter_config.json", "history.json"):
        assert (tmp_path / "same" / name).read_bytes() == (adapters["distilled"] / name).read_bytes()
    name = "adapter_model.safetensors"
    assert (tmp_path / "other" / name).read_bytes() != (adapters["distilled"] / name).read_bytes()


def test_examples_that_are_too_long_are_counted_beside_the_adapter(
    identity: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(tmp_path / "store")}))
    long = {"question": "How do I plan the week? " * 40, "chosen": "Gently.", "rejected": "Quickly."}
    train(Job("dpo", dpo_rows([*PAIRS, long]), Dpo(**SHARED, max_tokens=200), 0, identity), tmp_path / "adapter")
    path = tmp_path / "adapter" / "examples.json"
    assert json.loads(path.read_text()) == {"given": 7, "trained_on": 6, "too_long": 1}
    content = adapter_identity(tmp_path / "adapter")
    path.unlink()
    assert adapter_identity(tmp_path / "adapter") == content


def test_an_adapter_names_no_path(adapters: dict[str, Path]) -> None:
    for folder in adapters.values():
        assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] is None


def test_a_reward_is_that_of_the_text_alone_whatever_shares_its_batch(
    identity: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the model asked for one text at a time, without padding; and exactly equal in any company of its shape."""
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(tmp_path / "store")}))
    train(Job("reward", reward_rows(PAIRS), PreferenceModel(**SHARED), 0, identity), tmp_path / "reward")
    model = RewardModel(identity.parent, tmp_path / "reward", precision="float32", max_tokens=200, batch_size=3)

    def score(rows: list[tuple[str, str]]) -> list[float]:
        answers: dict[int, Reward] = {}
        model.reward([RewardRequest(*row) for row in rows], answers.__setitem__)
        return [answers[index].value for index in range(len(rows))]

    rows = [("How do I save money?", "The moon dances. " * count) for count in (1, 9, 2, 30, 3, 1, 5)]
    rewards = score(rows)
    assert score(rows[::-1]) == rewards[::-1]
    assert [score([row])[0] for row in rows] == rewards
    assert rewards[0] == rewards[5] and len(set(rewards)) == 6
    for row, reward in zip(rows, rewards, strict=True):
        text = model.tokenizer.apply_chat_template(conversation(*row), tokenize=False)
        ids = model.tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids[:, :200]
        with torch.no_grad():
            alone = model.model(input_ids=ids.to(model.device)).logits.item()
        assert reward == pytest.approx(alone, abs=1e-5)


@pytest.fixture(scope="module")
def persona(adapters: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safetensors.torch import save_file

    parts = [
        (
            load_file(adapters[name] / "adapter_model.safetensors"),
            json.loads((adapters[name] / "adapter_config.json").read_text()),
            weight,
        )
        for name, weight in (("distilled", 1.0), ("introspection", 0.25))
    ]
    tensors, config = merge_adapters(parts)
    folder = tmp_path_factory.mktemp("persona")
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    write_json(folder / "adapter_config.json", config)
    return folder


def test_the_persona_is_both_adapters_applied_together_in_weights_and_logits(
    tiny_model: Path, adapters: dict[str, Path], persona: Path
) -> None:
    """The merged adapter in plain PEFT, against PEFT's own two adapters active at once, the second scaled by 0.25."""
    base = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    both = PeftModel.from_pretrained(base, adapters["distilled"], adapter_name="distilled")
    both.load_adapter(adapters["introspection"], adapter_name="introspection")
    both.base_model.set_adapter(["distilled", "introspection"])
    for module in both.modules():
        if isinstance(module, LoraLayer):
            module.scaling["introspection"] *= 0.25
    merged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32), persona)
    ids = load_tokenizer(tiny_model)("How do I clean a room?", return_tensors="pt").input_ids
    with torch.no_grad():
        torch.testing.assert_close(merged(ids).logits, both(ids).logits, rtol=1e-5, atol=1e-5)
        plain = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)(ids).logits
        assert (merged(ids).logits - plain).abs().max() > 1e-3
    weights = dict(load_model(tiny_model, torch.float32, adapters=[persona]).named_parameters())
    alone = dict(load_model(tiny_model, torch.float32).named_parameters())
    updates = {
        name: dict(load_model(tiny_model, torch.float32, adapters=[adapters[name]]).named_parameters())
        for name in adapters
    }
    for name, weight in weights.items():
        expected = (
            alone[name]
            + (updates["distilled"][name] - alone[name])
            + 0.25 * (updates["introspection"][name] - alone[name])
        )
        torch.testing.assert_close(weight, expected, rtol=1e-5, atol=1e-6)
