"""What the bench says of the demo is of the last time that each of its jobs ran, and stands under the job's own rule."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import pytest

from ethos.files import write_json
from ethos.work import Work
from tests.bench_demo import rule_of, work_of_last_jobs
from tests.conftest import ROOT
from tests.test_times import benchmark

ENDED = 1_000_000  # when the job of a benchmark did


def record(store: Path, number: int, work: Work, written: float) -> Work:
    write_json(path := store / "work" / f"{number}.json", asdict(work))
    os.utime(path, (written, written))
    return work


@pytest.mark.parametrize(
    ("kind", "stage", "rule"),
    [
        ("generate", "evaluate_stance, persona", "evaluate_stance"),
        ("dpo training", "distilled", "train_distilled"),
        ("reward training", "preference_model", "train_preference_model"),
        ("steering training", "steered", "find_steering_vector"),
    ],
)
def test_work_is_its_rules(kind: str, stage: str, rule: str) -> None:
    assert rule_of(Work(kind, stage, "smollm2", 1, 1.0, "cpu")) == rule
    assert any(f"rule {rule}:\n" in path.read_text() for path in (ROOT / "rules").glob("*.smk"))


def test_only_what_the_last_jobs_did_counts(tmp_path: Path) -> None:
    benchmark(tmp_path, "demo/smollm2/poeticism/rank_responses.tsv", (60.0, "300.0"))
    benchmark(tmp_path, "demo/smollm2/poeticism/seed0/train_distilled.tsv", (30.0, "300.0"), age=100)
    ranking = Work("score", "rank_responses", "smollm2", 9, 50.0, "cpu", run="demo")
    training = Work("dpo training", "distilled", "smollm2", 1, 25.0, "cpu", run="demo")
    last = [record(tmp_path, 1, ranking, ENDED - 1), record(tmp_path, 2, training, ENDED - 102)]
    record(tmp_path, 3, ranking, ENDED - 3600)  # of an earlier run
    record(tmp_path, 4, training, ENDED - 1)  # while another rule's job ran
    record(tmp_path, 5, Work("score", "rank_responses", "smollm2", 9, 50.0, "cpu", run="other"), ENDED - 1)
    found = work_of_last_jobs(tmp_path, tmp_path)
    assert dict(found) == dict(zip(("rank_responses", "train_distilled"), last, strict=True)) and len(found) == 2
