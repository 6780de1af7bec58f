"""A job asks for enough, and for more each time."""

from __future__ import annotations

import pytest

from ethos.arms import ARMS
from ethos.asks import most_tokens
from ethos.constitution import load_constitution
from ethos.counts import count
from ethos.execution_settings import Execution, Jobs
from ethos.resources import (
    UNKNOWN_MODEL,
    attempt_that_computes,
    found_mb,
    gpus,
    memory_mb,
    minutes,
    processes,
    weights_mb,
)
from ethos.settings import Settings
from ethos.workload import workload
from tests.conftest import ROOT

JOBS = Jobs(memory_mb=8_000, minutes=30, max_minutes=1_440)
PUBLISHED = Settings(
    run="paper",
    constitutions=["humor"],
    models={"llama": {"source": "hub:meta-llama/Llama-3.1-8B-Instruct@main"}},
    students=["llama"],
    teacher="llama",
    judge="llama",
)


def tokens(rule: str) -> int:
    """Most tokens of a job of the published run."""
    return most_tokens(
        workload(rule, PUBLISHED, count(PUBLISHED, load_constitution(ROOT / "constitutions/humor.yaml")))
    )


def test_time_for_answers_under_pressure_grows_with_what_is_asked():
    prefill, robustness = tokens("sample_prefill"), tokens("sample_robustness")
    assert prefill > len(ARMS) * 60 * 256
    assert 7 * prefill < robustness < 8 * prefill


def test_memory_grows_with_the_model_and_with_each_attempt():
    assert memory_mb(JOBS, 270) < memory_mb(JOBS, 16_000) < memory_mb(JOBS, 16_000, attempt=2)


def test_no_attempt_asks_for_more_memory_than_a_node_has():
    limited = JOBS.model_copy(update={"max_memory_mb": 500_000})
    asked = [memory_mb(limited, 140_000, attempt, processes=1) for attempt in (1, 2, 3)]
    assert asked == [428_000, 500_000, 500_000]
    assert memory_mb(JOBS, 140_000, 3) == 3 * 428_000


def test_a_model_is_held_in_float32_and_as_it_was_read():
    assert memory_mb(JOBS, 16_000) >= 16_000 + 2 * 16_000


def test_time_grows_with_the_work_and_with_each_attempt_up_to_the_limit_of_the_partition():
    first, second, third = (minutes(JOBS, 16_000, 20_000_000, gpus=1, attempt=attempt) for attempt in (1, 2, 3))
    assert minutes(JOBS, 16_000, 1_000, gpus=1) == 30 < first < second
    assert second == 2 * first
    assert third == min(1_440, 3 * first)
    assert minutes(JOBS, 140_000, 20_000_000, gpus=1, attempt=3) == 1_440


def test_the_published_run_gets_hours_for_introspection_and_less_for_responses():
    introspection, responses = (
        minutes(JOBS, 16_000, tokens(rule), gpus=1) for rule in ("generate_introspection", "generate_responses")
    )
    assert 60 < responses < 180 < introspection < 720


def test_a_model_is_measured_where_it_lies_and_guessed_where_it_is_not_there_yet(tmp_path):
    prepared, source = tmp_path / "prepared", tmp_path / "source"
    source.mkdir()
    (source / "model.safetensors").write_bytes(bytes(2_500_000))
    assert weights_mb([prepared, source]) == 3
    assert (weights_mb([prepared]), found_mb([prepared])) == (UNKNOWN_MODEL, 0)


def attempts(asked: Execution, **others: bool) -> list[int]:
    return [attempt_that_computes(asked, attempt, **others) for attempt in (1, 2, 3)]


def test_only_the_first_attempt_of_a_job_with_gpus_is_left_to_the_store_and_the_next_counts_as_the_first():
    assert attempts(Execution(device="cuda", jobs={"store_first": True})) == [0, 1, 2]
    assert attempts(Execution(device="cpu", jobs={"store_first": True})) == [1, 2, 3]
    assert attempts(Execution(device="cuda")) == [1, 2, 3]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_job_after_shards_is_first_tried_with_the_store_alone(device):
    asked = Execution(device=device, shards=2)
    assert attempts(asked, after_shards=True) == [0, 1, 2]
    assert attempts(asked) == [1, 2, 3]


def spread(**others) -> Settings:
    execution = {"device": "cuda", "training": {"processes": 4}, **others.pop("execution", {})}
    return Settings.model_validate(PUBLISHED.model_dump(mode="json") | {"execution": execution} | others)


def test_a_training_has_a_gpu_and_memory_for_each_process_and_other_jobs_have_what_they_had():
    for rule in ("train_preference_model", "train_distilled", "train_introspection", "train_aligned", "train_shuffled"):
        assert processes(rule, spread()) == gpus(rule, spread(), ["llama"]) == 4
    assert processes("generate_responses", spread()) == gpus("generate_responses", spread(), ["llama"]) == 1
    assert gpus("generate_responses", spread(execution={"jobs": {"gpus": 2}}), ["llama"]) == 2
    assert gpus("train_distilled", spread(execution={"device": "cpu"}), ["llama"]) == 0
    assert memory_mb(JOBS, 270, processes=4) == 4 * memory_mb(JOBS, 270)


def test_grpo_trains_in_one_process():
    grpo = spread(alignment={"method": "grpo"})
    assert [processes(rule, grpo) for rule in ("train_aligned", "train_shuffled", "train_distilled")] == [1, 1, 4]
    assert gpus("train_aligned", grpo, ["llama"]) == 1


def test_a_job_that_asks_a_model_of_vllm_has_the_gpus_that_it_is_split_over():
    source = {"source": "hub:some/model@main"}
    models = {"models": {"llama": source, "teacher": source | {"engine": "vllm"}}}
    split = {"vllm": {"tensor_parallel_size": 4}, "training": {"processes": 2}}
    settings = spread(execution=split, **models)
    asked = {names: gpus("generate_responses", settings, names) for names in [("llama",), ("llama", "teacher")]}
    assert asked == {("llama",): 1, ("llama", "teacher"): 4}
    assert gpus("train_distilled", settings, ["teacher"]) == 2
    on_cpus = spread(execution=split | {"device": "cpu"}, **models)
    assert gpus("generate_responses", on_cpus, ["teacher"]) == 0


@pytest.mark.parametrize("field", ["memory_mb", "minutes", "max_minutes"])
def test_nothing_cannot_be_asked_for(field):
    with pytest.raises(ValueError, match=field):
        Jobs(**{field: 0})
