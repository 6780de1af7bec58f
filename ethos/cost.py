"""What jobs cost: what a plan adds up."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Cost:
    """What jobs cost: `calls` and `tokens` of all, everything else of what is to do.

    calls: different requests of each job. tokens: read and written. seconds: one job after another. disk: MB. money: in the
    currency of the prices. exact: whether the calls are counted, and not expected. measured: whether the time is by earlier
    work, and not by stated defaults.
    """

    jobs: int = 0
    jobs_to_do: int = 0
    calls: float = 0
    calls_to_do: float = 0
    tokens: float = 0
    tokens_to_do: float = 0
    trainings_to_do: float = 0
    seconds: float = 0
    gpu_hours: float = 0
    disk: float = 0
    money: float = 0
    exact: bool = True
    measured: bool = True

    def __add__(self, other: Cost) -> Cost:
        sums = {name: value + getattr(other, name) for name, value in vars(self).items()}
        both = {name: getattr(self, name) and getattr(other, name) for name in ("exact", "measured")}
        return Cost(**sums | both)

    def as_json(self) -> dict[str, Any]:
        return {name: value if isinstance(value, bool) else round(value, 3) for name, value in asdict(self).items()}

    def left_by_shards(self) -> Cost:
        """The cost of the job that puts together what its stage's shards have answered; what is to do is theirs."""
        return replace(self, calls_to_do=0, tokens_to_do=0, seconds=0, gpu_hours=0, disk=0, money=0, measured=True)
