"""An engine that asks the store first and loads its model only for what is missing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ethos.budget import within_budget
from ethos.engine import Completion, Engine, Request, Score, ScoreRequest
from ethos.execution import device, execution, store_folder
from ethos.execution_settings import ApiLimits
from ethos.fingerprint import behaviour
from ethos.models import adapter_identity, read_identity
from ethos.steering import STEERING_FILES, SteeringVector
from ethos.stored_model import StoredModel
from ethos.work import read_work

log = logging.getLogger("ethos.engine")

# What decides an answer besides the request and the weights.
ENGINE_FILES = (
    "transformers_engine.py",
    "attention.py",
    "decoding.py",
    "loading.py",
    "packing.py",
    "reading.py",
    "sampler.py",
    "thinking.py",
)


@cache
def _engine_version() -> dict[str, Any]:
    """Code and libraries of the embedded engine; another version may answer the same request otherwise."""
    libraries = {name: version(name) for name in ("torch", "transformers")}
    return {"code": behaviour("engine", ENGINE_FILES), "libraries": libraries}


# Of an endpoint's answers; none of our code is part of their keys, so that what was paid for stays.
API_VERSION = 1


class StoredEngine(StoredModel[Engine]):
    """A model that answers from the store where it can.

    identity: the `identity.json` of a prepared model, in the model's folder. adapters: PEFT folders, merged in order.
    steering: added to the activations. stage: the rule that asks, for progress lines and the store's books.
    """

    def __init__(
        self, identity: Path, *, stage: str, adapters: Sequence[Path] = (), steering: SteeringVector | None = None
    ):
        self.folder, self.adapters, self.steering = identity.parent, list(adapters), steering
        self.facts = read_identity(identity)
        self.chat = {name: self.facts[name] for name in ("template_options", "thinking_tags") if name in self.facts}
        kept = {"name": self.facts["name"], "content": self.facts["content"], **self.chat}
        super().__init__(kept | (self._as_endpoint() if "api" in self.facts else self._as_embedded()), stage=stage)

    def _as_embedded(self) -> dict[str, Any]:
        return {
            "kind": "transformers",
            "dtype": self.facts["dtype"],
            "adapters": [adapter_identity(path) for path in self.adapters],
            # Without one, a model is what it always was.
            **({"steering": [self.steering.identity, behaviour("steering", STEERING_FILES)]} if self.steering else {}),
            **_engine_version(),
        }

    def _as_endpoint(self) -> dict[str, Any]:
        return {"kind": "api", "version": API_VERSION}

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Completions in the order of the requests."""
        return self._answer(
            "generate", requests, Completion, lambda answer: (answer.prompt_tokens, answer.completion_tokens)
        )

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score]:
        """Scores in the order of the requests."""
        return self._answer("score", requests, Score, lambda answer: (0, answer.tokens))

    def _where(self) -> str:
        return "api" if "api" in self.facts else super()._where()

    def _load(self) -> Engine:
        if "api" in self.facts:
            return self._connect()
        added = [f"{len(self.adapters)} adapters"] if self.adapters else []
        added += ["a steering vector"] if self.steering else []
        log.info(f"{self.stage}: loading {self.name}" + (f" with {' and '.join(added)}" if added else ""))
        from ethos.transformers_engine import TransformersEngine  # loads torch; only when something is missing

        return TransformersEngine(
            self.folder,
            adapters=self.adapters,
            steering=self.steering,
            dtype=self.facts["dtype"],
            device=device(),
            batch_size=execution().batch_size,
            trust_remote_code=self.facts["trust_remote_code"],
            **self.chat,
        )

    def _connect(self) -> Engine:
        from ethos.api_engine import ApiEngine

        limits = execution().api.get(self.name, ApiLimits())
        bought = [work for work in read_work(store_folder()) if work.model == self.name and work.device == "api"]
        spent = sum(work.prompt_tokens for work in bought), sum(work.completion_tokens for work in bought)
        return ApiEngine(
            self.name,
            **self.facts["api"],
            limits=within_budget(limits, self.name, spent),
            thinking_tags=self.facts["thinking_tags"],
            spent=spent,
        )
