"""`make bench`: where the time of the demo went, stage by stage, and how much of it no model used.

Reads what the last `make demo` left in `benchmarks/` and in the store's records of work; it runs nothing.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ethos.times import stage_times
from ethos.work import read_work

RUN = "demo"


def main() -> None:
    stages = stage_times(Path("benchmarks"), RUN)
    if not stages:
        print("the demo was not run here; make demo first")
        return
    computed: Counter[str] = Counter()
    loaded: Counter[str] = Counter()
    for work in read_work(Path("store")):
        if work.run == RUN:
            # A training goes by the name of what it makes, other work by its rule and, where it has one, its arm.
            stage = f"train_{work.stage}" if work.kind.endswith(" training") else work.stage.partition(",")[0]
            computed[stage] += work.seconds
            loaded[stage] += work.load_seconds
    print(f"{'stage':28}{'wall':>9}{'model':>9}{'load':>9}{'other':>9}{'share of other':>16}")
    wall = sum(stage.seconds for stage in stages)
    rows = [(stage.rule, stage.seconds, computed[stage.rule], loaded[stage.rule]) for stage in stages]
    for name, seconds, model, load in [*rows, ("all", wall, computed.total(), loaded.total())]:
        other = seconds - model - load
        print(f"{name:28}{seconds:8.1f}s{model:8.1f}s{load:8.1f}s{other:8.1f}s{other / seconds:15.0%}")


if __name__ == "__main__":
    main()
