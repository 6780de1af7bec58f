"""What is noted of the work is what may round last bits, and a new setting is decided upon."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.execution_settings import Execution, Vllm
from ethos.files import read_json
from ethos.machines import note_machine, rounding

# Where and when work is done, what it may cost, and what is told of it.
NO_BITS = {"store", "checkpoint_minutes", "shards", "jobs", "log_level", "api", "budget", "tracking"}
NO_BITS_OF_VLLM = {"python", "start_minutes"}


def test_each_setting_of_execution_is_noted_or_known_to_change_no_bit() -> None:
    noted = rounding(Execution())
    assert set(noted) | NO_BITS == set(Execution.model_fields) and not set(noted) & NO_BITS
    assert set(noted["vllm"]) | NO_BITS_OF_VLLM == set(Vllm.model_fields) and not set(noted["vllm"]) & NO_BITS_OF_VLLM


def test_what_was_noted_makes_the_same_settings_again() -> None:
    settings = Execution(training={"processes": 2, "strategy": "fsdp"}, vllm={"tensor_parallel_size": 4}, threads=3)
    assert Execution.model_validate(rounding(settings)) == settings


def test_equal_work_has_one_note_and_other_work_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for settings in ("{}", '{"log_level": "debug"}', '{"training": {"processes": 2}}'):
        monkeypatch.setenv("ETHOS_EXECUTION", settings)
        names |= {note_machine(tmp_path, "cpu"), note_machine(tmp_path, "cuda")}
    notes = [read_json(path)["execution"] for path in sorted((tmp_path / "machines").iterdir())]
    assert len(notes) == len(names) == 4
    assert {(note["device"], note["training"]["processes"]) for note in notes} == {
        (device, processes) for device in ("cpu", "cuda") for processes in (1, 2)
    }
