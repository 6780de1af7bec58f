"""An engine that asks the store first and loads its model only for what is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ethos.budget import Meter
from ethos.engine import Completion, Engine, Request, Score, ScoreRequest
from ethos.execution import device, execution
from ethos.execution_settings import VLLM_VERSION, ApiLimits
from ethos.fingerprint import behaviour
from ethos.models import adapter_identity, read_identity
from ethos.steering import STEERING_FILES, SteeringVector
from ethos.stored_model import StoredModel

log = logging.getLogger("ethos.engine")

# What decides an answer besides the request and the weights.
ENGINE_FILES = (
    "transformers_engine.py",
    "attention.py",
    "chat_format.py",
    "decoding.py",
    "loading.py",
    "packing.py",
    "reading.py",
    "sampler.py",
    "thinking.py",
)
VLLM_FILES = ("vllm_engine.py", "chat_format.py", "loading.py", "thinking.py")


@cache
def _engine_version() -> dict[str, Any]:
    """Code and libraries of the embedded engine; another version may answer the same request otherwise."""
    libraries = {name: version(name) for name in ("torch", "transformers")}
    return {"code": behaviour("engine", ENGINE_FILES), "libraries": libraries}


@cache
def _vllm_version() -> dict[str, Any]:
    """The same of vLLM's, and of what makes its tokens."""
    libraries = {"vllm": VLLM_VERSION, "transformers": version("transformers")}
    return {"code": behaviour("vllm engine", VLLM_FILES), "libraries": libraries}


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
        # vLLM adds nothing to activations, and one adapter at a time: the rest is the embedded engine's work.
        wanted, is_plain = self.facts.get("engine", "transformers"), not steering and len(self.adapters) <= 1
        self.engine = "api" if "api" in self.facts else wanted if is_plain else "transformers"
        described = {"api": self._as_endpoint, "vllm": self._as_vllm, "transformers": self._as_embedded}
        super().__init__(kept | described[self.engine](), stage=stage)

    def _weights(self) -> dict[str, Any]:
        return {"dtype": self.facts["dtype"], "adapters": [adapter_identity(path) for path in self.adapters]}

    def _as_vllm(self) -> dict[str, Any]:
        return {"kind": "vllm", **self._weights(), **_vllm_version()}

    def _as_embedded(self) -> dict[str, Any]:
        return {
            "kind": "transformers",
            **self._weights(),
            # Without one, a model is what it always was.
            **({"steering": [self.steering.identity, behaviour("steering", STEERING_FILES)]} if self.steering else {}),
            **_engine_version(),
        }

    def _as_endpoint(self) -> dict[str, Any]:
        # What else an endpoint calls by another name, or has no seed for, is the same request.
        request = self.facts["api"].get("request", {})
        unsaid = sorted(name for name, called in request.items() if called is None and name != "seed")
        return {"kind": "api", "version": API_VERSION, **({"left out": unsaid} if unsaid else {})}

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """Completions in the order of the requests."""
        if self.engine != "vllm":  # the others are not held to `choices`, so they are not part of what is asked
            requests = [replace(request, choices=()) for request in requests]
        return self._answer(
            "generate", requests, Completion, lambda answer: (answer.prompt_tokens, answer.completion_tokens)
        )

    def score(self, requests: Sequence[ScoreRequest]) -> list[Score]:
        """Scores in the order of the requests."""
        return self._answer("score", requests, Score, lambda answer: (0, answer.tokens))

    @property
    def _is_served(self) -> bool:
        return self.engine == "vllm"

    def _where(self) -> str:
        return "api" if self.engine == "api" else self._device()

    def _device(self) -> str:
        return device(execution().vllm.tensor_parallel_size if self.engine == "vllm" else 1)

    def _load(self) -> Engine:
        if self.engine == "api":
            return self._connect()
        added = [f"{len(self.adapters)} adapters"] if self.adapters else []
        added += ["a steering vector"] if self.steering else []
        log.info(f"{self.stage}: loading {self.name}" + (f" with {' and '.join(added)}" if added else ""))
        computed = {
            "dtype": self.facts["dtype"],
            "device": self._device(),
            "batch_size": execution().batch_size,
            "trust_remote_code": self.facts["trust_remote_code"],
            **self.chat,
        }
        # Modules that load torch; only when something is missing.
        if self.engine == "vllm":
            from ethos.vllm_engine import VllmEngine

            return VllmEngine(self.folder, adapter=next(iter(self.adapters), None), **computed)
        from ethos.transformers_engine import TransformersEngine
        from ethos.vllm_server import end_servers

        end_servers()  # to have the GPU
        return TransformersEngine(self.folder, adapters=self.adapters, steering=self.steering, **computed)

    def _connect(self) -> Engine:
        from ethos.api_engine import ApiEngine

        limits = execution().api.get(self.name, ApiLimits())
        return ApiEngine(self.name, **self.facts["api"], limits=limits, thinking_tags=self.facts["thinking_tags"])

    def _call(self, kind: str, requests: Sequence[Any], keep: Callable[[int, Any], None], meter: Meter) -> None:
        if self.engine == "api" and kind == "generate":
            self._model.generate(requests, keep, meter.may_buy)
        else:
            super()._call(kind, requests, keep, meter)
