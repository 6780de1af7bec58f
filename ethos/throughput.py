"""How long and how many tokens a model's work takes: as measured on earlier occasions, by the store's records; else by stated defaults."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ethos.asks import Ask, Train
from ethos.errors import BadInput
from ethos.files import read_json
from ethos.resources import seconds_of
from ethos.store import TRAININGS, TrainingStore, model_names
from ethos.work import Work, read_work

# Seconds: of a job beside its models; of an answer of an endpoint.
START, API_ANSWER = 3.0, 5.0
# MB of weights that are read in a second.
_LOADED = 500
_LOAD = "load"


@dataclass
class _Sum:
    """What earlier work came to."""

    calls: int = 0
    prompt: int = 0
    written: int = 0
    seconds: float = 0.0

    def add(self, calls: int, prompt: int, written: int, seconds: float) -> None:
        self.calls, self.prompt = self.calls + calls, self.prompt + prompt
        self.written, self.seconds = self.written + written, self.seconds + seconds


@dataclass(frozen=True)
class Machine:
    """Where a model's work is done. device: `cpu`, `cuda`, `api`, or `auto` for either of the first two. weights: MB."""

    model: str
    device: str
    weights: int
    concurrency: int = 1

    def is_on(self, device: str) -> bool:
        return device == self.device or (self.device == "auto" and device != "api")


@dataclass
class Throughput:
    """Means of earlier work, that of the same rule first, then that of the model.

    works: records, of any model. trainings: `about.json` with the `model`'s name and the `examples` that were trained on,
    times the passes; None where that is not known.
    """

    works: Iterable[Work] = ()
    trainings: Iterable[dict[str, Any]] = ()
    # By rule (or none), kind, model and device; loads are a kind too.
    _known: dict[tuple[str, ...], _Sum] = field(default_factory=lambda: defaultdict(_Sum), init=False)

    def __post_init__(self) -> None:
        for work in self.works:
            for rule in (work.stage.partition(",")[0], ""):
                place = rule, work.kind, work.model, work.device
                self._known[place].add(work.calls, work.prompt_tokens, work.completion_tokens, work.seconds)
            if work.load_seconds:
                self._known["", _LOAD, work.model, work.device].add(1, 0, 0, work.load_seconds)

    def _earlier(self, rule: str, kind: str, machine: Machine) -> _Sum:
        """The sum of earlier work of this rule, or of any, and kind; without a call where there was none."""
        name = f"preference model of {machine.model}" if kind == "reward" else machine.model
        total = _Sum()
        for device in ("cpu", "cuda", "api"):
            if machine.is_on(device) and (found := self._known.get((rule, kind, name, device))):
                total.add(**vars(found))
        return total

    def tokens(self, rule: str, ask: Ask, machine: Machine) -> tuple[float, float]:
        """Tokens of one request, as records count them: of the prompt (0 for a score), and those written, scored or rewarded."""
        earlier = self._earlier(rule, ask.kind, machine)
        if not earlier.calls:
            return (0 if ask.kind == "score" else ask.prompt), ask.written
        return earlier.prompt / earlier.calls, min(earlier.written / earlier.calls, max(ask.longest, ask.written))

    def seconds(self, rule: str, ask: Ask, machine: Machine) -> tuple[float, bool]:
        """Time of one request, and whether it is measured."""
        for place in (rule, ""):
            earlier = self._earlier(place, ask.kind, machine)
            if done := ask.effort(earlier.prompt, earlier.written):
                return earlier.seconds / done * ask.effort(*self.tokens(rule, ask, machine)), True
        if machine.device == "api":
            return API_ANSWER / machine.concurrency, False
        return seconds_of(
            ask.effort(ask.prompt, ask.written), machine.weights, gpus=int(machine.device == "cuda")
        ), False

    def load_seconds(self, machine: Machine) -> float:
        """Time to load the model once."""
        if machine.device == "api":
            return 0.0
        earlier = self._earlier("", _LOAD, machine)
        return earlier.seconds / earlier.calls if earlier.calls else 1 + machine.weights / _LOADED

    def training_seconds(self, training: Train, machine: Machine) -> tuple[float, bool]:
        """Time of a training, and whether it is measured: by the example, where earlier ones told how many they had."""
        earlier = [
            about
            for about in self.trainings
            if about["kind"] == training.kind
            and about["model"] == machine.model
            and machine.is_on(about.get("device", machine.device))
        ]
        counted = [about for about in earlier if about["examples"]]
        if counted:
            each = sum(about["seconds"] for about in counted) / sum(about["examples"] for about in counted)
            return each * training.examples, True
        if earlier:
            return sum(about["seconds"] for about in earlier) / len(earlier), True
        tokens = training.examples * training.tokens
        return seconds_of(tokens, machine.weights, gpus=int(machine.device == "cuda")), False


def measured(store: Path) -> Throughput:
    """All that was measured with this store; a damaged training is left out."""
    names, trainings = model_names(store), []
    for path in sorted((store / TRAININGS).glob(f"[!.]*/{TrainingStore.ABOUT}")):
        with suppress(BadInput, KeyError, TypeError, AttributeError):
            about, examples = read_json(path), path.parent / "examples.json"
            passes = about["ingredients"].get("settings", {}).get("epochs", 1)
            trained_on = read_json(examples)["trained_on"] * passes if examples.is_file() else None
            model = names.get(about["ingredients"]["base"], "")
            trainings.append({**about, "seconds": float(about["seconds"]), "model": model, "examples": trained_on})
    return Throughput(read_work(store), trainings)
