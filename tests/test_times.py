"""The times of a run are the sums of what Snakemake measured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ethos.errors import BadInput
from ethos.times import StageTime, stage_times, times_table

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(folder: Path, name: str, *rows: tuple[float, str], age: int = 0) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + "".join(f"{seconds}\t0:00:00\t{memory}\t-\t-\t-\t-\t-\t-\t-\n" for seconds, memory in rows))
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return path


def test_the_jobs_of_a_rule_are_added_up_and_the_largest_memory_kept(tmp_path):
    benchmark(tmp_path, "demo/smollm2/humor/rank_responses.tsv", (10.5, "300.0"))
    benchmark(tmp_path, "demo/smollm2/candor/rank_responses.tsv", (20.0, "800.5"), (1.5, "400"))
    assert stage_times(tmp_path, "demo") == [StageTime("rank_responses", 2, 32.0, 800.5)]


def test_shards_count_as_jobs_of_their_stage(tmp_path):
    for name, seconds in (("rank_responses.1-of-2", 10.0), ("rank_responses.2-of-2", 11.0), ("rank_responses", 1.0)):
        benchmark(tmp_path, f"demo/smollm2/humor/{name}.tsv", (seconds, "300.0"))
    assert stage_times(tmp_path, "demo") == [StageTime("rank_responses", 3, 22.0, 300.0)]


def test_stages_come_in_the_order_in_which_they_ended(tmp_path):
    benchmark(tmp_path, "demo/write_report.tsv", (1.0, "10"), age=1)
    benchmark(tmp_path, "demo/models/smollm2/prepare_model.tsv", (2.0, "10"), age=9)
    benchmark(tmp_path, "demo/questions/humor/generate_questions.tsv", (3.0, "10"), age=5)
    benchmark(tmp_path, "other/write_report.tsv", (99.0, "10"))
    benchmark(tmp_path, "models/smollm2/prepare_model.tsv", (99.0, "10"))
    assert [(stage.rule, stage.seconds) for stage in stage_times(tmp_path, "demo")] == [
        ("prepare_model", 2.0),
        ("generate_questions", 3.0),
        ("write_report", 1.0),
    ]


@pytest.mark.parametrize("unknown", ["-", "NA"])
def test_a_job_too_short_to_be_measured_counts_with_no_memory(tmp_path, unknown):
    benchmark(tmp_path, "demo/write_report.tsv", (0.1, unknown))
    assert stage_times(tmp_path, "demo") == [StageTime("write_report", 1, 0.1, None)]


@pytest.mark.parametrize("text", ["", "a\tb\n1\t2\n", HEAD + "soon\t-\t-\n"])
def test_a_file_that_is_no_benchmark_is_refused_by_name(tmp_path, text):
    path = benchmark(tmp_path, "demo/write_report.tsv")
    path.write_text(text)
    with pytest.raises(BadInput, match="write_report.tsv: is not a benchmark of Snakemake"):
        stage_times(tmp_path, "demo")


def test_a_run_without_benchmarks_has_no_times(tmp_path):
    assert stage_times(tmp_path, "demo") == []


def test_the_table_adds_up():
    lines = times_table(
        [StageTime("sample_arms", 3, 90.0, 512.0), StageTime("write_report", 1, 30.0, 64.0)]
    ).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["sample_arms", "3", "1", "min", "30", "s", "75%", "512", "MiB"],
        ["write_report", "1", "30", "s", "25%", "64", "MiB"],
        ["all", "4", "2", "min", "00", "s", "100%", "512", "MiB"],
    ]
    assert len({len(line) for line in lines}) == 1
