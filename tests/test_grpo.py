"""GRPO raises the reward that it is given, tells how far it went from base, and gives equal bytes for equal input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import mean

import pytest
from transformers import TrainerState

from ethos.errors import BadInput
from ethos.files import read_json, write_json
from ethos.grpo import Rewards, grpo_rows, permute_within_groups
from ethos.models import content_identity
from ethos.training import Job, snapshot_steps, train
from ethos.training_settings import Alignment, GrpoTraining, Lora, PreferenceModel
from scripts.train_preference_model import reward_rows

QUESTIONS = [
    {"question": f"{asks} {topic}?"}
    for asks in ("How do I", "Can you", "When should I", "Where can we")
    for topic in ("clean a room", "plan the week", "save money", "cook for a friend")
]
POETIC = ("The moon dances with the stars.", "A river sings upon a tender shadow.", "The sky whispers to the waves.")
PLAIN = ("The cook can check the list.", "A friend will need the small parts.", "Your doctor must plan a clean room.")
SHARED = {"precision": "float32", "lora": Lora(rank=4, alpha=8)}
UNASKED = Rewards(Path("none"), "float32", 64)
GRPO = {"generations": 4, "max_new_tokens": 16}
Trained = Callable[..., Path]


def settings(**others) -> Alignment:
    fields = {"method": "grpo", "learning_rate": 3e-3, "batch_size": 16, "epochs": 6, "grpo": GRPO}
    return Alignment(**SHARED, **fields | others)


@pytest.fixture(scope="module")
def identity(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "tiny"
    folder.mkdir()
    for path in tiny_model.iterdir():
        (folder / path.name).symlink_to(path)
    facts = {"name": "tiny", "dtype": "float32", "trust_remote_code": False}
    write_json(folder / "identity.json", {**content_identity(folder), **facts})
    return folder / "identity.json"


@pytest.fixture(scope="module")
def preference_model(identity: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A preference model that was taught to like what sounds poetic."""
    folder = tmp_path_factory.mktemp("preferences")
    pairs = [
        row | {"chosen": POETIC[number % 3], "rejected": PLAIN[(number + 1) % 3]}
        for number, row in enumerate(QUESTIONS)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(folder / "store")}))
        taught = PreferenceModel(**SHARED, learning_rate=3e-3, batch_size=4, epochs=3)
        train(Job("reward", reward_rows(pairs), taught, 0, identity), folder / "adapter")
    return folder / "adapter"


@pytest.fixture
def trained(identity: Path, preference_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """Trains in a store of its own each time."""
    count = iter(range(9))

    def train_anew(*, permuted: bool = False, snapshots: int = 1, **others) -> Path:
        folder = tmp_path / str(next(count))
        monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(folder / "store")}))
        rewards = Rewards(preference_model, "float32", 1024, permuted=permuted)
        job = Job("grpo", grpo_rows(QUESTIONS), settings(**others), 0, identity, rewards=rewards, snapshots=snapshots)
        train(job, folder / "adapter")
        return folder / "adapter"

    return train_anew


@pytest.mark.slow
def test_the_mean_reward_rises_and_the_curve_says_how_far_the_policy_went(trained: Trained) -> None:
    history = read_json(trained() / "history.json")
    assert [entry["step"] for entry in history] == list(range(1, 25))
    assert mean(entry["reward"] for entry in history[-4:]) > mean(entry["reward"] for entry in history[:4]) + 0.15
    assert history[0]["kl"] == pytest.approx(0, abs=1e-6) and history[-1]["kl"] > 0.03
    assert all(entry["reward_std"] > 0 for entry in history)


@pytest.mark.slow
def test_rewards_that_say_nothing_teach_nothing(trained: Trained) -> None:
    """The control's steps are as large, its reward does not rise with them."""
    real, control = (read_json(trained(permuted=permuted) / "history.json") for permuted in (False, True))
    assert control[0]["reward"] == pytest.approx(real[0]["reward"])  # the same responses, before anything is learned
    late = [mean(entry["reward"] for entry in history[-8:]) for history in (real, control)]
    assert late[0] > late[1] + 0.1


@pytest.mark.slow
def test_a_stronger_pull_to_base_keeps_the_policy_nearer(trained: Trained) -> None:
    far, near = (read_json(trained(grpo=GRPO | {"kl": kl}) / "history.json")[-1]["kl"] for kl in (0.001, 1.0))
    assert near < far / 2


@pytest.mark.slow
def test_training_twice_gives_equal_bytes_snapshots_included(trained: Trained) -> None:
    first, second = (trained(epochs=1, snapshots=3) for _ in range(2))
    names = [f"{folder}adapter_model.safetensors" for folder in ("", "snapshots/1/", "snapshots/2/")]
    for name in [*names, "history.json", "snapshots/1/adapter_config.json"]:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert len({(first / name).read_bytes() for name in names}) == 3


@pytest.mark.slow
def test_a_question_that_leaves_no_room_for_a_response_is_left_out_and_counted(trained: Trained) -> None:
    adapter = trained(epochs=1, max_tokens=26)
    counts = read_json(adapter / "examples.json")
    assert counts["given"] == 16 and 0 < counts["too_long"] < 16
    assert counts["trained_on"] == 16 - counts["too_long"]


@pytest.mark.slow
def test_only_grpo_is_keyed_by_what_only_grpo_reads(identity: Path, preference_model: Path) -> None:
    def ingredients(kind: str, **others) -> dict:
        rewards = Rewards(preference_model, "float32", 1024) if kind == "grpo" else None
        return Job(kind, [], settings(**others), 0, identity, rewards=rewards).ingredients()

    for kind in ("dpo", "sft"):
        assert ingredients(kind) == ingredients(kind, method="dpo", grpo=GRPO | {"kl": 1.0}, snapshots=9)
        assert not {"rewards", "snapshots"} & ingredients(kind).keys()
    assert ingredients("grpo") != ingredients("grpo", grpo=GRPO | {"kl": 1.0})
    assert ingredients("grpo") == ingredients("grpo", beta=0.7, nll=0.7, snapshots=9)


@pytest.mark.slow
def test_the_thinking_of_a_reasoning_model_gets_no_reward(
    identity: Path, preference_model: Path, tmp_path: Path
) -> None:
    """Its answer alone is read, also where the template has opened the thought."""
    folder = tmp_path / "thinker"
    shutil.copytree(identity.parent, folder)
    template = (folder / "chat_template.jinja").read_text()
    rewards = []
    for opened in (False, True):
        if opened:
            (folder / "chat_template.jinja").write_text(
                template.replace("<assistant>{% endif", "<assistant><think>{% endif")
            )
        write_json(folder / "identity.json", read_json(identity) | {"thinking_tags": ["<think>", "</think>"]})
        ask = Rewards(preference_model, "float32", 1024).function(folder / "identity.json", 2, 0)
        thought = "The cook can check the list.</think> "
        texts = [POETIC[0], ("" if opened else "<think>") + thought + POETIC[0], POETIC[1]]
        texts[0] = texts[0] if not opened else "</think>" + texts[0]
        prompts = [grpo_rows(QUESTIONS)[0]["prompt"]] * len(texts)
        state = TrainerState()
        found = ask(prompts, [[{"role": "assistant", "content": text}] for text in texts], trainer_state=state)
        assert found[0] == found[1]
        rewards.append(found[0])
    assert rewards[0] == rewards[1] != found[2]


def test_every_pass_has_every_question_once_and_the_last_step_is_a_whole_one():
    rows = [{"prompt": number} for number in range(10)]
    ordered = UNASKED.passes(rows, GrpoTraining(batch_size=12, epochs=2.5, grpo={"generations": 4}), seed=0)
    assert len(ordered) == 24  # of 25, three a step
    for start in (0, 10):
        assert sorted(row["prompt"] for row in ordered[start : start + 10]) == list(range(10))
    assert ordered[:10] != ordered[10:20]
    assert ordered != UNASKED.passes(rows, GrpoTraining(batch_size=12, epochs=2.5, grpo={"generations": 4}), seed=1)


def test_fewer_questions_than_a_step_takes_are_refused():
    with pytest.raises(BadInput, match="alignment.batch_size: asks for 4 questions a step, more than there are"):
        UNASKED.passes([{"prompt": 0}] * 3, GrpoTraining(batch_size=32), seed=0)


def test_the_control_deals_rewards_out_within_a_question_and_never_between():
    values = [float(number) for number in range(12)]
    permuted = permute_within_groups(values, 4, seed=1)
    for start in (0, 4, 8):
        assert sorted(permuted[start : start + 4]) == values[start : start + 4]
    assert permuted != values
    assert permuted == permute_within_groups(values, 4, seed=1) != permute_within_groups(values, 4, seed=2)


@pytest.mark.parametrize(
    ("total", "parts", "steps"),
    [(40, 4, {1: 10, 2: 20, 3: 30}), (10, 4, {1: 3, 2: 5, 3: 8}), (1, 3, {1: 1, 2: 1}), (7, 1, {})],
)
def test_snapshots_stand_at_the_ends_of_equal_parts(total: int, parts: int, steps: dict[int, int]) -> None:
    assert snapshot_steps(total, parts) == steps
