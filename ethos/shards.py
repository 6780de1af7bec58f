"""Shards: jobs that each answer a share of what a stage asks, and write to the store alone (`execution.shards`).

The stage's own job then finds every answer there, loads no model, and writes the results: the same for any number of shards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, product
from operator import itemgetter
from typing import TypeVar

Item = TypeVar("Item")
Group = TypeVar("Group")

# The stages that are divided. Others ask little, or each thing they ask stands on what came before.
SHARDED = (
    "generate_responses",
    "generate_teacher_responses",
    "rank_responses",
    "generate_introspection",
    "sample_arms",
    "evaluate_preferences",
    "evaluate_capabilities",
    "sample_chat",
    "sample_robustness",
    "sample_prefill",
    "sample_generalisation",
    "evaluate_coherence",
)
PATTERN = r"\d+-of-\d+"
# What a stage waits for; see `wait_off_the_record`.
_WAITED_FOR = re.compile(rf"\.{PATTERN}\.used")


@dataclass(frozen=True)
class Shard:
    """One of `count`, from 1; the only one is the whole stage."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """`2-of-3`. Raises ValueError for any other text."""
        if re.fullmatch(PATTERN, text):
            number, count = map(int, text.split("-of-"))
            if 1 <= number <= count:
                return cls(number, count)
        raise ValueError(f"{text!r} is no shard; the second of three is 2-of-3")

    @property
    def is_part(self) -> bool:
        """Whether the stage has other shards too, so that this one has no results to write."""
        return self.count > 1

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Its share: every count-th item, so that a trait's, which lie together, go to all shards."""
        return items[self.number - 1 :: self.count]

    def of_each(self, groups: Sequence[Group], items: Sequence[Item]) -> list[tuple[Group, list[Item]]]:
        """Its share of the items of every group, in one piece, so that it loads the models of few groups."""
        pairs = list(product(groups, items))
        first, last = (len(pairs) * number // self.count for number in (self.number - 1, self.number))
        return [(group, [item for _, item in own]) for group, own in groupby(pairs[first:last], key=itemgetter(0))]


def mark_of(ledger: str, output: str) -> str:
    """The file that says that the shard `{shard}` is done. ledger: of the stage. output: the name of one of its outputs."""
    return f"{ledger.removesuffix('.txt')}.{{shard}}.{output}"


def wait_off_the_record() -> None:
    """Let a stage wait for its shards without having them as inputs on Snakemake's record, or another number would rerun it.

    Snakemake has no such input, nor a setting for it. Where its method is gone, a changed number of shards makes stages
    run again, and they find all in the store.
    """
    from snakemake.persistence import PersistenceBase

    recorded = getattr(PersistenceBase, "_input", None)
    if recorded is not None:
        PersistenceBase._input = lambda self, job: [
            path for path in recorded(self, job) if not _WAITED_FOR.search(path)
        ]
