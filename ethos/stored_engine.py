"""An engine that asks the store first and loads its model only for what is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

from ethos.engine import Completion, Engine, Request, Score, ScoreRequest
from ethos.execution import device, execution, store_folder
from ethos.files import canonical_json, sha256_of_text
from ethos.fingerprint import file_fingerprint
from ethos.models import adapter_identity, read_identity
from ethos.progress import Progress
from ethos.store import CompletionStore

log = logging.getLogger("ethos.engine")

# What decides an answer besides the request and the weights.
_ENGINE_FILES = ("transformers_engine.py", "decoding.py", "sampler.py", "loading.py")


@cache
def _engine_version() -> list[str]:
    """Code and libraries of the embedded engine; another version may answer the same request otherwise."""
    here = Path(__file__).parent
    return [*(file_fingerprint(here / name) for name in _ENGINE_FILES), version("torch"), version("transformers")]


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
                [_engine_version(), facts["content"], self.dtype, [adapter_identity(path) for path in adapters]]
            )
        )
        self.name = facts["name"]
        self.store = CompletionStore(store_folder())
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
        if answers:
            log.info(f"{self.stage} ({self.name}): {len(answers)} of {len(set(keys))} found in the store")
        if missing:
            self._ask(missing, answers, method, tokens_of)
        return [answers[key] for key in keys]

    def _ask(self, missing: dict, answers: dict, method: Callable, tokens_of: Callable) -> None:
        names = list(missing)
        progress = Progress(f"{self.stage} ({self.name})", len(names))
        with self.store.writer(model=self.key, stage=self.stage) as writer:

            def keep(index: int, answer) -> None:
                answers[names[index]] = answer
                writer.add(names[index], asdict(answer))
                progress.add(tokens_of(answer))

            method(self._loaded())(list(missing.values()), keep)

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
