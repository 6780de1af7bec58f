"""What was really done is on record, and reads as one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ethos.files import write_json
from ethos.work import (
    Work,
    calls_by_stage,
    job_of,
    new_record,
    read_work,
    record_work,
    stage_of,
    unfinished_work,
)


def test_what_is_recorded_is_read_again_and_added_up(tmp_path):
    works = [Work("score", "rank_responses", "tiny", calls, 1.0, "cpu") for calls in (3, 4)]
    assert read_work(tmp_path) == []
    for work in works:
        record_work(new_record(tmp_path), work)
    assert read_work(tmp_path) == works  # newest last
    assert calls_by_stage(tmp_path) == {("rank_responses", "score"): 7}


def test_a_record_reads_as_one_line():
    generated = Work("generate", "sample_arms", "tiny", 32, 12.3, "cpu", 2.6, prompt_tokens=900, completion_tokens=2000)
    assert str(generated) == (
        "sample_arms (tiny): generate, 32 calls, in 12 s, loaded in 3 s, 900 prompt tokens, 2000 completion tokens, on cpu"
    )
    assert str(Work("dpo training", "aligned", "tiny", 1, 61, "cuda")) == (
        "aligned (tiny): dpo training, 1 call, in 1 min 01 s, on cuda"
    )


def test_a_record_that_is_written_anew_is_read_anew_and_may_be_left_out(tmp_path):
    record = new_record(tmp_path)
    for calls in (1, 2):
        work = Work("score", "rank_responses", "tiny", calls, 1.0, "cpu")
        record_work(record, work)
        assert read_work(tmp_path) == [work] and read_work(tmp_path, but=record) == []


def test_a_record_of_an_earlier_ethos_is_read(tmp_path):
    old = {"kind": "score", "stage": "a", "model": "tiny", "calls": 3, "seconds": 1.0, "device": "cpu"}
    write_json(tmp_path / "work" / f"{'0' * 32}.json", old)
    [work] = read_work(tmp_path)
    assert (work.calls, work.machine, work.engine, work.processes) == (3, "", "", 1)


def test_work_is_known_to_be_unfinished_until_its_stage_has_ended_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"store": str(tmp_path)}))
    whole = Path("results/demo/used/sample_arms.txt")
    shard = Path("results/demo/used/sample_arms.2-of-3.used")
    assert stage_of(str(whole)) == stage_of(str(shard)) != stage_of("results/other/used/sample_arms.txt")

    def work(calls: int) -> None:
        record_work(new_record(tmp_path), Work("score", "sample_arms", "tiny", calls, 1.0, "cpu"))

    def unfinished() -> list[int]:
        return sorted(work.calls for work in unfinished_work(tmp_path).get(stage_of(str(whole)), []))

    work(1)  # by hand
    with pytest.raises(ZeroDivisionError), job_of(whole):
        work(2)
        raise ZeroDivisionError
    with job_of(shard):
        work(3)
    with job_of(Path("results/other/used/sample_arms.txt")):
        work(4)
    assert unfinished() == [2, 3]
    with job_of(whole):
        work(5)
        assert unfinished() == [2, 3, 5]
    assert unfinished() == []
    assert sorted(work.calls for work in read_work(tmp_path)) == [1, 2, 3, 4, 5]
