"""The run's budget (`execution.budget`): what was used of it, and a stop before more is used than it allows.

Used is what the store's records say of this run: of finished requests and trainings, whichever start of the run made them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ethos.errors import BadInput
from ethos.execution import execution, run_name
from ethos.execution_settings import Budget, Execution
from ethos.machines import note_machine
from ethos.work import Work, new_record, read_work, record_work

log = logging.getLogger("ethos.work")

_MILLION = 1_000_000
# Seconds between two writings of a record, and two readings of others'. What a job did in the last of them is not on record
# where it was killed outright, and jobs side by side don't know it of each other.
_EVERY = 5.0


@dataclass(frozen=True)
class Use:
    """What was or will be used; fields as in `Budget`."""

    tokens: float = 0
    hours: float = 0
    gpu_hours: float = 0
    money: float = 0

    def __add__(self, other: Use) -> Use:
        return Use(**{name: value + getattr(other, name) for name, value in asdict(self).items()})


def use_of(work: Work, settings: Execution) -> Use:
    """What work comes to, at the prices of today."""
    hours, gpus = (work.seconds + work.load_seconds) / 3600, 0
    if work.device == "cuda":
        gpus = work.processes if work.kind.endswith(" training") else max(1, settings.gpus)
    money = money_of(work.model, work.device, work.prompt_tokens, work.completion_tokens, settings)
    return Use(work.prompt_tokens + work.completion_tokens, hours, gpus * hours, money)


def money_of(model: str, device: str, prompt_tokens: float, written_tokens: float, settings: Execution) -> float:
    """What tokens cost; nothing but where a model is behind an endpoint. device: as in `Work`."""
    prices = settings.api.get(model) if device == "api" else None
    if prices is None:
        return 0.0
    return (prompt_tokens * prices.prompt_price + written_tokens * prices.completion_price) / _MILLION


def used(works: Iterable[Work], run: str, settings: Execution) -> Use:
    """What a run has used, by the records of work."""
    return sum((use_of(work, settings) for work in works if work.run == run), Use())


def refuse_beyond(budget: Budget, before: Use, more: Use, what: str, *, but: str = "") -> None:
    """Raise BadInput where more would pass a limit, or where a limit is reached already. what: needs more. but: what speaks
    against the numbers, a sentence."""
    for name, limit in budget.model_dump(exclude_none=True).items():
        so_far, further = getattr(before, name), getattr(more, name)
        if so_far >= limit or so_far + further > limit:
            takes = f"about {spell_amount(further)}" if further else "more"
            told = f"{spell_amount(so_far)} of {spell_amount(limit)} are used, and {what} takes {takes}."
            sentences = [told, but, "Nothing is lost: raise it, and run again"]
            raise BadInput(" ".join(filter(None, sentences)), field=f"execution.budget.{name}")


def spell_amount(amount: float) -> str:
    """`12,345` or `1.25`; small ones to three digits."""
    return f"{amount:,.0f}" if amount >= 100 or amount == int(amount) else f"{amount:.3g}"


class Meter:
    """Watches a job's work with one model, and keeps it on record as it goes.

    Every few seconds it writes the record anew, and reads what the jobs beside it have used.

    store: where records are. kind, stage, model, device, engine, processes: as in `Work`. Raises BadInput where a limit is reached
    already, or where a training of the mean length of earlier ones would pass it.
    """

    def __init__(
        self, store: Path, kind: str, stage: str, model: str, device: str, *, engine: str = "", processes: int = 1
    ):
        self.settings, self.store = execution(), store
        limits = self.settings.api.get(model) if device == "api" else None
        self.limits = {
            name: limit
            for name in ("max_tokens", "max_money")
            if limits and (limit := getattr(limits, name)) is not None
        }
        self.is_limited = bool(self.limits or self.settings.budget.model_dump(exclude_none=True))
        machine = "" if device == "api" else note_machine(store, device)
        place = {"machine": machine, "engine": engine, "processes": processes}
        self.work = Work(kind, stage, model, 0, 0.0, device, run=run_name(), **place)
        self._record = new_record(self.store)
        self._begun = time.monotonic()
        earlier = [
            other.seconds * other.processes / processes
            for other in self._look()
            if other.calls and (other.kind, other.model, other.device) == (kind, model, device)
        ]
        expected = sum(earlier) / len(earlier) if earlier and kind.endswith(" training") else 0.0
        self._refuse(replace(self.work, seconds=expected))

    @contextmanager
    def running(self, load_seconds: float = 0.0) -> Iterator[Meter]:
        """Time what is done in the block. load_seconds: spent on loading the model before."""
        self._begun = self._looked = time.monotonic()
        self.work = replace(self.work, load_seconds=load_seconds)
        try:
            yield self
        finally:
            self._time()
            if self.work.calls or self.work.seconds >= 1:  # what failed at once did nothing
                record_work(self._record, self.work)
                log.info(self.work)

    def count(self, prompt_tokens: int = 0, completion_tokens: int = 0) -> None:
        """Count a call that ended well."""
        self.work = replace(
            self.work,
            calls=self.work.calls + 1,
            prompt_tokens=self.work.prompt_tokens + prompt_tokens,
            completion_tokens=self.work.completion_tokens + completion_tokens,
        )

    def add(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Count an answer that is kept. Raises BadInput where all answers, or the time, pass a limit of the run."""
        self.count(prompt_tokens, completion_tokens)
        self._time()
        if time.monotonic() - self._looked >= _EVERY:
            record_work(self._record, self.work)
            self._look()
        if self.is_limited:
            self._refuse(self.work)

    def may_buy(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Raise BadInput where so many tokens more could pass a limit of the run, or of the model behind an endpoint."""
        if not self.is_limited:
            return
        prompt = self.work.prompt_tokens + prompt_tokens
        written = self.work.completion_tokens + completion_tokens
        self._refuse(replace(self.work, prompt_tokens=prompt, completion_tokens=written))
        ever = self.bought[0] + prompt, self.bought[1] + written
        could = {"max_tokens": sum(ever), "max_money": money_of(self.work.model, "api", *ever, self.settings)}
        for name, limit in self.limits.items():
            if could[name] > limit:
                raise BadInput(self._all_bought(name, limit), field=f"execution.api.{self.work.model}.{name}")

    def _all_bought(self, name: str, limit: float) -> str:
        tokens = self.bought[0] + self.work.prompt_tokens, self.bought[1] + self.work.completion_tokens
        money = money_of(self.work.model, "api", *tokens, self.settings)
        bought = f"{sum(tokens)} tokens, {money:.2f} in money"
        return (
            f"bought {bought}; what comes next could pass {name} ({limit:g}). Nothing is lost: raise it, and run again"
        )

    def _time(self) -> None:
        self.work = replace(self.work, seconds=round(time.monotonic() - self._begun, 3))

    def _look(self) -> list[Work]:
        """Read what others have done, and return it; nothing where nothing is limited."""
        self._looked = time.monotonic()
        works = read_work(self.store, but=self._record) if self.is_limited else []
        self.before = used(works, self.work.run, self.settings)
        same = [work for work in works if (work.model, work.device) == (self.work.model, "api")]
        self.bought = sum(work.prompt_tokens for work in same), sum(work.completion_tokens for work in same)
        return works

    def _refuse(self, work: Work) -> None:
        """Raise BadInput where this work passes what is left of the run's budget."""
        refuse_beyond(self.settings.budget, self.before, use_of(work, self.settings), self.work.stage)
