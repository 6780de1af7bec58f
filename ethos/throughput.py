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
_Place = tuple[str, str, str]  # device, machine, engine


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
    """Where a model's work is done. device, engine: as in `Work`. weights: MB."""

    model: str
    device: str
    weights: int
    concurrency: int = 1
    engine: str = "transformers"


@dataclass
class Throughput:
    """Means of earlier work, that of the same rule first, then that of the model. Of several machines, that of the last one counts:
    nobody knows which one a job will get.

    works: records, of any model, newest last. trainings: `about.json` with the `model`'s name and the `examples` that were trained on,
    times the passes; None where that is not known; newest last.
    """

    works: Iterable[Work] = ()
    trainings: Iterable[dict[str, Any]] = ()
    # By rule (or none), kind and model: on which machine, newest last. Loads are a kind too.
    _known: dict[tuple[str, str, str], dict[_Place, _Sum]] = field(
        default_factory=lambda: defaultdict(dict), init=False
    )
    last_device: str = field(default="cpu", init=False)  # of work that was done here

    def __post_init__(self) -> None:
        for work in self.works:
            if work.device != "api":
                self.last_device = work.device
            for rule in (work.stage.partition(",")[0], ""):
                if work.calls:
                    done = work.calls, work.prompt_tokens, work.completion_tokens, work.seconds
                    self._add((rule, work.kind, work.model), work, done)
            if work.load_seconds:
                self._add(("", _LOAD, work.model), work, (1, 0, 0, work.load_seconds))

    def _add(self, what: tuple[str, str, str], work: Work, done: tuple[int, int, int, float]) -> None:
        places, place = self._known[what], (work.device, work.machine, work.engine)
        places[place] = places.pop(place, _Sum())
        places[place].add(*done)

    def _earlier(self, rule: str, kind: str, machine: Machine) -> _Sum:
        """The sum of earlier work of this rule, or of any, and kind on such a device; by the same engine, if that was ever asked."""
        places = self._known.get((rule, kind, on_record(kind, machine.model)), {})
        on_device = [place for place in places if place[0] == machine.device]
        same = [place for place in on_device if place[2] == machine.engine] or on_device
        return places[same[-1]] if same else _Sum()

    def tokens(self, rule: str, ask: Ask, machine: Machine) -> tuple[float, float]:
        """Tokens of one request, as records count them, wherever it was computed: of the prompt (0 for a score), and those written,
        scored or rewarded."""
        earlier = _Sum()
        for done in self._known.get((rule, ask.kind, on_record(ask.kind, machine.model)), {}).values():
            earlier.add(**vars(done))
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

    def training_seconds(self, training: Train, machine: Machine, processes: int = 1) -> tuple[float, bool]:
        """Time of a training in so many processes, and whether it is measured: by the example, where earlier ones told how many they
        had. Twice the processes are taken to need half the time."""
        earlier = [
            about
            for about in self.trainings
            if about["kind"] == training.kind
            and about["model"] == machine.model
            and about.get("device", machine.device) == machine.device
        ]
        earlier = [about for about in earlier if about.get("machine") == earlier[-1].get("machine")]
        spent = [about["seconds"] * about.get("processes", 1) / processes for about in earlier]
        if examples := sum(about["examples"] or 0 for about in earlier):
            counted = sum(seconds for seconds, about in zip(spent, earlier, strict=True) if about["examples"])
            return counted / examples * training.examples, True
        if earlier:
            return sum(spent) / len(earlier), True
        tokens = training.examples * training.tokens
        return seconds_of(tokens, machine.weights, gpus=int(machine.device == "cuda")) / processes, False


def on_record(kind: str, model: str) -> str:
    """What records call the model that answers requests of a kind."""
    return f"preference model of {model}" if kind == "reward" else model


def measured(store: Path) -> Throughput:
    """All that was measured with this store; a damaged training is left out."""
    names, trainings = model_names(store), []
    kept = (store / TRAININGS).glob(f"[!.]*/{TrainingStore.ABOUT}")
    for path in sorted(kept, key=lambda path: (path.stat().st_mtime_ns, path)):
        with suppress(BadInput, KeyError, TypeError, AttributeError):
            about, examples = read_json(path), path.parent / "examples.json"
            passes = about["ingredients"].get("settings", {}).get("epochs", 1)
            trained_on = read_json(examples)["trained_on"] * passes if examples.is_file() else None
            model = names.get(about["ingredients"]["base"], "")
            trainings.append({**about, "seconds": float(about["seconds"]), "model": model, "examples": trained_on})
    return Throughput(read_work(store), trainings)
