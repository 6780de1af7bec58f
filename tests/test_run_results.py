"""Reading what a run left."""

from __future__ import annotations

import re

import pytest

from ethos.errors import BadInput
from ethos.run_results import read_cells, read_stages
from tests.fake_results import build_run, fake_settings


@pytest.mark.parametrize("name", ["seed0/introspection.json", "responses.parquet", "seed0/aligned/history.json"])
def test_a_missing_file_is_told_in_one_line(tmp_path, name):
    build_run(tmp_path, fake_settings())
    missing = tmp_path / "smollm2" / "poeticism" / name
    missing.unlink()
    with pytest.raises(BadInput, match=f"^{re.escape(str(missing))}: does not exist; run the workflow"):
        read_cells(tmp_path, fake_settings())


def test_jobs_of_a_rule_are_added_up_and_the_highest_memory_kept(tmp_path):
    for place, rows in (("a", "2.5\t100.0\n"), ("b", "1.25\t300.5\n4.0\t-\n")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "train_aligned.tsv").write_text("s\tmax_rss\n" + rows)
    (stage,) = read_stages(tmp_path)
    assert (stage.rule, stage.jobs, stage.seconds, stage.memory) == ("train_aligned", 3, 7.75, 300.5)


def test_a_damaged_benchmark_is_told_in_one_line(tmp_path):
    (tmp_path / "train.tsv").write_text("nothing\n1\n")
    with pytest.raises(BadInput, match=r"train\.tsv: is not a benchmark of Snakemake"):
        read_stages(tmp_path)
