"""A judge in words on which of two is better: asked in both orders, in one strict format, with marks that no text can forge."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ethos.engine import Request
from ethos.files import sha256_of_text
from ethos.stored_engine import StoredEngine

_VERDICT = re.compile(r"\s*<answer>\s*([12])\s*</answer>\s*")
_VERDICTS = ("<answer>1</answer>", "<answer>2</answer>")


@dataclass(frozen=True)
class Verdict:
    """Whether the one won against the other: shown first, and shown second. None where the judge's reply can't be parsed."""

    once: bool | None
    again: bool | None

    @property
    def kind(self) -> str:
        """`decided`, `order_dependent` or `unparsed`."""
        if self.once is None or self.again is None:
            return "unparsed"
        return "decided" if self.once == self.again else "order_dependent"

    @property
    def score(self) -> float | None:
        """1 where the one won, 0 where the other did, 0.5 where that depends on the order; None where there is no verdict."""
        return None if self.kind == "unparsed" else (self.once + self.again) / 2


def parse_verdict(text: str) -> int | None:
    """1 or 2; None unless the whole reply is one answer in the format that was asked for."""
    match = _VERDICT.fullmatch(text)
    return int(match.group(1)) if match else None


def ask_in_both_orders(judge: StoredEngine, pairs: Iterable[tuple[Request, Request]]) -> tuple[list[Verdict], int]:
    """A verdict on each pair, and how many of the requests were too long for the judge.

    pairs: the request that shows the one first, and the request that shows it second.
    """
    completions = judge.generate([replace(request, choices=_VERDICTS) for pair in pairs for request in pair])
    said = [parse_verdict(completion.text) for completion in completions]
    verdicts = [
        Verdict(None if once is None else once == 1, None if again is None else again == 2)
        for once, again in zip(said[::2], said[1::2], strict=True)
    ]
    return verdicts, sum(completion.finish_reason == "too_long" for completion in completions)


def count_verdicts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Pairs by what was said of them."""
    counts = Counter(verdict.kind for verdict in verdicts)
    return {"pairs": len(verdicts)} | {kind: counts[kind] for kind in ("decided", "order_dependent", "unparsed")}


def mark(seed: int, *texts: str) -> str:
    """What marks off the texts of one request; none of them can know it."""
    return sha256_of_text("\x1f".join([str(seed), *texts]))[:8]
