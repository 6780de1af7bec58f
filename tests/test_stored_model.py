"""A job whose work is all in the store needs no model and gives the same results, and every job says what it used."""

from __future__ import annotations

import ast
import gc
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

import pytest

from ethos.engine import Score, ScoreRequest, chat
from ethos.execution_settings import Execution
from ethos.files import read_json, write_json
from ethos.ledger import read_ledger
from ethos.machines import rounding
from ethos.provenance import hardware
from ethos.segments import entry_of, lines_of
from ethos.steering import STEERING_FILES
from ethos.stored_engine import ENGINE_FILES, VLLM_FILES, StoredEngine
from ethos.stored_rewards import REWARD_FILES
from ethos.tables import RESPONSES, REWARDS, read_table, table_from, write_table
from ethos.work import calls_by_stage, read_work
from tests.stages import prepare

ROOT = Path(__file__).resolve().parent.parent
CONSTITUTION = ROOT / "constitutions" / "poeticism.yaml"
TEXTS = ("The moon dances with the stars.", "The cook can check the list.", "A river sings upon a tender shadow.")

# Runs a script as the workflow does, and tells whether it needed torch.
RUN = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print("torch" in sys.modules)
"""


class Workplace:
    """A tiny prepared model in a store, and responses of it."""

    def __init__(self, folder: Path, tiny_model: Path):
        self.folder, self.store = folder, folder / "store"
        self.identity = prepare(tiny_model, self.store / "models" / "tiny-1", "tiny")
        rows = [
            {"question_id": f"q{day}", "trait": "savours_sound", "question": f"How do I plan day {day}?"}
            | {"split": "train" if day else "held_out", "author": "in_character", "sample": sample, "response": text}
            | {"finish_reason": "stop", "tokens": 9, "filtered": None}
            for day in range(3)
            for sample, text in enumerate(TEXTS)
        ]
        write_table(folder / "responses.parquet", table_from(rows, RESPONSES))

    def rank(self, output: str) -> bool:
        return self._run(
            "rank_responses",
            output,
            constitution=CONSTITUTION,
            responses=self.folder / "responses.parquet",
            judge=self.identity,
            settings='{"method": "likelihood_ratio"}',
            written=("rankings.parquet", "pairs.parquet", "agreement.json"),
        )

    def train(self, output: str, ranked: str) -> bool:
        lora = {"rank": 4, "alpha": 8}
        return self._run(
            "train_preference_model",
            output,
            pairs=self.folder / ranked / "pairs.parquet",
            rankings=self.folder / ranked / "rankings.parquet",
            responses=self.folder / "responses.parquet",
            student=self.identity,
            settings=json.dumps({"batch_size": 3, "precision": "float32", "max_tokens": 200, "lora": lora}),
            written=("adapter.safetensors", "rewards.parquet"),
        )

    def _run(self, script: str, output: str, *, written: tuple[str, ...], **options: str | Path) -> bool:
        """Run a script that writes into a folder of this name; returns whether it needed torch."""
        (self.folder / output).mkdir()
        options |= {Path(name).stem: self.folder / output / name for name in (*written, "used.txt")}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        execution = {"store": str(self.store), "threads": 1, "device": "cpu"}
        outcome = subprocess.run(
            [sys.executable, "-c", RUN, ROOT / "scripts" / f"{script}.py", *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT), "ETHOS_EXECUTION": json.dumps(execution)},
            capture_output=True,
            text=True,
        )
        assert outcome.returncode == 0, outcome.stderr[-4000:]
        return outcome.stdout.split()[-1] == "True"

    def contents(self, output: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.folder / output).iterdir()}

    def used(self, output: str) -> list[str]:
        """The kinds of the entries that a job used."""
        return sorted(entry.split()[0] for entry in read_ledger(self.folder / output / "used.txt"))


@pytest.fixture(scope="module")
def workplace(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Rankings and a preference model, each made for real and then once more."""
    workplace = Workplace(tmp_path_factory.mktemp("workplace"), tiny_model)
    assert workplace.rank("ranked") and workplace.train("trained", "ranked")
    workplace.work = calls_by_stage(workplace.store)
    return workplace


@pytest.mark.slow
def test_what_is_all_stored_is_ranked_again_without_torch_and_with_equal_bytes(workplace: Workplace):
    assert workplace.rank("ranked_again") is False
    assert workplace.contents("ranked_again") == workplace.contents("ranked")


@pytest.mark.slow
def test_a_stored_preference_model_and_its_rewards_are_taken_without_torch_and_with_equal_bytes(workplace: Workplace):
    assert workplace.train("trained_again", "ranked") is False
    assert workplace.contents("trained_again") == workplace.contents("trained")
    rewards = read_table(workplace.folder / "trained" / "rewards.parquet", REWARDS).to_pylist()
    assert len({row["reward"] for row in rewards}) == len(rewards) == 9


@pytest.mark.slow
def test_only_what_was_really_done_is_on_record(workplace: Workplace):
    assert workplace.work == calls_by_stage(workplace.store)
    assert workplace.work == {
        ("rank_responses", "score"): 18,
        ("train_preference_model", "reward"): 9,
        ("trained", "reward training"): 1,
    }
    assert {(work.model, work.device) for work in read_work(workplace.store)} == {
        ("tiny", "cpu"),
        ("preference model of tiny", "cpu"),
    }
    assert all(work.seconds > 0 for work in read_work(workplace.store))


@pytest.mark.slow
def test_answers_and_trainings_name_what_computed_them(workplace: Workplace):
    (noted,) = (workplace.store / "machines").iterdir()
    assert read_json(noted)["hardware"] == hardware()
    assert read_json(noted)["execution"] == rounding(Execution(threads=1, device="cpu"))
    answers = [entry_of(line) for path in workplace.store.rglob("*.jsonl") for _, line in lines_of(path)]
    (training,) = (workplace.store / "trainings").iterdir()
    assert {entry.machine for entry in answers} == {read_json(training / "about.json")["machine"]} == {noted.stem}


@pytest.mark.slow
def test_a_job_tells_what_it_used_found_or_made(workplace: Workplace):
    assert workplace.used("ranked") == ["completion"] * 18 + ["model"]
    assert workplace.used("trained") == ["completion"] * 9 + ["model", "training"]
    (training,) = (workplace.store / "trainings").iterdir()
    ledger = read_ledger(workplace.folder / "trained" / "used.txt")
    assert {"model tiny-1", f"training {training.name}"} <= ledger


@pytest.mark.slow
def test_a_model_is_loaded_once_for_all_who_ask_it_and_freed_for_another(
    workplace: Workplace,
    tmp_path: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(tmp_path / "store"), "device": "cpu"}))
    caplog.set_level("INFO", logger="ethos.engine")
    other = prepare(tiny_model, tmp_path / "other", "other", dtype="bfloat16")
    engines = [
        StoredEngine(identity, stage=stage)
        for stage, identity in zip("abcd", [*[workplace.identity] * 3, other], strict=True)
    ]
    for engine in engines[:2]:  # both open
        engine.score([ScoreRequest(chat(user="Why?"), engine.stage)])
    for engine in engines[:2]:
        engine.close()
    engines[2].score([ScoreRequest(chat(user="Why?"), "c")])
    model = weakref.ref(engines[2]._model)
    engines[2].close()
    engines[3].score([ScoreRequest(chat(user="Why?"), "d")])
    gc.collect()
    assert model() is None
    said = [record.message for record in caplog.records if "loading" in record.message]
    assert said == ["a: loading tiny", "d: loading other"]


class StandIn:
    """Stands in for a model: knows no answer but one, and notes at each question which other models are in memory."""

    def __init__(self, name: str, in_memory: WeakValueDictionary[str, StandIn], seen: list[tuple[str, set[str]]]):
        self.name, self.in_memory, self.seen = name, in_memory, seen
        in_memory[name] = self

    def score(self, requests: list[ScoreRequest], on_answer: Callable[[int, Score], None]) -> None:
        self.seen.append((self.name, {*self.in_memory} - {self.name}))
        for index in range(len(requests)):
            on_answer(index, Score(-1.0, 1))


def test_a_closed_model_is_freed_before_a_server_is_asked_that_may_have_to_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As where base, by vLLM, and steered students, embedded, take turns on one GPU; base stays open."""
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(tmp_path / "store"), "device": "cpu"}))
    in_memory, seen = WeakValueDictionary(), []
    monkeypatch.setattr(StoredEngine, "_load", lambda self: StandIn(self.name, in_memory, seen))

    def engine(name: str, kind: str) -> StoredEngine:
        facts = {"name": name, "content": name, "dtype": "float32", "trust_remote_code": False, "engine": kind}
        write_json(path := tmp_path / name / "identity.json", facts)
        return StoredEngine(path, stage="test")

    base = engine("base", "vllm")
    base.score([ScoreRequest(chat(user="Why?"), "first")])
    steered = engine("steered", "transformers")
    steered.score([ScoreRequest(chat(user="Why?"), "as well")])
    steered.close()
    base.score([ScoreRequest(chat(user="Why?"), "again")])
    assert seen == [("base", set()), ("steered", {"base"}), ("base", set())]


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("transformers_engine.py", (*ENGINE_FILES, *STEERING_FILES, "steering.py")),
        ("vllm_engine.py", VLLM_FILES),
        ("reward_model.py", REWARD_FILES),
    ],
)
def test_every_module_that_decides_an_answer_counts(name: str, files: tuple[str, ...]):
    """All that the engine imports, but for what says only how an answer is asked for, refused or named."""
    told = {"engine.py", "errors.py", "files.py", "preference_data.py", "vllm_server.py"}
    reached, waiting = set(), [name]
    while waiting:
        module = waiting.pop()
        reached.add(module)
        tree = ast.parse((ROOT / "ethos" / module).read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        names = {f"{module.removeprefix('ethos.')}.py" for module in imported if module.startswith("ethos.")}
        waiting += names - reached - told
    assert reached == set(files)
