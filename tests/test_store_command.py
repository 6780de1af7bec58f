"""People see what the store holds, learn of all damage, and drop only what no result needs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ethos.errors import BadInput
from ethos.files import sha256_of_text, write_json
from ethos.ledger import completion_line, model_line, prompts_line, training_line
from ethos.models import content_identity
from ethos.segments import segments_in
from ethos.store import CompletionStore, TrainingStore, open_completions
from ethos.store_command import store as command

TINY = {"name": "tiny", "content": "c"}
ADAPTED = {"name": "tiny", "content": "c", "adapters": ["a"]}


def key(name: str) -> str:
    return sha256_of_text(name)


def fill(store: Path, facts: dict, stage: str, *names: str) -> Path:
    completions = CompletionStore(open_completions(store, facts).folder, facts)
    with completions.writer(stage=stage) as writer:
        for name in names:
            writer.add(key(name), {"text": name})
    return writer.path


def prepare(store: Path, folder: str) -> Path:
    path = store / "models" / folder
    path.mkdir(parents=True)
    (path / "model.safetensors").write_text("weights")
    write_json(path / "identity.json", {**content_identity(path), "name": folder.partition("-")[0]})
    return path


def train(store: Path, **ingredients) -> Path:
    base = content_identity(store / "models" / "tiny-1")["content"]
    before = set((store / "trainings").glob("*"))
    TrainingStore(store).train_once(
        {"kind": "dpo", "base": base, **ingredients},
        lambda folder: (folder / "adapter_model.safetensors").write_text("adapter"),
        store.parent / "results" / "aligned",
    )
    (kept,) = set((store / "trainings").glob("*")) - before
    return kept


class Stored:
    """A store with something of everything, all of it of last week."""

    def __init__(self, folder: Path):
        self.folder = folder / "store"
        self.results = folder / "results"
        self.model, self.other_model = prepare(self.folder, "tiny-1"), prepare(self.folder, "other-2")
        self.training, self.other_training = train(self.folder, seed=0), train(self.folder, seed=1)
        self.mixed = fill(self.folder, TINY, "rank_responses", "a", "b", "c")
        self.unused = fill(self.folder, TINY, "generate_questions", "d")
        self.adapted = fill(self.folder, ADAPTED, "sample_arms, persona", "a")
        self.age(7)

    def age(self, days: float) -> None:
        then = time.time() - days * 24 * 3600
        for path in [*self.folder.rglob("*")]:
            os.utime(path, (then, then))

    def need(self, *entries: str, run: str = "demo") -> None:
        ledger = self.results / run / "tiny" / "used" / "rank_responses.txt"
        ledger.parent.mkdir(parents=True, exist_ok=True)
        ledger.write_text("".join(f"{entry}\n" for entry in entries))

    def entry(self, segment: Path, name: str) -> str:
        return completion_line(segment.parent.name, key(name))

    def files(self) -> set[Path]:
        return {path for path in self.folder.rglob("*") if path.is_file()}

    def run(self, *arguments: str) -> Result:
        outcome = CliRunner().invoke(command, [arguments[0], "--store", str(self.folder), *arguments[1:]])
        assert outcome.exception is None or isinstance(outcome.exception, SystemExit | BadInput), outcome.exception
        return outcome

    def drop(self, *arguments: str) -> Result:
        return self.run("drop", "--results", str(self.results), *arguments)


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return Stored(tmp_path)


def cells(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()]


# Show


def test_show_counts_by_model_and_stage(stored: Stored):
    rows = cells(stored.run("show").output)
    tiny, adapted = f"({stored.mixed.parent.name})", f"({stored.adapted.parent.name})"
    for row in (
        ["completions", "tiny", tiny, "rank_responses", "3", "0.0"],
        ["completions", "tiny", tiny, "generate_questions", "1", "0.0"],
        ["completions", "tiny", adapted, "sample_arms,", "persona", "1", "0.0"],
        ["trainings", "tiny", "dpo", "2", "0.0"],
        ["models", "tiny-1", "1", "0.0"],
        ["completions", "all", "5", "0.0"],
        ["store", "all", "9", "0.0"],
    ):
        assert row in rows


def test_without_a_command_it_shows(stored: Stored, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(stored.folder.parent)
    assert CliRunner().invoke(command, []).output == stored.run("show").output


def test_a_store_that_is_not_there_is_named(tmp_path: Path):
    outcome = CliRunner().invoke(command, ["show", "--store", str(tmp_path / "nothing")])
    assert isinstance(outcome.exception, BadInput) and "no such folder" in str(outcome.exception)


# Check


def test_a_sound_store_has_no_damage(stored: Stored):
    outcome = stored.run("check")
    assert (outcome.exit_code, outcome.output) == (0, f"{stored.folder}: 9 entries, no damage\n")


def test_a_torn_last_line_is_reported_and_is_no_damage(stored: Stored):
    stored.mixed.write_bytes(stored.mixed.read_bytes()[:-5])
    outcome = stored.run("check")
    assert outcome.exit_code == 0
    assert f"{stored.mixed}:3: torn by a killed job; skipped" in outcome.output


@pytest.mark.parametrize(
    ("path", "old", "new", "told"),
    [
        ("mixed", '"text":"b"', '"text":"x"', "{}:2: is not as it was written"),
        ("training/adapter_model.safetensors", "adapter", "adaptor", "{}: adapter_model.safetensors is not as"),
        ("training/about.json", '"seed": 0', '"seed": 2', "{}: about.json is of another training"),
        ("model/model.safetensors", "weights", "heights", "{}: model.safetensors is not as it was written"),
        ("model/identity.json", '"files"', '"feles"', "{}: identity.json can't be read"),
    ],
)
def test_every_damage_is_named_with_its_file(stored: Stored, path: str, old: str, new: str, told: str):
    name, _, file = path.partition("/")
    place = getattr(stored, name)
    damaged = place / file if file else place
    text = damaged.read_text()
    assert old in text
    damaged.write_text(text.replace(old, new))
    outcome = stored.run("check")
    assert outcome.exit_code == 1
    assert told.format(place) in outcome.output
    assert "9 entries, 1 damaged" in outcome.output


def test_a_file_that_is_missing_is_named(stored: Stored):
    (stored.model / "model.safetensors").unlink()
    outcome = stored.run("check")
    assert outcome.exit_code == 1
    assert f"{stored.model}: model.safetensors is missing; delete the folder and run again" in outcome.output


# Drop


def test_without_any_ledger_nothing_is_dropped(stored: Stored):
    before = stored.files()
    outcome = stored.drop("--yes")
    assert isinstance(outcome.exception, BadInput) and "holds no ledger" in str(outcome.exception)
    assert stored.files() == before


def test_each_results_folder_must_have_a_ledger(stored: Stored, tmp_path: Path):
    stored.need(model_line(stored.model))
    (tmp_path / "elsewhere").mkdir()
    outcome = stored.drop("--results", str(tmp_path / "elsewhere"), "--yes")
    assert isinstance(outcome.exception, BadInput) and "elsewhere" in str(outcome.exception)


def test_a_dry_run_says_what_would_go_and_touches_nothing(stored: Stored):
    stored.need(stored.entry(stored.mixed, "b"), training_line(stored.training.name), model_line(stored.model))
    before = {path: path.read_bytes() for path in stored.files()}
    outcome = stored.drop()
    assert outcome.exit_code == 0 and "--yes" in outcome.output
    rows = cells(outcome.output)
    assert ["completions", "tiny", f"({stored.mixed.parent.name})", "rank_responses", "2", "0.0"] in rows
    assert ["trainings", "all", "1", "0.0"] in rows and ["models", "all", "1", "0.0"] in rows
    assert ["store", "all", "6", "0.0"] in rows
    assert {path: path.read_bytes() for path in stored.files()} == before


def test_what_no_result_needs_goes_and_the_rest_stays_as_it_was(stored: Stored):
    line = stored.mixed.read_bytes().splitlines(keepends=True)[1]
    stored.need(stored.entry(stored.mixed, "b"), training_line(stored.training.name))
    stored.need(model_line(stored.model), run="study")
    expected = {path for path in stored.files() if stored.training in path.parents or stored.model in path.parents} | {
        stored.mixed,
        stored.mixed.with_name("model.json"),
    }
    work = {path for room in ("work", "machines") for path in (stored.folder / room).iterdir()}
    assert "Dropped." in stored.drop("--yes").output
    assert stored.files() == expected | work
    assert stored.mixed.read_bytes() == line
    assert "Nothing to drop" in stored.drop("--yes").output
    assert stored.run("check").exit_code == 0


def test_torn_and_damaged_lines_and_what_killed_jobs_left_go_too(stored: Stored):
    stored.need(*(stored.entry(stored.mixed, name) for name in "abc"))
    stored.mixed.write_bytes(stored.mixed.read_bytes().replace(b'"text":"b"', b'"text":"x"')[:-5])
    left = stored.folder / "trainings" / ".half"
    left.mkdir()
    (left / "adapter_model.safetensors").write_text("half")
    stored.age(7)
    output = stored.drop("--yes").output
    assert "(torn or damaged)" in output and "(left by killed jobs)" in output
    assert len(stored.mixed.read_bytes().splitlines()) == 1 and not left.exists()


def test_what_is_new_stays(stored: Stored):
    stored.need(model_line(stored.model))
    stored.age(0.5)
    before = stored.files()
    assert "Nothing to drop" in stored.drop("--yes").output
    assert stored.files() == before
    stored.drop("--older-than", "0.25", "--yes")
    assert segments_in(stored.mixed.parent) == [] and not stored.mixed.parent.exists()


def test_messages_that_no_result_needs_go_and_others_stay(stored: Stored):
    needed, other = (stored.folder / "prompts" / name for name in ("mine.txt-1", "other.txt-2"))
    for folder in (needed, other):
        folder.mkdir(parents=True)
        (folder / "prompts.parquet").write_text("messages")
    stored.age(7)
    stored.need(prompts_line(needed))
    assert ["prompts", "other.txt-2", "1", "0.0"] in cells(stored.run("show").output)
    stored.drop("--yes")
    assert list((stored.folder / "prompts").iterdir()) == [needed]
