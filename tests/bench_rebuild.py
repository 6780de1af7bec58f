"""`make bench`: what an edit costs: one trait of ten against a clean run, and a job that has nothing to do.

With the demo's model, in a fresh checkout under build/.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import yaml

from ethos.work import Work, read_work
from tests.conftest import Checkout
from tests.demo_model import ROOT, demo_model

TARGETS = ("questions/poeticism.parquet", "teacher/poeticism.parquet", "smollm2/poeticism/rankings.parquet")
SAMPLING = {"max_new_tokens": 96}


def settings() -> dict:
    """The demo with the published number of responses, and longer ones."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["models"]["smollm2"] = {"source": "path:build/tiny"}  # where a checkout has its model
    config["questions"] |= {"generated_per_trait": 5, "attempts": 2}
    config["responses"] |= {"per_question": 5, "sampling": SAMPLING}
    return config


def checkout_with(folder: Path, config: dict) -> Checkout:
    shutil.rmtree(folder, ignore_errors=True)
    checkout = Checkout.new(folder, demo_model())
    (folder / "config" / "bench.yaml").write_text(yaml.safe_dump(config))
    return checkout


def timed(checkout: Checkout, *arguments: str) -> float:
    started = time.perf_counter()
    outcome = checkout.snakemake(*arguments, config="config/bench.yaml")
    assert outcome.returncode == 0, outcome.stderr[-2000:]
    return time.perf_counter() - started


def work(checkout: Checkout) -> list[Work]:
    return read_work(checkout.folder / "store")


def tokens(records: list[Work]) -> int:
    return sum(record.completion_tokens for record in records)


def one_trait_of_ten() -> None:
    checkout = checkout_with(ROOT / "build" / "bench" / "trait", settings())
    targets = [f"results/demo/{target}" for target in TARGETS]
    clean = timed(checkout, *targets)
    before = work(checkout)
    path = checkout.folder / "constitutions" / "poeticism.yaml"
    path.write_text(path.read_text().replace("I answer every message", "I reply to every message", 1))
    edited = timed(checkout, *targets)
    calls = sum(record.calls for record in before)
    new = [record for record in work(checkout) if record not in before]
    print(
        f"one trait of ten, generation stages: {edited:.0f} s against {clean:.0f} s clean ({edited / clean:.0%}); "
        f"{tokens(new):,} tokens written or scored against {tokens(before):,} ({tokens(new) / tokens(before):.0%}); "
        f"{sum(record.calls for record in new):,} calls against {calls:,}",
        flush=True,
    )
    script = checkout.folder / "ethos" / "responses.py"
    script.write_text(script.read_text() + "\n\nLIMIT = 1\n")
    seconds = timed(checkout, *targets)
    assert [record for record in work(checkout) if record not in before + new] == []
    empty = timed(checkout, *targets)
    print(f"jobs whose work is all in the store: {(seconds - empty) / 3:.1f} s each (3 jobs, one after the other)")


if __name__ == "__main__":
    one_trait_of_ten()
