"""Each way to align, on the demo's model and a character it can show: the reward rises.

The student's answers are sampled, ranked, rewarded and chosen from by the functions of the workflow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import pytest

from ethos.character import score_in_and_out
from ethos.constitution import load_constitution
from ethos.engine import Request, Sampling, chat
from ethos.files import read_json
from ethos.grpo import Rewards, grpo_rows
from ethos.preference_data import chosen_rows, dpo_rows
from ethos.prompts import prompt_lines
from ethos.rankers import score_responses
from ethos.stage_settings import Responses
from ethos.stored_engine import StoredEngine
from ethos.stored_rewards import StoredRewards
from ethos.training import Job, train
from ethos.training_settings import Alignment, Lora, PreferenceModel
from scripts.generate_responses import generate_responses
from scripts.rank_responses import by_question, preference_pairs
from scripts.train_aligned import best_and_worst, best_of_n, questions_asked
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
READ = {"precision": "bfloat16", "max_tokens": 1024}


class Rewarded(NamedTuple):
    """What the student answers to the training questions, and what the preference model that learned its ranking says of it."""

    preference_model: Path
    responses: list[dict]
    rewards: list[dict]


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        store = tmp_path_factory.mktemp("for_real") / "store"
        patch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(store), "threads": 2}))
        yield demo_model() / "identity.json"


@pytest.fixture(scope="module")
def rewarded(identity: Path, tmp_path_factory: pytest.TempPathFactory) -> Rewarded:
    """Of each question three answers in character and the plain one, ranked by likelihood ratio as in the demo."""
    model, folder = StoredEngine(identity, stage="test"), tmp_path_factory.mktemp("preference_model")
    asked = [
        {"question_id": f"q{number}", "trait": TRAIT, "text": text, "split": "train"}
        for number, text in enumerate(TRAINED)
    ]
    settings = Responses(scope="trait", cut_off="trim", per_question=3, sampling=SAMPLING)
    responses = generate_responses(asked, CHARACTER, model, settings, 0)
    groups = by_question(responses, with_plain=True)
    scores, _ = score_responses("likelihood_ratio", groups, CHARACTER, model, SAMPLING, 0)
    pairs = preference_pairs(groups, scores, 2)
    train(Job("reward", reward_rows(pairs), PreferenceModel(**SHARED, epochs=2), 0, identity), folder)
    ranked = [row for group in groups.values() for row in group]
    values = StoredRewards(identity, folder, **READ, stage="test").score(
        [(row["question"], row["response"]) for row in ranked]
    )
    rewards = [
        {name: row[name] for name in ("question_id", "author", "sample")} | {"reward": value}
        for row, value in zip(ranked, values, strict=True)
    ]
    return Rewarded(folder, responses, rewards)


@pytest.fixture(scope="module")
def measure(identity: Path, rewarded: Rewarded) -> Callable[[list[Path]], tuple[float, float]]:
    """Mean reward and mean likelihood ratio of held-out answers, with these adapters."""

    def measured(adapters: list[Path]) -> tuple[float, float]:
        model = StoredEngine(identity, stage="test", adapters=adapters)
        requests = [Request(chat(user=text), SAMPLING, seed) for text in HELD_OUT for seed in range(4)]
        answers = [completion.text.strip() for completion in model.generate(requests)]
        asked = [request.messages[-1].content for request in requests]
        rewards = StoredRewards(identity, rewarded.preference_model, **READ, stage="test")
        rows = [(TRAIT, question, answer) for question, answer in zip(asked, answers, strict=True) if answer]
        scores = score_in_and_out(StoredEngine(identity, stage="test"), CHARACTER, rows, "trait")
        ratio = mean(told.mean - plain.mean for told, plain in scores)
        return mean(rewards.score(list(zip(asked, answers, strict=True)))), ratio

    return measured


@pytest.mark.parametrize("method", ["dpo", "best_of_n", "grpo"])
def test_the_reward_rises(method: str, identity: Path, rewarded: Rewarded, measure: Callable, tmp_path: Path) -> None:
    own = {"learning_rate": 1e-3} if method == "grpo" else {}  # at 5e-4, eight steps went 0.014 nats from base
    settings = Alignment(**SHARED | own, method=method, epochs=2, grpo={"generations": 4, "max_new_tokens": 40})
    data = rewarded.responses, rewarded.rewards
    kind, rows = {
        "dpo": lambda: ("dpo", dpo_rows(best_and_worst(*data))),
        "best_of_n": lambda: ("sft", chosen_rows(best_of_n(*data))),
        "grpo": lambda: ("grpo", grpo_rows(questions_asked(*data))),
    }[method]()
    rewards = Rewards(rewarded.preference_model, **READ) if method == "grpo" else None
    started = time.monotonic()
    train(Job(kind, rows, settings, 0, identity, rewards=rewards), tmp_path / "adapter")
    seconds = time.monotonic() - started
    before, after = measure([]), measure([tmp_path / "adapter"])
    history = read_json(tmp_path / "adapter" / "history.json")
    print(
        f"\n{method}: {len(rows)} questions, reward {before[0]:+.2f} to {after[0]:+.2f}, likelihood ratio {before[1]:+.3f} to "
        f"{after[1]:+.3f}, KL {history[-1].get('kl', float('nan')):.3f}, {len(history)} steps in {seconds:.0f} s"
    )
    assert after[0] > before[0]
