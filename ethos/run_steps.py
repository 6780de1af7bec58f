"""The jobs of a run as Snakemake sees them: what each waits for, whether it must run, and what was edited since it last ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ethos.explain import edited_traits
from ethos.work import stage_of


@dataclass(frozen=True)
class Step:
    """One job.

    after: the places, in the list of steps, of those that it waits for. needed: whether it must run. benchmark: its time,
    ledger: what it asked, when it last ran. edited: the traits of its constitution that are others than then. otherwise:
    whether something besides them is, as a setting, a prompt, code or a file. unfinished: its stage's name in the records of work
    that did not end well.
    """

    rule: str
    wildcards: Mapping[str, str]
    after: tuple[int, ...] = ()
    needed: bool = True
    benchmark: Path | None = None
    ledger: Path | None = None
    edited: frozenset[str] = frozenset()
    otherwise: bool = False
    unfinished: str = ""

    @property
    def is_shard(self) -> bool:
        return "shard" in self.wildcards

    @property
    def stage(self) -> str:
        """The rule whose work this is."""
        return self.rule.removesuffix("_shard") if self.is_shard else self.rule


class Steps(Sequence[Step]):
    """The jobs of a run, in any order."""

    def __init__(self, steps: Sequence[Step]):
        self._steps = list(steps)

    def __getitem__(self, place):
        return self._steps[place]

    def __len__(self) -> int:
        return len(self._steps)

    @cached_property
    def order(self) -> list[int]:
        """The places of the steps, each behind those that it waits for."""
        depths: dict[int, int] = {}

        def depth(place: int) -> int:
            if place not in depths:
                depths[place] = 1 + max(map(depth, self[place].after), default=0)
            return depths[place]

        return sorted(range(len(self)), key=depth)

    @cached_property
    def edits(self) -> list[frozenset[str] | None]:
        """By place: the traits that were edited in the step or in what it stands on; None where something else was too."""
        found: list[frozenset[str] | None] = [None] * len(self)
        for place in self.order:
            step = self[place]
            edits = [found[before] for before in step.after]
            if not step.otherwise and None not in edits:
                found[place] = step.edited.union(*(edit for edit in edits if edit))
        return found

    @cached_property
    def first(self) -> dict[str, int]:
        """By rule: the place of the job that asks, or has asked, what is equal in all of them."""
        places = {step.rule: place for place, step in reversed(list(enumerate(self)))}
        return places | {step.rule: place for place, step in enumerate(self) if step.ledger and not step.needed}

    def settled(self, place: int) -> bool:
        """Whether nothing that the step reads will be made anew; of its shards it reads nothing."""
        return not any(self[before].needed for before in self[place].after if not self[before].is_shard)

    def longest_path(self, seconds: Sequence[float]) -> tuple[float, list[int]]:
        """The chain of steps that takes longest, and its time. seconds: of each step, by place."""
        ends: dict[int, float] = {}
        before: dict[int, int | None] = {}
        for place in self.order:
            before[place] = max(self[place].after, key=ends.__getitem__, default=None)
            ends[place] = seconds[place] + (ends[before[place]] if before[place] is not None else 0.0)
        path: list[int] = []
        place = max(ends, key=ends.__getitem__, default=None)
        total = ends[place] if place is not None else 0.0
        while place is not None:
            path.insert(0, place)
            place = before[place]
        return total, path


def steps_of(dag: Any) -> Steps:
    """The steps of Snakemake's DAG, those that need not run included."""
    jobs = [job for job in dag.jobs if job.benchmark]  # others are names of targets
    places = {job: place for place, job in enumerate(jobs)}
    return Steps([_step(dag, job, tuple(places[before] for before in dag.dependencies[job])) for job in jobs])


def _step(dag: Any, job: Any, after: tuple[int, ...]) -> Step:
    needed, ledger = dag.needrun(job), Path(str(job.output.get("used", "")))
    edited = _edits(dag, job) if needed else frozenset()
    return Step(
        job.rule.name,
        {name: str(value) for name, value in job.wildcards_dict.items()},
        after,
        needed,
        Path(str(job.benchmark)),
        ledger if ledger.is_file() else None,
        edited or frozenset(),
        edited is None,
        stage_of(str(ledger)),
    )


def _edits(dag: Any, job: Any) -> frozenset[str] | None:
    """The traits that were edited since a job last ran; None where something else was. Nothing, for one that never ran.

    Snakemake stops at the first reason why a job must run; here all count.
    """
    kept = dag.workflow.persistence
    if not any(Path(str(path)).is_file() for path in job.output):
        return frozenset()
    reason = dag.reason(job)
    if (
        reason.updated_input
        or not kept.has_metadata(job)
        or any(kept.input_changed(job))
        or any(kept.code_changed(job))
    ):
        return None
    change = kept.params_changed(job)
    try:
        return edited_traits(change.only_old, change.only_new)
    except (KeyError, TypeError, ValueError):  # a record of an earlier Ethos
        return None
