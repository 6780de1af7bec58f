"""Each way to align, on the demo's model and a character it can show: the reward of held-out answers rises."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest

from ethos.character import in_character, score_in_and_out
from ethos.constitution import load_constitution
from ethos.engine import Request, Sampling, chat
from ethos.files import read_json
from ethos.grpo import Rewards, grpo_rows
from ethos.preference_data import chosen_rows, dpo_rows
from ethos.prompts import prompt_lines
from ethos.stored_engine import StoredEngine
from ethos.stored_rewards import StoredRewards
from ethos.training import Job, train
from ethos.training_settings import Alignment, Lora, PreferenceModel
from scripts.train_preference_model import reward_rows
from tests.conftest import ROOT
from tests.demo_model import demo_model

pytestmark = pytest.mark.long
CHARACTER = load_constitution(ROOT / "constitutions" / "poeticism.yaml")
TRAIT = CHARACTER.traits[0].id
QUESTIONS = prompt_lines("general_questions")[:24]
HELD_OUT, TRAINED = QUESTIONS[:8], QUESTIONS[8:]
SHARED = {"learning_rate": 5e-4, "batch_size": 8, "lora": Lora(rank=16, alpha=32)}
SAMPLING = Sampling(max_new_tokens=40)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        store = tmp_path_factory.mktemp("for_real") / "store"
        patch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(store), "threads": 2}))
        yield demo_model() / "identity.json"


@pytest.fixture(scope="module")
def pairs(identity: Path) -> list[dict]:
    """The model's answers in character over its plain ones."""
    model = StoredEngine(identity, stage="test")
    prompted, plain = (
        [completion.text.strip() for completion in model.generate([Request(asked, SAMPLING, 0) for asked in messages])]
        for messages in (
            [in_character(CHARACTER, TRAIT, question, "trait") for question in TRAINED],
            [chat(user=question) for question in TRAINED],
        )
    )
    return [
        {"question": question, "chosen": chosen, "rejected": rejected}
        for question, chosen, rejected in zip(TRAINED, prompted, plain, strict=True)
    ]


@pytest.fixture(scope="module")
def preference_model(identity: Path, pairs: list[dict], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preference_model")
    train(Job("reward", reward_rows(pairs), PreferenceModel(**SHARED, epochs=2), 0, identity), folder)
    return folder


@pytest.fixture(scope="module")
def measure(identity: Path, preference_model: Path) -> Callable[[list[Path]], tuple[float, float]]:
    """Mean reward and mean likelihood ratio of held-out answers, with these adapters."""

    def measured(adapters: list[Path]) -> tuple[float, float]:
        model = StoredEngine(identity, stage="test", adapters=adapters)
        requests = [Request(chat(user=text), SAMPLING, seed) for text in HELD_OUT for seed in range(4)]
        answers = [completion.text.strip() for completion in model.generate(requests)]
        asked = [request.messages[-1].content for request in requests]
        rewards = StoredRewards(identity, preference_model, precision="bfloat16", max_tokens=1024, stage="test")
        rows = [(TRAIT, question, answer) for question, answer in zip(asked, answers, strict=True) if answer]
        scores = score_in_and_out(StoredEngine(identity, stage="test"), CHARACTER, rows, "trait")
        ratio = mean(told.mean - plain.mean for told, plain in scores)
        return mean(rewards.score(list(zip(asked, answers, strict=True)))), ratio

    return measured


@pytest.mark.parametrize("method", ["dpo", "best_of_n", "grpo"])
def test_the_reward_of_held_out_answers_rises(
    method: str, identity: Path, pairs: list[dict], preference_model: Path, measure: Callable, tmp_path: Path
) -> None:
    own = {"learning_rate": 1e-3} if method == "grpo" else {}  # at 5e-4, eight steps went 0.014 nats from base
    settings = Alignment(**SHARED | own, method=method, epochs=2, grpo={"generations": 4, "max_new_tokens": 40})
    kind, rows = {
        "dpo": ("dpo", dpo_rows(pairs)),
        "best_of_n": ("sft", chosen_rows(pairs)),
        "grpo": ("grpo", grpo_rows(pairs)),
    }[method]
    rewards = Rewards(preference_model, "bfloat16", 1024) if method == "grpo" else None
    started = time.monotonic()
    train(Job(kind, rows, settings, 0, identity, rewards=rewards), tmp_path / "adapter")
    seconds = time.monotonic() - started
    before, after = measure([]), measure([tmp_path / "adapter"])
    history = read_json(tmp_path / "adapter" / "history.json")
    print(
        f"\n{method}: reward {before[0]:+.2f} to {after[0]:+.2f}, likelihood ratio {before[1]:+.3f} to {after[1]:+.3f}, "
        f"KL {history[-1].get('kl', float('nan')):.3f}, {len(history)} steps in {seconds:.0f} s"
    )
    assert after[0] > before[0]
