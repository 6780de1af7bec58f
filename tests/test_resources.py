"""A job asks for enough, and for more each time."""

from __future__ import annotations

import pytest

from ethos.arms import ARMS
from ethos.asks import most_tokens
from ethos.constitution import load_constitution
from ethos.counts import count
from ethos.execution_settings import Execution, Jobs
from ethos.resources import UNKNOWN_MODEL, finds_all_stored, gpus, memory_mb, minutes, processes, weights_mb
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
    assert weights_mb([prepared]) == UNKNOWN_MODEL


def test_only_the_first_attempt_of_a_job_with_gpus_is_left_to_the_store():
    asked = Execution(device="cuda", jobs={"store_first": True})
    assert [finds_all_stored(asked, attempt) for attempt in (1, 2)] == [True, False]
    assert not finds_all_stored(Execution(device="cpu", jobs={"store_first": True}), 1)
    assert not finds_all_stored(Execution(device="cuda"), 1)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_job_after_shards_is_first_tried_with_the_store_alone(device):
    asked = Execution(device=device, shards=2)
    assert [finds_all_stored(asked, attempt, after_shards=True) for attempt in (1, 2)] == [True, False]
    assert not finds_all_stored(asked, 1)


def spread(**others) -> Settings:
    execution = {"device": "cuda", "training": {"processes": 4}, **others.pop("execution", {})}
    return Settings.model_validate(PUBLISHED.model_dump(mode="json") | {"execution": execution} | others)


def test_a_training_has_a_gpu_and_memory_for_each_process_and_other_jobs_have_what_they_had():
    for rule in ("train_preference_model", "train_distilled", "train_introspection", "train_aligned", "train_shuffled"):
        assert processes(rule, spread()) == gpus(rule, spread()) == 4
    assert processes("generate_responses", spread()) == gpus("generate_responses", spread()) == 1
    assert gpus("generate_responses", spread(execution={"jobs": {"gpus": 2}})) == 2
    assert gpus("train_distilled", spread(execution={"device": "cpu"})) == 0
    assert memory_mb(JOBS, 270, processes=4) == 4 * memory_mb(JOBS, 270)


def test_grpo_trains_in_one_process():
    grpo = spread(alignment={"method": "grpo"})
    assert [processes(rule, grpo) for rule in ("train_aligned", "train_shuffled", "train_distilled")] == [1, 1, 4]
    assert gpus("train_aligned", grpo) == 1


@pytest.mark.parametrize("field", ["memory_mb", "minutes", "max_minutes"])
def test_nothing_cannot_be_asked_for(field):
    with pytest.raises(ValueError, match=field):
        Jobs(**{field: 0})
