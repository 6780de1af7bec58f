"""`make bench`: where the time of the demo went, stage by stage, and how much of it no model used.

Reads what the last `make demo` left in `benchmarks/` and in the store's records of work; it runs nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from ethos.files import read_json
from ethos.times import benchmark_seconds, stage_times
from ethos.work import Work

RUN = "demo"


def rule_of(work: Work) -> str:
    """A training goes by the name of what it makes, other work by its rule and, where it has one, its arm."""
    if work.kind == "steering training":
        return "find_steering_vector"
    return f"train_{work.stage}" if work.kind.endswith(" training") else work.stage.partition(",")[0]


def work_of_last_jobs(benchmarks: Path, store: Path) -> list[tuple[str, Work]]:
    """Each rule's records of work that were written while one of its jobs ran, the last time that this job did.

    Earlier runs left records too, and benchmarks that Snakemake wrote over.
    """
    times: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for path in (benchmarks / RUN).rglob("*.tsv"):
        ended = path.stat().st_mtime
        times[path.name.partition(".")[0]].append((ended - benchmark_seconds(path), ended))
    found = []
    for path in (store / "work").glob("[!.]*.json"):
        work, written = Work(**read_json(path)), path.stat().st_mtime
        rule = rule_of(work)
        if work.run == RUN and any(started <= written <= ended for started, ended in times[rule]):
            found.append((rule, work))
    return found


def main() -> None:
    stages = stage_times(Path("benchmarks"), RUN)
    if not stages:
        print("the demo was not run here; make demo first")
        return
    computed: Counter[str] = Counter()
    loaded: Counter[str] = Counter()
    for rule, work in work_of_last_jobs(Path("benchmarks"), Path("store")):
        computed[rule] += work.seconds
        loaded[rule] += work.load_seconds
    print(f"{'stage':28}{'wall':>9}{'model':>9}{'load':>9}{'other':>9}{'share of other':>16}")
    wall = sum(stage.seconds for stage in stages)
    rows = [(stage.rule, stage.seconds, computed[stage.rule], loaded[stage.rule]) for stage in stages]
    for name, seconds, model, load in [*rows, ("all", wall, computed.total(), loaded.total())]:
        other = seconds - model - load
        print(f"{name:28}{seconds:8.1f}s{model:8.1f}s{load:8.1f}s{other:8.1f}s{other / seconds:15.0%}")


if __name__ == "__main__":
    main()
