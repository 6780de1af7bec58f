"""Stages divided among jobs, through real Snakemake: the same bytes, each answer made once, and another number rebuilds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.files import read_json
from ethos.ledger import read_ledger
from ethos.run_status import plan_path
from ethos.shards import SHARDED
from ethos.work import calls_by_stage
from tests.conftest import Checkout
from tests.workflow.test_other_runs import planned

pytestmark = pytest.mark.slow
CELL = Path("results/test/tiny/poeticism")
RANKINGS = str(CELL / "rankings.parquet")
RESULTS = ("responses.parquet", "rankings.parquet", "pairs.parquet", "rankings.json")
LEDGERS = ("used/generate_responses.txt", "used/rank_responses.txt")


def set_shards(checkout: Checkout, before: int, number: int) -> None:
    given = [f"threads: 1\n  shards: {count} #" if count > 1 else "threads: 1 #" for count in (before, number)]
    checkout.edit("config/test.yaml", *given)


def test_any_number_of_shards_gives_the_same_bytes_and_changing_it_rebuilds_nothing(
    finished: Checkout, tmp_path: Path
) -> None:
    copy = finished.copy(tmp_path / "copy", "results", "logs", ".snakemake", "completions", "work")
    set_shards(copy, 1, 3)
    outcome = copy.snakemake(RANKINGS)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    for name in (*RESULTS, *LEDGERS):
        assert (copy.folder / CELL / name).read_bytes() == (finished.folder / CELL / name).read_bytes(), name
    # Every answer was made by one shard, and none by the stage.
    calls = calls_by_stage(copy.folder / "store")
    for stage, kind in (("generate_responses", "generate"), ("rank_responses", "score")):
        used = read_ledger(copy.folder / CELL / "used" / f"{stage}.txt")
        assert calls[stage, kind] == sum(entry.startswith("completion") for entry in used) > 0
        logs = {path.name: path.read_text() for path in (copy.folder / "logs/test/tiny/poeticism").glob(f"{stage}.*")}
        assert {name for name, text in logs.items() if f"{stage}: loading tiny" in text} == {
            f"{stage}.{number}-of-3.log" for number in (1, 2, 3)
        }
        assert f"{stage}.log" in logs
    assert not list(copy.folder.glob("results/**/*-of-*"))
    before = 3
    for number in (3, 1, 5):
        set_shards(copy, before, number)
        before = number
        (copy.folder / CELL / "responses.parquet").touch()
        outcome = copy.snakemake("-n", RANKINGS)
        assert "Nothing to be done" in outcome.stdout + outcome.stderr, number
    # What goes on from there counts no shards that never were.
    outcome = copy.snakemake(str(CELL / "rankers.json"))
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    jobs = read_json(copy.folder / plan_path("test"))
    assert {job["rule"] for job in jobs if job["needed"]} == {"compare_rankers"}
    assert not [job for job in jobs if "shard" in job["wildcards"]]


def test_every_divided_stage_waits_for_its_shards_and_none_is_divided_by_default(checkout: Checkout) -> None:
    whole = planned(checkout, "all", config="config.yaml")
    divided = planned(checkout, "all", "--config", "execution={shards: 2}", config="config.yaml")
    stages = {stage: whole[stage] for stage in SHARDED if stage in whole}
    assert len(stages) >= 5
    assert divided == whole | {f"{stage}_shard": 2 * count for stage, count in stages.items()}
