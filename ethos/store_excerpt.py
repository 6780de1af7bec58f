"""The part of a store that some results stand on, as a store of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from ethos.errors import BadInput
from ethos.files import read_json
from ethos.machines import MACHINES
from ethos.segments import entry_of, is_sound, key_of, lines_of, segments_in
from ethos.store import COMPLETIONS, PROMPTS, TASKS, TRAININGS, TrainingStore, training_damage

_GONE = "which the results stand on, is no longer in the store as it was; remove the run's results and run again"


def excerpt(store: Path, entries: Iterable[str], folder: Path) -> dict[str, Path]:
    """The files of a store that holds these entries, what computed them, and no others, by their paths in it.

    entries: lines of ledgers; those of prepared models are left out. folder: for the files that are made here. Equal
    entries give equal files. Raises BadInput for an entry that is gone.
    """
    answers: dict[str, set[bytes]] = defaultdict(set)
    files: dict[str, Path] = {}
    machines: set[str] = set()
    for entry in sorted(entries):
        kind, *names = entry.split()
        if kind == "completion":
            answers[names[0]].add(names[1].encode())
        elif kind == "training":
            files |= _training(store, names[0])
            machines.add(read_json(files[f"{TRAININGS}/{names[0]}/{TrainingStore.ABOUT}"]).get("machine", ""))
        elif kind == "prompts":
            files |= _prepared(store, PROMPTS, names[0], "prompts.parquet")
        elif kind == "tasks":
            files |= _prepared(store, TASKS, names[0], "tasks.json")
    for model, keys in answers.items():
        place = f"{COMPLETIONS}/{model}"
        if (store / place / "model.json").is_file():
            files[f"{place}/model.json"] = store / place / "model.json"
        segment = files[f"{place}/archived.jsonl"] = folder / f"{model}.jsonl"
        lines = _answers(store / place, keys)
        segment.write_bytes(b"".join(lines))
        machines |= {entry_of(line).machine for line in lines}
    noted = {f"{MACHINES}/{name}.json" for name in machines if name}
    return files | {name: store / name for name in sorted(noted) if (store / name).is_file()}


def _prepared(store: Path, room: str, name: str, last: str) -> dict[str, Path]:
    """The files of a prepared folder. last: the one that was written when all others were."""
    kept = store / room / name
    if not (kept / last).is_file():
        raise BadInput(f"this folder of {room}, {_GONE}", path=kept)
    return {f"{room}/{name}/{path.name}": path for path in sorted(kept.iterdir())}


def _answers(folder: Path, keys: set[bytes]) -> list[bytes]:
    """The lines of these answers, by key."""
    found: dict[bytes, bytes] = {}
    for segment in segments_in(folder):
        for _, line in lines_of(segment):
            if is_sound(line) and key_of(line) in keys:
                found.setdefault(key_of(line), line)
    if lost := keys - found.keys():
        raise BadInput(f"the answer {min(lost).decode()[:16]} (of {len(lost)} such), {_GONE}", path=folder)
    return [line for _, line in sorted(found.items())]


def _training(store: Path, key: str) -> dict[str, Path]:
    kept = store / TRAININGS / key
    if damage := training_damage(kept):
        raise BadInput(f"{damage[0]}; this training, {_GONE}", path=kept)
    names = [TrainingStore.ABOUT, *read_json(kept / TrainingStore.ABOUT)["files"]]
    return {f"{TRAININGS}/{key}/{name}": kept / name for name in names}
