"""An engine that asks the store first and loads its model only for what is missing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from ethos.engine import Completion, Engine, Request, Score, ScoreRequest, Usage
from ethos.execution import device, execution, store_folder
from ethos.files import canonical_json, sha256_of_text
from ethos.models import adapter_identity, read_identity
from ethos.progress import Progress
from ethos.store import CompletionStore

log = logging.getLogger("ethos.engine")

# Counts towards the key of a completion: raise it when the embedded engine answers the same request otherwise.
_TRANSFORMERS_VERSION = "transformers/1"


class StoredEngine:
    """A model that answers from the store where it can.

    identity: the `identity.json` of a prepared model, in the model's folder. adapters: PEFT folders, merged in order.
    stage: the rule that asks, for progress lines and the store's books.
    """

    def __init__(self, identity: Path, *, stage: str, adapters: Sequence[Path] = ()):
        self.folder, self.adapters, self.stage = identity.parent, list(adapters), stage
        facts = read_identity(identity)
        self.dtype, self.trust_remote_code = facts["dtype"], facts["trust_remote_code"]
        self.key = sha256_of_text(
            canonical_json(
                [_TRANSFORMERS_VERSION, facts["content"], self.dtype, [adapter_identity(path) for path in adapters]]
            )
        )
        self.name = facts["name"]
        self.store = CompletionStore(store_folder())
        self.usage = Usage()
        self._engine: Engine | None = None

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Completions in the order of the requests."""
        return self._answer(
            requests, Completion, lambda engine: engine.generate, lambda answer: answer.completion_tokens
        )

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score]:
        """Scores in the order of the requests."""
        return self._answer(requests, Score, lambda engine: engine.score, lambda answer: answer.tokens)

    def close(self) -> None:
        """Free the model's memory."""
        self._engine = None

    def _answer(self, requests: Sequence, kind: type, method: Callable, tokens_of: Callable) -> list:
        keys = [request.key(self.key) for request in requests]
        answers = {key: kind(**answer) for key, answer in self.store.find(keys).items()}
        # Two equal requests are one call.
        missing = {key: request for key, request in zip(keys, requests, strict=True) if key not in answers}
        self.usage.found_in_store += len(set(keys)) - len(missing)
        if missing:
            self._ask(missing, answers, method, tokens_of)
        return [answers[key] for key in keys]

    def _ask(self, missing: dict, answers: dict, method: Callable, tokens_of: Callable) -> None:
        names = list(missing)
        progress = Progress(f"{self.stage} ({self.name})", len(names))
        started = time.monotonic()
        with self.store.writer(model=self.key, stage=self.stage) as writer:

            def keep(index: int, answer) -> None:
                answers[names[index]] = answer
                writer.add(names[index], asdict(answer))
                self.usage.calls += 1
                self.usage.tokens += tokens_of(answer)
                progress.add(tokens_of(answer))

            method(self._loaded())(list(missing.values()), keep)
        self.usage.seconds += time.monotonic() - started

    def _loaded(self) -> Engine:
        if self._engine is None:
            log.info(
                f"{self.stage}: loading {self.name}" + (f" with {len(self.adapters)} adapters" if self.adapters else "")
            )
            from ethos.transformers_engine import TransformersEngine  # loads torch; only when something is missing

            self._engine = TransformersEngine(
                self.folder,
                adapters=self.adapters,
                dtype=self.dtype,
                device=device(),
                batch_size=execution().batch_size,
                trust_remote_code=self.trust_remote_code,
            )
        return self._engine
