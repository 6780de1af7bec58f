"""Tokens and time of work to come are those of earlier work where there was some, and stated defaults elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.asks import Ask, Train
from ethos.files import write_json
from ethos.resources import seconds_of
from ethos.store import TrainingStore
from ethos.throughput import API_ANSWER, Machine, Throughput, measured
from ethos.work import Work, new_record, record_work

CPU, CUDA = (Machine("small", device, 270) for device in ("cpu", "cuda"))
ANSWERS = Ask("generate", "student", 50, 100, 40, 64, "settings", "fixed")
SCORES = Ask("score", "student", 50, 100, 40, 40, "settings", "fixed")


def work(stage: str, *, kind: str = "generate", device: str = "cpu", **others) -> Work:
    measured = {"calls": 10, "seconds": 20.0, "prompt_tokens": 500, "completion_tokens": 300}
    return Work(kind=kind, stage=stage, model="small", device=device, **measured | others)


def test_without_earlier_work_lengths_are_the_askers_and_the_time_is_a_default():
    throughput = Throughput()
    assert throughput.tokens("sample_arms", ANSWERS, CPU) == (100, 40)
    assert throughput.seconds("sample_arms", ANSWERS, CPU) == (seconds_of(40 + 10, 270, gpus=0), False)
    assert throughput.tokens("sample_arms", SCORES, CPU) == (0, 40)  # as records have it; the prompt takes its time
    assert throughput.seconds("sample_arms", SCORES, CUDA) == (seconds_of(14, 270, gpus=1), False)
    assert throughput.seconds("judge", ANSWERS, Machine("far", "api", 0, 4)) == (API_ANSWER / 4, False)


def test_a_rules_own_earlier_work_counts_all_arms_together():
    throughput = Throughput(
        [work("sample_arms, base"), work("sample_arms, prompted", prompt_tokens=1500, seconds=40.0)]
    )
    assert throughput.tokens("sample_arms", ANSWERS, CPU) == (100, 30)
    seconds, known = throughput.seconds("sample_arms", ANSWERS, CPU)
    assert (seconds, known) == (pytest.approx(3), True)


def test_the_same_models_work_for_another_rule_tells_the_pace_but_not_the_length():
    throughput = Throughput([work("sample_arms")])  # 350 tokens' worth in 20 s
    assert throughput.tokens("sample_chat", ANSWERS, CPU) == (100, 40)
    assert throughput.seconds("sample_chat", ANSWERS, CPU) == (pytest.approx(20 / 350 * 50), True)
    assert not throughput.seconds("sample_chat", SCORES, CPU)[1]


def test_no_answer_is_expected_to_be_longer_than_it_may_be():
    throughput = Throughput([work("sample_arms", completion_tokens=5_000)])
    assert throughput.tokens("sample_arms", ANSWERS, CPU) == (50, 64)


def test_work_on_another_device_tells_the_length_but_not_the_pace():
    throughput = Throughput([work("sample_arms", device="cuda", seconds=1.0)])
    assert throughput.seconds("sample_arms", ANSWERS, CUDA) == (pytest.approx(0.1), True)
    assert throughput.tokens("sample_arms", ANSWERS, CPU) == (50, 30)
    assert not throughput.seconds("sample_arms", ANSWERS, CPU)[1]


def test_of_several_machines_and_engines_the_last_machine_with_the_models_own_engine_tells_the_pace():
    def on(machine: str, seconds: float, engine: str = "transformers") -> Work:
        return work("sample_arms", device="cuda", seconds=seconds, machine=machine, engine=engine)

    def pace(*works: Work, engine: str = "transformers") -> float:
        return Throughput(works).seconds("sample_arms", ANSWERS, Machine("small", "cuda", 270, engine=engine))[0]

    old, new, served = on("A100", 40.0), on("H200", 10.0), on("H200", 5.0, "vllm")
    assert pace(old, new) == pytest.approx(1) and pace(new, old) == pytest.approx(4)
    assert pace(new, old, on("H200", 20.0)) == pytest.approx(1.5)  # all that the H200 did
    assert pace(new, served) == pytest.approx(1) and pace(new, served, engine="vllm") == pytest.approx(0.5)
    assert pace(new, engine="vllm") == pytest.approx(1)  # better than nothing
    assert pace(on("", 30.0, "")) == pytest.approx(3)  # of an earlier Ethos
    assert (Throughput().last_device, Throughput([new]).last_device) == ("cpu", "cuda")


def test_what_was_cut_off_tells_no_pace():
    assert not Throughput([work("sample_arms", calls=0)]).seconds("sample_arms", ANSWERS, CPU)[1]


def test_a_preference_model_is_timed_by_its_own_rewards():
    rewards = Ask("reward", "student", 50, 0, 40, 40, "settings", "trained")
    own = Work("reward", "evaluate_character", "preference model of small", 10, 5.0, "cpu", completion_tokens=600)
    assert Throughput([own]).tokens("evaluate_character", rewards, CPU) == (0, 40)
    assert Throughput([own]).seconds("evaluate_character", rewards, CPU) == (pytest.approx(0.5 * 40 / 60), True)


def test_loading_takes_the_mean_of_earlier_loads():
    loads = [
        work("a", load_seconds=4.0),
        work("b", load_seconds=2.0),
        work("c"),
        work("d", device="cuda", load_seconds=60),
    ]
    assert Throughput(loads).load_seconds(CPU) == 3
    assert Throughput().load_seconds(Machine("large", "cuda", 16_000)) > Throughput().load_seconds(CUDA)


def test_a_training_is_timed_by_the_example_and_one_without_examples_as_a_whole(tmp_path: Path):
    def train(kind: str, passes: int, examples: int | None):
        def write(folder: Path) -> None:
            (folder / "adapter").write_text(kind)
            if examples is not None:
                write_json(folder / "examples.json", {"trained_on": examples})

        ingredients = {"kind": kind, "base": "0" * 64, "settings": {"epochs": passes}}
        TrainingStore(tmp_path).train_once(ingredients, write, tmp_path / kind)

    write_json(tmp_path / "models/small-1/identity.json", {"content": "0" * 64, "name": "small"})
    train("dpo", 2, 30)
    train("steering", 1, None)
    damaged = tmp_path / "trainings" / ("0" * 64) / "about.json"
    write_json(damaged, ["not", "a", "training"])
    record_work(new_record(tmp_path), work("sample_arms"))
    throughput = measured(tmp_path)
    assert {about["kind"]: about["examples"] for about in throughput.trainings} == {"dpo": 60, "steering": None}
    assert {about["device"] for about in throughput.trainings} == {"cpu"}
    seconds = {about["kind"]: about["seconds"] for about in throughput.trainings}
    dpo, steering = (Train(kind, 120, 100, 100, "settings") for kind in ("dpo", "steering"))
    assert throughput.training_seconds(dpo, CPU) == (pytest.approx(2 * seconds["dpo"]), True)
    assert throughput.training_seconds(steering, CPU) == (seconds["steering"], True)
    assert throughput.training_seconds(dpo, CUDA) == (seconds_of(12_000, 270, gpus=1), False)
    assert throughput.tokens("sample_arms", ANSWERS, CPU) == (50, 30)


def test_twice_the_processes_take_half_the_time():
    about = {"kind": "dpo", "model": "small", "device": "cuda", "examples": 100}
    trainings = [
        about | {"seconds": 100.0, "machine": "A100"},
        about | {"seconds": 20.0, "machine": "H200", "processes": 2},
    ]
    dpo = Train("dpo", 200, 100, 100, "settings")
    assert Throughput((), trainings).training_seconds(dpo, CUDA) == (pytest.approx(80), True)
    assert Throughput((), trainings).training_seconds(dpo, CUDA, 4) == (pytest.approx(20), True)
    assert Throughput().training_seconds(dpo, CUDA, 4) == (seconds_of(20_000, 270, gpus=1) / 4, False)
