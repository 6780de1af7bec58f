"""What was really done is on record, and reads as one line."""

from __future__ import annotations

from ethos.work import Work, calls_by_stage, read_work, record_work


def test_what_is_recorded_is_read_again_and_added_up(tmp_path):
    works = [Work("score", "rank_responses", "tiny", calls, 1.0, "cpu") for calls in (3, 4)]
    assert read_work(tmp_path) == []
    for work in works:
        record_work(tmp_path, work)
    assert sorted(read_work(tmp_path), key=lambda work: work.calls) == works
    assert calls_by_stage(tmp_path) == {("rank_responses", "score"): 7}


def test_a_record_reads_as_one_line():
    generated = Work("generate", "sample_arms", "tiny", 32, 12.3, "cpu", 2.6, prompt_tokens=900, completion_tokens=2000)
    assert str(generated) == (
        "sample_arms (tiny): generate, 32 calls, in 12 s, loaded in 3 s, 900 prompt tokens, 2000 completion tokens, on cpu"
    )
    assert str(Work("dpo training", "aligned", "tiny", 1, 61, "cuda")) == (
        "aligned (tiny): dpo training, 1 call, in 1 min 01 s, on cuda"
    )
