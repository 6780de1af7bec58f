"""A run stays within its budget: what it used is read from the records, and what comes next is refused before it passes a limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from weakref import WeakValueDictionary

import pytest

from ethos.api_engine import ApiEngine
from ethos.budget import Meter, Use, refuse_beyond, used
from ethos.engine import Request, Sampling, chat
from ethos.errors import BadInput
from ethos.execution_settings import ApiLimits, Budget, Execution
from ethos.files import write_json
from ethos.models import content_identity
from ethos.settings import ModelSource
from ethos.store import TrainingStore
from ethos.stored_engine import StoredEngine
from ethos.work import Work, new_record, read_work, record_work
from scripts.prepare_model import prepare_model
from tests.conftest import ROOT
from tests.endpoint import Endpoint, serving

FAR = {"prompt_price": 2, "completion_price": 10, "concurrency": 2}
PRICES = {"api": {"far": FAR}}


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes this process a job of a run with a budget; `max_...` limit the model behind an endpoint."""

    def start(run: str = "demo", **limits: float) -> None:
        far = {name: limit for name, limit in limits.items() if name.startswith("max_")}
        budget = {name: limit for name, limit in limits.items() if name not in far}
        execution = {"store": str(tmp_path / "store"), "device": "cpu", "batch_size": 4, "budget": budget}
        execution |= {"api": {"far": FAR | far}}
        monkeypatch.setenv("ETHOS_EXECUTION", json.dumps(execution))
        monkeypatch.setenv("ETHOS_RUN", run)
        monkeypatch.setattr("ethos.store._opened", {})
        monkeypatch.setattr("ethos.stored_model._loaded", WeakValueDictionary())

    return start


def requests(count: int) -> list[Request]:
    return [Request(chat(user=f"number {number}"), Sampling(max_new_tokens=20), seed=number) for number in range(count)]


def test_use_is_that_of_the_runs_own_records_by_where_it_was_done_and_at_the_prices_of_today():
    works = [
        Work("generate", "a", "near", 5, 1800, "cuda", 1800, 300, 200, run="demo"),
        Work("sft training", "b", "near", 1, 3600, "cpu", run="demo"),
        Work("dpo training", "b", "near", 1, 1800, "cuda", run="demo", processes=4),
        Work("generate", "c", "far", 5, 360, "api", 0, 1_000_000, 100_000, run="demo"),
        Work("generate", "a", "near", 5, 9999, "cuda", 0, 300, 200, run="other"),
        Work("generate", "a", "near", 5, 9999, "cuda", 0, 300, 200),
    ]
    found = used(works, "demo", Execution(device="cuda", jobs={"gpus": 2}, **PRICES))
    assert found == Use(tokens=1_100_500, hours=pytest.approx(2.6), gpu_hours=4, money=pytest.approx(3))


@pytest.mark.parametrize(
    ("before", "more", "said"),
    [
        (Use(tokens=90), Use(tokens=11), "execution.budget.tokens: 90 of 100 are used, and sample_arms takes about 11."),
        (Use(money=2.5), Use(), "execution.budget.money: 2.5 of 2.5 are used, and sample_arms takes more."),
        (Use(hours=0.5), Use(hours=1.25), "execution.budget.hours: 0.5 of 1.5 are used, and sample_arms takes about 1.25."),
    ],
)  # fmt: skip
def test_what_passes_a_limit_is_refused_in_one_line(before: Use, more: Use, said: str):
    with pytest.raises(BadInput) as error:
        refuse_beyond(Budget(tokens=100, hours=1.5, money=2.5), before, more, "sample_arms")
    assert str(error.value) == f"{said} Nothing is lost: raise it, and run again"


def test_what_speaks_against_the_numbers_is_said_before_what_to_do():
    with pytest.raises(
        BadInput, match=r" takes about 11\. Large is a guess\. Nothing is lost: raise it, and run again$"
    ):
        refuse_beyond(Budget(tokens=100), Use(tokens=90), Use(tokens=11), "all", but="Large is a guess.")


def test_what_fits_is_not_refused():
    refuse_beyond(Budget(tokens=100), Use(tokens=60, money=99), Use(tokens=40, hours=99), "all")
    refuse_beyond(Budget(), Use(tokens=10**12), Use(tokens=10**12), "all")


def test_a_training_that_is_likely_to_pass_the_limit_is_not_begun(job, tmp_path: Path):
    job(hours=1.5)
    record_work(new_record(tmp_path / "store"), Work("dpo training", "distilled", "base", 1, 3600, "cpu"))
    Meter(tmp_path / "store", "sft training", "introspection", "base", "cpu")  # of which nothing is known
    begun = []
    with pytest.raises(BadInput, match=r"execution.budget.hours: 1 of 1.5 are used, and distilled takes about 1\."):
        TrainingStore(tmp_path / "store").train_once(
            {"kind": "dpo", "base": "base"}, begun.append, tmp_path / "distilled"
        )
    assert begun == []
    job(run="other", hours=1.5)
    Meter(tmp_path / "store", "dpo training", "distilled", "base", "cpu")


def test_what_a_job_does_is_on_record_as_it_goes_and_jobs_beside_it_count_it(job, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("ethos.budget._EVERY", 0)
    job(tokens=100)
    one, other = (Meter(tmp_path / "store", "generate", stage, "near", "cpu") for stage in "ab")
    with one.running(2.0), other.running():
        one.add(20, 30)
        one.add(5, 5)
        [work] = read_work(tmp_path / "store")
        assert (work.calls, work.prompt_tokens, work.completion_tokens, work.load_seconds) == (2, 25, 35, 2.0)
        other.add(15, 15)
        with pytest.raises(BadInput, match=r"^execution.budget.tokens: 60 of 100 are used, and b takes about 50\."):
            other.add(10, 10)
    assert [work.calls for work in read_work(tmp_path / "store")] == [2, 2]  # each in one record


def test_a_models_own_limits_count_what_any_job_bought_of_it(job, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("ethos.budget._EVERY", 0)
    bought = Work("generate", "a", "far", 1, 1.0, "api", 0, 40, 10)
    job(max_tokens=100)
    record_work(new_record(tmp_path / "store"), bought)
    meter = Meter(tmp_path / "store", "generate", "b", "far", "api")
    with meter.running():
        meter.may_buy(25, 25)
        with pytest.raises(
            BadInput, match=r"^execution.api.far.max_tokens: bought 50 tokens, 0.00 in money; what comes next"
        ):
            meter.may_buy(25, 26)
        meter.add(10, 10)
        record_work(new_record(tmp_path / "store"), bought)  # by a job beside it
        meter.add(1, 1)
        with pytest.raises(BadInput, match=r"bought 122 tokens.* could pass max_tokens \(100\)"):
            meter.may_buy(0, 0)
    job(max_money=0.002)  # 102 read, and 32 written
    meter = Meter(tmp_path / "store", "generate", "b", "far", "api")
    meter.may_buy(100, 20)
    with pytest.raises(BadInput, match=r"^execution.api.far.max_money: "):
        meter.may_buy(1000, 100)


# A job as Snakemake starts it, which then waits to be killed.
JOB = """
import click, time
from ethos import script
from ethos.budget import Meter
from ethos.execution import store_folder

@click.command()
def main():
    with Meter(store_folder(), "generate", "a", "far", "api").running() as meter:
        meter.add(10, 10)
        print("begun", flush=True)
        time.sleep(60)

script.run(main)
"""


def test_a_job_that_is_told_to_end_leaves_its_record(job, tmp_path: Path):
    job()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", JOB], env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"begun\n" and read_work(tmp_path / "store") == []
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    [work] = read_work(tmp_path / "store")
    assert (work.calls, work.prompt_tokens, work.run) == (1, 10, "demo")


@pytest.mark.parametrize("concurrency", [1, 4])
def test_as_much_is_bought_as_the_limit_allows_however_many_are_asked_at_once(job, tmp_path: Path, concurrency: int):
    """Each answer costs 10 + 4 tokens, and could cost 2 + 20."""
    job(max_tokens=70)
    with serving(Endpoint()) as endpoint:
        limits = ApiLimits(concurrency=concurrency)
        engine = ApiEngine("far", model="big", url=endpoint.url, key="", limits=limits, thinking_tags=("<", ">"))
        meter = Meter(tmp_path / "store", "generate", "a", "far", "api")
        with (
            meter.running(),
            pytest.raises(BadInput, match=r"far.max_tokens: bought 56 tokens.* could pass max_tokens \(70\)"),
        ):
            engine.generate(
                requests(20),
                lambda index, answer: meter.add(answer.prompt_tokens, answer.completion_tokens),
                meter.may_buy,
            )
        assert len(endpoint.asked) == 4


def test_an_endpoint_is_sent_nothing_that_could_pass_the_runs_budget(job, tmp_path: Path):
    """Each answer costs 10 tokens to read at 2 and 4 to write at 10 a million, and could cost 2 + 20."""
    with serving(Endpoint()) as endpoint:
        identity = tmp_path / "store/models/far/identity.json"
        identity.parent.mkdir(parents=True)
        write_json(identity, prepare_model("far", ModelSource(source=f"api:big@{endpoint.url}"), identity.parent))
        job(money=0.00081)
        with pytest.raises(
            BadInput, match=r"^execution.budget.money: 0 of 0.00081 are used, and test takes about 0\.000"
        ):
            StoredEngine(identity, stage="test").generate(requests(40))
        assert 0 < len(endpoint.asked) < 40
        assert used(read_work(tmp_path / "store"), "demo", Execution(**PRICES)).money <= 0.00081
        bought = len(endpoint.asked)
        job(run="other", tokens=14 * bought)  # another run has a budget of its own
        with pytest.raises(BadInput):
            StoredEngine(identity, stage="test").generate(requests(40))
        assert bought < len(endpoint.asked) < 40
        job(hours=1e-9)
        bought = len(endpoint.asked)
        with pytest.raises(BadInput, match="execution.budget.hours"):
            StoredEngine(identity, stage="test").generate(requests(40))
        assert len(endpoint.asked) == bought
        job()
        assert len(StoredEngine(identity, stage="test").generate(requests(40))) == 40
        assert len(endpoint.asked) == 40  # what was paid for was kept, whatever stopped it


@pytest.mark.slow
def test_a_job_stops_at_the_limit_and_goes_on_where_it_was_once_that_is_raised(job, tmp_path: Path, tiny_model: Path):
    store = tmp_path / "store"
    identity = store / "models/tiny/identity.json"
    identity.parent.mkdir(parents=True)
    for path in tiny_model.iterdir():
        (identity.parent / path.name).symlink_to(path)
    facts = {"name": "tiny", "dtype": "float32", "trust_remote_code": False}
    write_json(identity, {**content_identity(identity.parent), **facts})
    job(tokens=200)
    with pytest.raises(BadInput, match=r"^execution.budget.tokens: 0 of 200 are used, and test takes about 2\d\d\."):
        StoredEngine(identity, stage="test").generate(requests(30))
    [work] = read_work(store)
    assert 0 < work.calls < 30 and work.run == "demo"
    with pytest.raises(BadInput, match="and test takes more"):
        StoredEngine(identity, stage="test").generate(requests(30))
    assert read_work(store) == [work]  # no model was asked
    job(tokens=20_000)
    StoredEngine(identity, stage="test").generate(requests(30))
    assert sum(work.calls for work in read_work(store)) == 30
