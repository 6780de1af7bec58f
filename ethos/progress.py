"""Progress of long work, in lines that read well in a log: stage, done/total, tokens/s, time left."""

from __future__ import annotations

import logging
import time

log = logging.getLogger("ethos.progress")


def spell_seconds(seconds: float) -> str:
    """`42 s`, `3 min 05 s` or `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Logs a line every few seconds, and one at the end."""

    def __init__(self, stage: str, total: int, *, every: float = 5.0):
        self.stage, self.total, self.every = stage, total, every
        self.done = self.tokens = 0
        self.started = self.last = time.monotonic()

    def add(self, tokens: int = 0) -> None:
        self.done += 1
        self.tokens += tokens
        now = time.monotonic()
        if self.done == self.total or now - self.last >= self.every:
            self.last = now
            log.info(self.line(now - self.started))

    def line(self, seconds: float) -> str:
        parts = [f"{self.stage}: {self.done}/{self.total}"]
        if self.tokens and seconds > 0:
            parts.append(f"{self.tokens / seconds:.0f} tokens/s")
        if self.done < self.total:
            parts.append(f"{spell_seconds(seconds / self.done * (self.total - self.done))} left")
        else:
            parts.append(f"in {spell_seconds(seconds)}")
        return ", ".join(parts)
