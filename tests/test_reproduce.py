"""What an archive that is made again must give: its bytes where they are claimed, elsewhere metrics within their intervals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from ethos.archive import write_zip
from ethos.archive_commands import reproduce_command
from ethos.execution_settings import Execution
from ethos.machines import rounding
from ethos.provenance import software
from ethos.reproduce import is_of_class
from tests.small_archive import described

HERE = {
    "hardware": {"machine": "x86_64", "processor": "A CPU", "vectors": ["avx2"], "gpus": []},
    "execution": rounding(Execution()) | {"device": "cpu"},
}
ELSEWHERE = {**HERE, "hardware": {**HERE["hardware"], "processor": "Another CPU"}}
OTHER_VECTORS = {**HERE, "hardware": {**HERE["hardware"], "vectors": ["avx2", "avx512f"]}}
ON_GPU = {**HERE, "execution": {**HERE["execution"], "device": "cuda"}}
IN_TWO = {**HERE, "execution": {**HERE["execution"], "training": {"processes": 2, "strategy": "ddp"}}}
EMBEDDED = {"source": "hub:a/tiny@main", "engine": "transformers"}
VLLM, API = {**EMBEDDED, "engine": "vllm"}, {**EMBEDDED, "source": "api:tiny@http://localhost/v1"}

# A workflow that makes the results which the archive says, on the machine which the archive says.
WORKFLOW = """
rule all:
    input: "results/small/report/metrics.csv"

rule measure:
    output: "results/small/report/metrics.csv"
    shell: "mkdir -p store/machines && cp made/machine.json store/machines/0.json && cp made/metrics.csv {output}"
"""


def metrics(shift: float) -> bytes:
    """Twenty metrics. shift: of each, in widths of their intervals."""
    rows = [f"small,m{n},{n + shift},{n + shift - 0.5},{n + shift + 0.5}" for n in range(20)]
    return "\n".join(["run,metric,value,ci_low,ci_high", *rows, ""]).encode()


def archived(path: Path, *, model: dict[str, Any], machine: dict[str, Any] = HERE, shift: float = 0) -> Path:
    """A sound archive of a run of that model, computed here. machine, shift: of what its workflow makes again."""
    settings = {"run": "small", "models": {"tiny": model}, "evaluation": {"confidence": 0.95}}
    archived_on = {"computed_on": [HERE], "software": software(), "execution": rounding(Execution())}
    files = {
        "Snakefile": WORKFLOW.encode(),
        "settings.yaml": yaml.safe_dump(settings).encode(),
        "models.json": b'{"tiny": {}}',
        "machine.json": json.dumps(archived_on).encode(),
        "constitutions/candor.yaml": b"name: candor\n",
        "results/small/report/index.html": b"<!doctype html>\n",
        "results/small/report/metrics.csv": metrics(0),
        "made/machine.json": json.dumps(machine).encode(),
        "made/metrics.csv": metrics(shift),
    }
    write_zip(path, described(files))
    return path


def from_scratch(archive: Path, *arguments: str) -> Result:
    """Make an archive again, with a profile and an execution file of one's own."""
    own = archive.parent / "own"
    own.mkdir()
    (own / "config.yaml").write_text("cores: 1\n")
    (own / "execution.yaml").write_text("threads: 3\nvllm: {python: /opt/vllm/bin/python}\n")
    given = ["--profile", str(own), "--execution", str(own / "execution.yaml"), *arguments]
    folder = str(archive.parent / "again")
    return CliRunner().invoke(reproduce_command, [str(archive), "--from-scratch", "--folder", folder, *given])


@pytest.mark.slow
def test_bytes_are_demanded_where_all_was_computed_on_cpus_of_one_kind(tmp_path: Path) -> None:
    outcome = from_scratch(archived(tmp_path / "a.zip", model=EMBEDDED, shift=0.1))
    assert outcome.exit_code == 1 and "20 of 20 metrics agree" in outcome.output
    assert "bytes should be equal" in str(outcome.exception)


@pytest.mark.slow
def test_elsewhere_metrics_within_their_intervals_are_enough(tmp_path: Path) -> None:
    outcome = from_scratch(archived(tmp_path / "a.zip", model=EMBEDDED, machine=ELSEWHERE, shift=0.1))
    assert outcome.exit_code == 0, (outcome.output, outcome.exception)
    assert "results/small/report/metrics.csv is the first artifact that differs" in outcome.output
    assert "20 of 20 metrics agree within their intervals" in outcome.output
    # How the work is done is the archive's, but for what was given.
    made_with = yaml.safe_load((tmp_path / "again/run.yaml").read_text())["execution"]
    expected = rounding(Execution(threads=3))
    assert made_with == expected | {"vllm": expected["vllm"] | {"python": "/opt/vllm/bin/python"}}


@pytest.mark.slow
def test_elsewhere_metrics_that_part_are_told_and_not_enough(tmp_path: Path) -> None:
    outcome = from_scratch(archived(tmp_path / "a.zip", model=VLLM, shift=1.5))
    assert outcome.exit_code == 1 and "0 of 20 metrics agree" in outcome.output
    assert "more metrics part from the archived ones than chance explains" in str(outcome.exception)


@pytest.mark.parametrize(
    ("model", "then", "now", "expected"),
    [
        (EMBEDDED, [HERE], [HERE], True),
        (VLLM, [HERE], [HERE], False),
        (API, [HERE], [HERE], False),
        (EMBEDDED, [HERE], [ELSEWHERE], False),
        (EMBEDDED, [HERE, ELSEWHERE], [HERE, ELSEWHERE], False),
        (EMBEDDED, [HERE], [OTHER_VECTORS], False),
        (EMBEDDED, [ON_GPU], [ON_GPU], False),
        (EMBEDDED, [IN_TWO], [IN_TWO], True),
        (EMBEDDED, [IN_TWO], [HERE], False),
        (EMBEDDED, [], [HERE], False),
    ],
)
def test_bytes_are_claimed_for_the_embedded_engine_on_one_kind_of_cpu(
    tmp_path: Path, model: dict[str, Any], then: list, now: list, expected: bool
) -> None:
    (tmp_path / "machines").mkdir()
    for number, facts in enumerate(now):
        (tmp_path / f"machines/{number}.json").write_text(json.dumps(facts))
    machine = {"computed_on": then, "software": software()}
    assert is_of_class(machine, {"tiny": model}, tmp_path) is expected
    if expected:
        assert not is_of_class(
            machine | {"software": {**machine["software"], "torch": "1.0"}}, {"tiny": model}, tmp_path
        )


def test_vllm_must_have_its_python_before_anything_is_made(tmp_path: Path) -> None:
    archive = archived(tmp_path / "a.zip", model=VLLM)
    outcome = CliRunner().invoke(
        reproduce_command, [str(archive), "--from-scratch", "--folder", str(tmp_path / "again")]
    )
    assert "'tiny' is computed by vLLM; name its Python" in str(outcome.exception)
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("threads: many", "execution.yaml:1: threads:"),
        ("device: cpu\nstore: /scratch", "execution.yaml:2: store: the run"),
    ],
)
def test_settings_of_execution_that_do_not_fit_are_named_by_their_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "execution.yaml").write_text(text)
    archive = archived(tmp_path / "a.zip", model=EMBEDDED)
    outcome = CliRunner().invoke(reproduce_command, [str(archive), "--execution", str(tmp_path / "execution.yaml")])
    assert told in str(outcome.exception)
