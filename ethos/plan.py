"""What a run will cost: calls, tokens, time, GPU-hours, disk and money of each stage, before anything runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from ethos.asks import Ask, Train
from ethos.budget import Use, money_of
from ethos.constitution import Constitution
from ethos.cost import Cost
from ethos.counts import Counts, count
from ethos.execution_settings import ApiLimits
from ethos.resources import found_mb, gpus, processes, weight_folders, weights_mb
from ethos.run_steps import Step, Steps
from ethos.settings import Settings
from ethos.throughput import START, Machine, Throughput, on_record
from ethos.times import benchmark_seconds
from ethos.work import Work
from ethos.workload import workload

_MILLION = 1_000_000
# MB of an adapter for each LoRA rank at eight billion parameters, in float32; it grows with the root of the model's size.
_ADAPTER, _EIGHT_BILLION = 10.5, 16_000
# Bytes of an answer in the store: for each token, and around it.
_TOKEN_BYTES, _ENTRY_BYTES = 5, 500


@dataclass(frozen=True)
class Plan:
    """stages: by rule, in the order in which they run. longest: time of the longest chain of jobs, and their rules. not_fetched:
    models whose size is not known yet; none where nothing is to do."""

    run: str
    stages: dict[str, Cost]
    longest: tuple[float, list[str]]
    not_fetched: Sequence[str] = ()

    @property
    def total(self) -> Cost:
        return sum(self.stages.values(), Cost())

    @property
    def use(self) -> Use:
        """What is to do, as a budget counts it."""
        total = self.total
        return Use(total.tokens_to_do, total.seconds / 3600, total.gpu_hours, total.money)

    def as_json(self) -> dict[str, Any]:
        """For programs; fields as in `Cost`."""
        stages = [{"stage": rule} | cost.as_json() for rule, cost in self.stages.items()]
        path = {"seconds": round(self.longest[0], 3), "stages": self.longest[1]}
        told = {"run": self.run, "stages": stages, "total": self.total.as_json(), "longest_path": path}
        return told | {"not_fetched": [*self.not_fetched]}


@dataclass(frozen=True)
class Planner:
    """What the costs of a run are told from.

    constitutions: by the name in results. drifted_to: those that drift measures. throughput: of earlier work. unfinished: work of
    jobs that did not end well, by stage, as from `unfinished_work`. results: folder of results.
    """

    settings: Settings
    constitutions: Mapping[str, Constitution]
    drifted_to: Mapping[str, Constitution] = field(default_factory=dict)
    throughput: Throughput = field(default_factory=Throughput)
    unfinished: Mapping[str, Sequence[Work]] = field(default_factory=dict)
    results: Path = Path("results")

    def plan(self, steps: Steps) -> Plan:
        """The costs of all steps, by stage."""
        counted = cache(self._counts)
        asked = self._asked_of_expected(steps, counted)
        costs = [Cost()] * len(steps)
        for place, step in enumerate(steps):
            if step.is_shard:
                continue  # told with its stage
            edits, settled = steps.edits[place], steps.settled(place)
            # Tables of other settings tell nothing; those of an edited constitution nearly all.
            counts = counted(*_cell(step), settled or edits is not None) if _cell(step) else None
            is_first = steps.first[step.rule] == place
            told = partial(
                self._cost, step, edits, counts, asked.get(step.rule, 1.0), settled=settled, is_first=is_first
            )
            costs[place] = told()
            if shards := step.needed and [before for before in step.after if steps[before].is_shard]:
                costs[place] = costs[place].left_by_shards() + Cost(seconds=START)
                for shard in shards:
                    costs[shard] = replace(told(parts=len(shards)), calls=0, tokens=0)
        stages: dict[str, Cost] = {}
        for place in steps.order:
            stage = steps[place].stage
            stages[stage] = stages.get(stage, Cost()) + costs[place]
        seconds, path = steps.longest_path([cost.seconds for cost in costs])
        longest = seconds, [steps[place].rule for place in path if steps[place].needed]
        not_fetched = self._not_fetched() if any(step.needed for step in steps) else []
        return Plan(self.settings.run, stages, longest, not_fetched)

    def _asked_of_expected(self, steps: Steps, counted: Callable[..., Counts]) -> dict[str, float]:
        """By rule: how many requests finished jobs made, of those that settings alone let expect; fixed numbers left out."""
        made: dict[str, float] = {}
        expected: dict[str, int] = {}
        for step in steps:
            if step.ledger and not step.needed and _cell(step):
                asks = [
                    ask
                    for ask in workload(step.rule, self.settings, counted(*_cell(step), False))
                    if isinstance(ask, Ask)
                ]
                fixed = sum(ask.calls for ask in asks if ask.source == "settings")
                made[step.rule] = made.get(step.rule, 0) + max(0, _calls_on_record(step.ledger) - fixed)
                expected[step.rule] = expected.get(step.rule, 0) + sum(ask.calls for ask in asks) - fixed
        return {rule: made[rule] / expected[rule] for rule in made if expected[rule]}

    def _counts(self, constitution: str, student: str | None, seed: str | None, use: bool) -> Counts:
        """use: whether to count in the tables that are there."""
        run = self.results / self.settings.run
        cell = run / str(student) / constitution
        tables = {
            "questions": run / "questions" / f"{constitution}.parquet",
            "responses": cell / "responses.parquet",
            "samples": cell / f"seed{seed}" / "evaluations" / "samples.parquet",
        }
        there = {name: path for name, path in tables.items() if use and path.is_file()}
        return count(self.settings, self.constitutions[constitution], self.drifted_to.values(), **there)

    def _cost(
        self,
        step: Step,
        edits: frozenset[str] | None,
        counts: Counts | None,
        asked: float,
        *,
        settled: bool,
        is_first: bool,
        parts: int = 1,
    ) -> Cost:
        """asked: as from `_asked_of_expected`. settled: whether what the counts are from will stay. is_first: whether the step
        asks what is equal in all of its rule. parts: shards, of which this is one."""
        work = workload(step.rule, self.settings, counts) if counts else []
        cost, taken, done = Cost(jobs=1, jobs_to_do=int(step.needed)), 0, self._done(step)
        for item in work:
            share = self._new(step, edits, counts, "trained" if isinstance(item, Train) else item.part, is_first)
            name = step.wildcards["student"] if item.role == "student" else getattr(self.settings, item.role)
            machine = self._machines[name]
            if machine.device == "cuda":
                taken = max(1, taken, gpus(step.rule, self.settings, [name]), processes(step.rule, self.settings))
            if isinstance(item, Train):
                cost += self._of_training(item, machine, share)
            else:
                known = item.source in counts.known
                exact = share in (0, 1) and (item.source == "settings" or (known and settled))
                told = item if known else replace(item, calls=round(item.calls * asked))
                asked_of = item.kind, on_record(item.kind, name)
                stored = min(told.calls * share, done[asked_of])
                done[asked_of] -= stored
                left = (told.calls * share - stored) / parts
                cost += self._of_requests(step.rule, told, machine, left, parts, exact=exact and not stored)
        if step.needed:
            cost += Cost(
                seconds=START if work else _seconds_before(step), disk=self._fetched(step) + self._merged(step)
            )
            return replace(cost, gpu_hours=taken * cost.seconds / 3600)
        return _as_on_record(cost, step.ledger) if step.ledger else cost

    def _new(self, step: Step, edits: frozenset[str] | None, counts: Counts, part: str, is_first: bool) -> float:
        """The share of requests that are not known to be in the store, or asked by the first job of the rule."""
        if not step.needed or (part == "labelled" and not is_first):
            return 0.0
        if step.ledger is None or edits is None:
            return 1.0
        if not edits or part == "fixed":
            return 0.0
        if part == "trained" or (part == "told" and self.settings.responses.scope == "constitution"):
            return 1.0
        return min(1.0, len(edits) / len(counts.traits))

    def _done(self, step: Step) -> Counter[tuple[str, str]]:
        """What killed jobs of a step's stage have put into the store, by kind and model."""
        done: Counter[tuple[str, str]] = Counter()
        for work in self.unfinished.get(step.unfinished, ()):
            done[work.kind, work.model] += work.calls
        return done

    def _of_requests(self, rule: str, ask: Ask, machine: Machine, calls: float, parts: int, *, exact: bool) -> Cost:
        """calls: to do."""
        read, written = self.throughput.tokens(rule, ask, machine)
        each, measured = self.throughput.seconds(rule, ask, machine)
        models = max(1, ask.models / parts) if ask.models and calls else 0
        return Cost(
            calls=ask.calls,
            calls_to_do=calls,
            tokens=ask.calls * (read + written),
            tokens_to_do=calls * (read + written),
            seconds=calls * each + models * self.throughput.load_seconds(machine),
            disk=calls * (_ENTRY_BYTES + _TOKEN_BYTES * (written if ask.kind == "generate" else 0)) / _MILLION,
            money=money_of(machine.model, machine.device, calls * read, calls * written, self.settings.execution),
            exact=exact,
            measured=measured or not calls,
        )

    def _of_training(self, training: Train, machine: Machine, share: float) -> Cost:
        spread = self.settings.execution.training.of(training.kind)
        seconds, measured = self.throughput.training_seconds(training, machine, spread)
        rank = training.settings.lora.rank if training.settings else 0
        kept = 2 * training.adapters * _adapter_mb(rank, machine)  # in the store too
        return Cost(trainings_to_do=share, seconds=share * seconds, disk=share * kept, measured=measured or not share)

    @cached_property
    def _machines(self) -> dict[str, Machine]:
        """Where the work of each model is done; with `device: auto` and no GPUs asked for, where the last work was done."""
        execution = self.settings.execution
        device = execution.device
        if device == "auto":
            device = "cuda" if execution.gpus else self.throughput.last_device
        return {
            name: Machine(name, "api", 0, execution.api.get(name, ApiLimits()).concurrency)
            if model.is_api
            else Machine(name, device, weights_mb(weight_folders(self.settings, name)), engine=model.engine)
            for name, model in self.settings.models.items()
        }

    def _not_fetched(self) -> list[str]:
        models = self.settings.models.items()
        return [
            name for name, model in models if not model.is_api and not found_mb(weight_folders(self.settings, name))
        ]

    def _merged(self, step: Step) -> float:
        """MB of the persona that a step merges, whose rank is the sum of both; the store has none, and one that is there is
        written over."""
        if step.rule != "merge_persona" or step.ledger:
            return 0.0
        rank = self.settings.distillation.lora.rank + self.settings.introspection.lora.rank
        return _adapter_mb(rank, self._machines[step.wildcards["student"]])

    def _fetched(self, step: Step) -> float:
        """MB of the model that a step fetches."""
        folder = step.wildcards.get("folder")
        return sum(
            self._machines[name].weights for name, model in self.settings.models.items() if model.folder(name) == folder
        )


def _adapter_mb(rank: int, machine: Machine) -> float:
    return _ADAPTER * rank * math.sqrt(machine.weights / _EIGHT_BILLION)


def _seconds_before(step: Step) -> float:
    """What a job that runs no model took when it last ran."""
    return benchmark_seconds(step.benchmark) if step.benchmark and step.benchmark.is_file() else START


def _cell(step: Step) -> tuple[str, str | None, str | None] | None:
    """Constitution, student and seed of a step; nothing for one that is of no constitution."""
    own = step.wildcards
    return (own["constitution"], own.get("student"), own.get("seed")) if "constitution" in own else None


def _calls_on_record(ledger: Path) -> int:
    return sum(line.startswith(b"completion ") for line in ledger.read_bytes().splitlines())


def _as_on_record(cost: Cost, ledger: Path) -> Cost:
    """The cost of a job that need not run, with as many calls as it made when it ran."""
    calls = _calls_on_record(ledger)
    return replace(cost, calls=calls, tokens=cost.tokens * calls / cost.calls if cost.calls else 0.0, exact=True)
