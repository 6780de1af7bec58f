"""The run's budget (`execution.budget`): what was used of it, and a stop before more is used than it allows.

Used is what the store's records say of this run: of finished requests and trainings, whichever start of the run made them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ethos.errors import BadInput
from ethos.execution import execution, run_name, store_folder
from ethos.execution_settings import ApiLimits, Budget, Execution
from ethos.work import Work, read_work

_MILLION = 1_000_000


@dataclass(frozen=True)
class Use:
    """What was or will be used; fields as in `Budget`."""

    tokens: float = 0
    hours: float = 0
    gpu_hours: float = 0
    money: float = 0

    def __add__(self, other: Use) -> Use:
        return Use(**{name: value + getattr(other, name) for name, value in asdict(self).items()})


def use_of(
    model: str,
    device: str,
    settings: Execution,
    *,
    seconds: float = 0,
    prompt_tokens: float = 0,
    written_tokens: float = 0,
) -> Use:
    """What work with a model comes to. device: as in `Work`."""
    money = 0.0
    if device == "api":
        prices = settings.api.get(model, ApiLimits())
        money = (prompt_tokens * prices.prompt_price + written_tokens * prices.completion_price) / _MILLION
    hours = seconds / 3600
    gpus = max(1, settings.gpus) if device == "cuda" else 0
    return Use(prompt_tokens + written_tokens, hours, gpus * hours, money)


def used(works: Iterable[Work], run: str, settings: Execution) -> Use:
    """What a run has used, by the records of work."""
    total = Use()
    for work in works:
        if work.run == run:
            seconds = work.seconds + work.load_seconds
            tokens = {"prompt_tokens": work.prompt_tokens, "written_tokens": work.completion_tokens}
            total += use_of(work.model, work.device, settings, seconds=seconds, **tokens)
    return total


def refuse_beyond(budget: Budget, before: Use, more: Use, what: str) -> None:
    """Raise BadInput where more would pass a limit, or where a limit is reached already. what: needs more."""
    for name, limit in budget.model_dump(exclude_none=True).items():
        so_far, further = getattr(before, name), getattr(more, name)
        if so_far >= limit or so_far + further > limit:
            takes = f"about {spell_amount(further)}" if further else "more"
            raise BadInput(
                f"{spell_amount(so_far)} of {spell_amount(limit)} are used, and {what} takes {takes}. Nothing is lost: raise it, "
                "and run again",
                field=f"execution.budget.{name}",
            )


def spell_amount(amount: float) -> str:
    """`12,345` or `1.25`; small ones to three digits."""
    return f"{amount:,.0f}" if amount >= 100 or amount == int(amount) else f"{amount:.3g}"


class Meter:
    """Watches a job's work with one model. It knows what was on record when it began, not what others do at the same time.

    kind, stage, model, device: as in `Work`. Raises BadInput where a limit is reached already, or where a training of the
    mean length of earlier ones would pass it.
    """

    def __init__(self, kind: str, stage: str, model: str, device: str):
        self.settings = execution()
        self.stage, self.model, self.device = stage, model, device
        self.limited = bool(self.settings.budget.model_dump(exclude_none=True))
        works = read_work(store_folder()) if self.limited else []
        self.before = used(works, run_name(), self.settings)
        like_this = (kind, model, device)
        earlier = [work.seconds for work in works if (work.kind, work.model, work.device) == like_this]
        self.read = self.written = 0
        self.started = time.monotonic()
        self._check(sum(earlier) / len(earlier) if earlier and kind.endswith(" training") else 0.0)

    def add(self, read: int, written: int) -> None:
        """Count the tokens of an answer that is kept. Raises BadInput where they, or the time, pass a limit."""
        self.read, self.written = self.read + read, self.written + written
        self._check(time.monotonic() - self.started)

    def _check(self, seconds: float) -> None:
        if self.limited:
            tokens = {"prompt_tokens": self.read, "written_tokens": self.written}
            more = use_of(self.model, self.device, self.settings, seconds=seconds, **tokens)
            refuse_beyond(self.settings.budget, self.before, more, self.stage)


def within_budget(limits: ApiLimits, model: str, spent: tuple[int, int]) -> ApiLimits:
    """The limits of a model behind an endpoint, no wider than what the run's budget leaves.

    spent: tokens read and written that were ever bought of it, by any run: what the limits count.
    """
    settings = execution()
    budget, before = settings.budget, used(read_work(store_folder()), run_name(), settings)
    ever = use_of(model, "api", settings, prompt_tokens=spent[0], written_tokens=spent[1])
    tightened = {}
    for name, limit in (("tokens", budget.tokens), ("money", budget.money)):
        if limit is not None:
            left = getattr(ever, name) + limit - getattr(before, name)
            own = getattr(limits, f"max_{name}")
            tightened[f"max_{name}"] = left if own is None else min(own, left)
    return limits.model_copy(update=tightened)
