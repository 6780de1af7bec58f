"""Progress of a training, in lines: step, loss, tokens/s, time left. Apart from training.py, so that a word changed here trains nothing again."""

from __future__ import annotations

import logging
import time

from transformers import TrainerCallback

from ethos.progress import spell_seconds

log = logging.getLogger("ethos.training")


class ProgressLines(TrainerCallback):
    """Logs a line every few seconds, and one at the end. name: what is trained."""

    def __init__(self, name: str, *, every: float = 5.0):
        self.name, self.every = name, every
        self.started = self.last = 0.0
        self.first = 0  # steps done before this process

    def on_train_begin(self, args, state, control, **kwargs):
        self.started = self.last = time.monotonic()
        self.first = state.global_step
        if self.first:
            log.info(f"{self.name} training: resumes at step {self.first}/{state.max_steps}")

    def on_log(self, args, state, control, logs=None, **kwargs):
        now = time.monotonic()
        done, total = state.global_step, state.max_steps
        if not logs or "loss" not in logs or (now - self.last < self.every and done < total):
            return
        self.last = now
        seconds = now - self.started
        parts = [f"{self.name} training: step {done}/{total}", f"loss {float(logs['loss']):.3f}"]
        parts += [f"{name} {float(logs[name]):.3f}" for name in ("reward", "kl") if name in logs]
        if "num_tokens" in logs:
            parts.append(f"{float(logs['num_tokens']) / seconds:.0f} tokens/s")
        parts.append(
            f"{spell_seconds(seconds / (done - self.first) * (total - done))} left"
            if done < total
            else f"in {spell_seconds(seconds)}"
        )
        log.info(", ".join(parts))
