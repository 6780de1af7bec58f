"""A model that answers from the store where it can, and is loaded only for what is missing."""

from __future__ import annotations

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

from ethos.budget import Meter
from ethos.errors import BadInput
from ethos.execution import device, store_folder
from ethos.ledger import completion_line, note_used
from ethos.progress import Progress
from ethos.store import model_key, open_completions

log = logging.getLogger("ethos.engine")

Answer = TypeVar("Answer")
Model = TypeVar("Model")

# Loaded models by key and name, as long as somebody has one open; whoever asks for the same shares it.
_loaded: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()
# The model that was closed last: freed when another is loaded, so that asking for the same again loads nothing.
_closed: list[Any] = []


class Asked(Protocol):
    """A request; its key, given the model's, is that of its answer."""

    def key(self, model: str) -> str: ...


class StoredModel(ABC, Generic[Model]):
    """What the engine and the preference model share.

    facts: all that the answers depend on besides the request, and the model's `name`. stage: the rule that asks, for
    progress lines and the store's books. engine: what computes it, for the books.
    """

    engine = "transformers"

    def __init__(self, facts: dict[str, Any], *, stage: str):
        self.name, self.stage = facts["name"], stage
        self.key = model_key(facts)
        self.store = open_completions(store_folder(), facts)
        self._model: Model | None = None

    def close(self) -> None:
        """Let the model's memory be freed, at the latest when another is loaded."""
        if self._model is not None:
            _closed[:] = [self._model]
        self._model = None

    @abstractmethod
    def _load(self) -> Model:
        """The model itself; asked for once, when something is missing."""

    @property
    def _is_served(self) -> bool:
        """Whether a server computes the model; one that was ended is started again, and wants the memory for itself."""
        return False

    def _where(self) -> str:
        """What computed the answers, for the books."""
        return device()

    def _answer(
        self, kind: str, requests: Sequence[Asked], answer: type[Answer], tokens: Callable[[Answer], tuple[int, int]]
    ) -> list[Answer]:
        """The answers in the order of the requests.

        kind: the model's method that answers; it takes requests, and a function for each answer as it arrives. answer:
        the dataclass of an answer. tokens: of an answer, how many were read, and how many written or scored.
        """
        keys = [request.key(self.key) for request in requests]
        asked = dict(zip(keys, requests, strict=True))  # two equal requests are one call
        answers = {key: answer(**fields) for key, fields in self.store.find(asked)}
        if answers:
            log.info(f"{self.stage} ({self.name}): {len(answers)} of {len(asked)} found in the store")
        missing = {key: request for key, request in asked.items() if key not in answers}
        if missing:
            answers |= self._ask(kind, missing, tokens)
        note_used(completion_line(self.store.folder.name, key) for key in asked)
        return [answers[key] for key in keys]

    def _ask(self, kind: str, missing: Mapping[str, Asked], tokens: Callable) -> dict[str, Any]:
        meter = Meter(store_folder(), kind, self.stage, self.name, self._where(), engine=self.engine)
        load_seconds = self._ensure_loaded()
        keys, answers = list(missing), {}
        progress = Progress(f"{self.stage} ({self.name})", len(keys))
        with meter.running(load_seconds), self.store.writer(stage=self.stage, machine=meter.work.machine) as writer:

            def keep(index: int, answer: Any) -> None:
                fields = asdict(answer)
                self._refuse_no_number(fields)
                answers[keys[index]] = answer
                writer.add(keys[index], fields)
                read, written = tokens(answer)
                progress.add(written)
                meter.add(read, written)

            self._call(kind, list(missing.values()), keep, meter)
        return answers

    def _call(self, kind: str, requests: list[Asked], keep: Callable[[int, Any], None], meter: Meter) -> None:
        getattr(self._model, kind)(requests, keep)

    def _ensure_loaded(self) -> float:
        """Load the model if it is not; the seconds that took."""
        if self._model is None:
            self._model = _loaded.get((self.key, self.name))
        if self._model is None or self._is_served:
            _closed.clear()
        if self._model is not None:
            return 0.0
        started = time.monotonic()
        self._model = _loaded[self.key, self.name] = self._load()
        return round(time.monotonic() - started, 3)

    def _refuse_no_number(self, fields: Mapping[str, Any]) -> None:
        if any(isinstance(value, float) and not math.isfinite(value) for value in fields.values()):
            raise BadInput(
                "gives no number where it should; its training diverged, or its precision is too low", field=self.name
            )
