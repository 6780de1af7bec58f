"""A run is archived, checked and made again, by its own sources and for real."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ethos.archive import CHANGES, COMMIT, CRATE, MACHINE, MANIFEST, MODELS, Manifest, hash_of, write_zip
from ethos.archive_commands import reproduce_command, verify_command
from ethos.ledger import read_ledger
from ethos.verify import check_archive
from tests.conftest import ROOT, Checkout, results_by_content

pytestmark = pytest.mark.slow
# Put together here, so that no tool takes this file for a leak.
IN_ENVIRONMENT, IN_CONFIG, IN_LOG = "correct-horse-battery", "hf_" + "aB3" * 10, "ghp_" + "x1" * 18
ARCHIVE = "results/test/archive/test.zip"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def archived(finished: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The finished run, archived from a repository with an edit, with secrets in environment, config and logs."""
    copy = finished.copy(tmp_path_factory.mktemp("archived") / "ethos")
    git(copy.folder, "init", "--quiet")
    git(copy.folder, "add", "Snakefile", "config", "ethos", "scripts", "rules", "prompts", "report", "constitutions")
    git(copy.folder, "commit", "--quiet", "--message", "As it was")
    copy.edit("scripts/rank_responses.py", "def rank(", f"# A remark on {copy.folder}.\ndef rank(")
    copy.edit("config/test.yaml", "run: test", f"# HF_TOKEN={IN_CONFIG}\nrun: test")
    log = copy.folder / "logs/test/write_report.log"
    log.write_text(f"read {copy.folder}/results\nMY_TOKEN={IN_ENVIRONMENT}\nlogged in with {IN_LOG}\n{log.read_text()}")
    curve = copy.folder / "logs/test/tiny/poeticism/seed0/tensorboard/aligned/events.out.tfevents"
    curve.parent.mkdir(parents=True)
    curve.write_bytes(b"\0\xff")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MY_TOKEN", IN_ENVIRONMENT)
        outcome = copy.snakemake("archive")
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    return copy


def read(checkout: Checkout, name: str) -> bytes:
    with zipfile.ZipFile(checkout.folder / ARCHIVE) as archive:
        return archive.read(name)


def digest_of(checkout: Checkout) -> str:
    return Manifest.from_bytes(read(checkout, MANIFEST)).digest


def reproduce(checkout: Checkout, folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(reproduce_command, [str(checkout.folder / ARCHIVE), "--folder", str(folder), *arguments])


def test_an_archive_is_sound_and_holds_every_result_and_what_made_it(archived: Checkout) -> None:
    outcome = CliRunner().invoke(verify_command, [str(archived.folder / ARCHIVE)])
    assert outcome.exit_code == 0, outcome.output
    with zipfile.ZipFile(archived.folder / ARCHIVE) as archive:
        names = set(archive.namelist())
    made = {path.relative_to(archived.folder).as_posix() for path in (archived.folder / "results").rglob("*.*")}
    assert made - {ARCHIVE} <= names
    for room in ("logs/test", "benchmarks/test", "store/completions", "store/trainings", "prompts", "rules", "ethos"):
        assert any(name.startswith(f"{room}/") for name in names), room
    assert {
        "settings.yaml",
        "constitutions/poeticism.yaml",
        "constitutions/sarcasm.yaml",  # drift is measured to it
        "constitutions/humor.yaml",  # labelled pairs are of it
        "envs/ethos.lock",
        "Snakefile",
    } <= names
    assert not any(
        name.startswith(("config", "tests", "constitutions/goodness", "store/models/tiny/")) for name in names
    )
    assert "model.safetensors" not in {Path(name).name for name in names}
    assert not any("tensorboard" in name for name in names)
    commands = read(archived, "command.txt").decode().splitlines()
    assert commands == ["snakemake --configfile config/test.yaml", "snakemake archive --configfile config/test.yaml"]


def test_an_archive_holds_what_its_ledgers_name_of_the_store_and_no_more(archived: Checkout) -> None:
    needed = set().union(*map(read_ledger, (archived.folder / "results/test").rglob("used/*.txt")))
    with zipfile.ZipFile(archived.folder / ARCHIVE) as archive:
        segments = [name for name in archive.namelist() if re.fullmatch(r"store/completions/.*\.jsonl", name)]
        answers = {
            f"completion {name.split('/')[2]} {json.loads(line)['key']}"
            for name in segments
            for line in archive.read(name).splitlines()
        }
        trainings = {f"training {name.split('/')[2]}" for name in archive.namelist() if "store/trainings" in name}
    assert answers | trainings == {entry for entry in needed if not entry.startswith(("model ", "tasks "))}


def test_an_archive_tells_commit_changes_models_and_machine(archived: Checkout) -> None:
    assert json.loads(read(archived, COMMIT)) == {"commit": git(archived.folder, "rev-parse", "HEAD"), "dirty": True}
    assert b"+# A remark on ..\n def rank(" in read(archived, CHANGES)
    model = json.loads(read(archived, MODELS))["tiny"]
    assert model["included"] is False and model["source"] == "path" and len(model["content"]) == 64
    machine = json.loads(read(archived, MACHINE))
    assert machine["software"]["torch"] and machine["execution"]["threads"] == 1
    (computed_on,) = machine["computed_on"]
    assert computed_on["hardware"]["cores"] >= 1 and computed_on["execution"]["device"] == "cpu"


def test_no_secret_and_no_folder_of_the_machine_is_in_an_archive(archived: Checkout) -> None:
    content = (archived.folder / ARCHIVE).read_bytes()  # files are stored as they are
    for planted in (IN_ENVIRONMENT, IN_CONFIG, IN_LOG):
        assert planted.encode() not in content
    log = read(archived, "logs/test/write_report.log")
    assert log.startswith(b"read ./results\nMY_TOKEN=[removed]\nlogged in with [removed]\n")
    # The source is archived as it is, or its hash would be another.
    assert content.count(str(archived.folder).encode()) == read(archived, "scripts/rank_responses.py").count(
        str(archived.folder).encode()
    )


def test_a_secret_in_a_source_is_named_and_nothing_is_archived(archived: Checkout, tmp_path: Path) -> None:
    copy = archived.copy(tmp_path / "copy", "archive")
    copy.edit("constitutions/poeticism.yaml", "name: poeticism", f"name: poeticism # {IN_LOG}")
    outcome = copy.snakemake("archive")
    assert outcome.returncode == 1
    assert "error: constitutions/poeticism.yaml: holds what looks like an access token" in outcome.stderr
    assert IN_LOG not in outcome.stderr and not (copy.folder / ARCHIVE).exists()


def test_a_replay_asks_no_model_and_gives_the_digest(archived: Checkout, tmp_path: Path, capfd) -> None:
    outcome = reproduce(archived, tmp_path / "replay")
    said = capfd.readouterr().err
    assert outcome.exit_code == 0, (outcome.output, said[-4000:])
    assert f"content digest {digest_of(archived)}, as archived" in outcome.output
    assert "found in the store" in said and "loading tiny" not in said


def with_other_results(archive: Path, target: Path, names: set[str]) -> None:
    """A sound archive that claims other bytes of some results."""
    with zipfile.ZipFile(archive) as opened:
        files = {name: opened.read(name) + (b"\n" if name in names else b"") for name in opened.namelist()}
        for name in names:
            before = hash_of(opened.read(name)).encode()
            files[CRATE] = files[CRATE].replace(before, hash_of(files[name]).encode())
    hashes = {name: hash_of(content) for name, content in files.items() if name != MANIFEST}
    write_zip(target, {**files, MANIFEST: Manifest.of("test", hashes).as_bytes()})


def test_a_replay_that_differs_names_the_artifact_that_was_made_first(archived: Checkout, tmp_path: Path) -> None:
    first, last = "results/test/tiny/poeticism/rankings.json", "results/test/report/questions.csv"
    with_other_results(archived.folder / ARCHIVE, tmp_path / "other.zip", {first, last})
    assert check_archive(tmp_path / "other.zip") == []
    outcome = CliRunner().invoke(reproduce_command, [str(tmp_path / "other.zip"), "--folder", str(tmp_path / "replay")])
    assert outcome.exit_code == 1
    assert f"{first} is the first artifact that differs" in outcome.output
    assert re.search(r"(\d+) of \1 metrics agree within their intervals", outcome.output)
    assert "a replay must give the archived bytes" in str(outcome.exception)


def test_a_run_from_scratch_gives_the_same_bytes_and_the_same_digest_when_it_is_archived(
    archived: Checkout, tmp_path: Path, tiny_model: Path, capfd
) -> None:
    outcome = reproduce(archived, tmp_path / "again", "--from-scratch", "--model", f"tiny={tiny_model}")
    said = capfd.readouterr().err
    assert outcome.exit_code == 0, (outcome.output, said[-4000:])
    assert "loading tiny" in said
    again = Checkout(tmp_path / "again")
    record = "results/test/run.json"  # names the model's folder
    made, kept = results_by_content(again.folder), results_by_content(archived.folder)
    assert made.pop(record) != kept.pop(record)
    assert made == kept
    packed = again.snakemake("archive", config="run.yaml")
    assert packed.returncode == 0, packed.stderr[-4000:]
    assert digest_of(again) == digest_of(archived)


def test_from_scratch_a_local_model_must_be_given_and_be_the_same(
    archived: Checkout, tmp_path: Path, tiny_model: Path
) -> None:
    missing = reproduce(archived, tmp_path / "a", "--from-scratch")
    assert "give it with --model tiny=FOLDER" in str(missing.exception)
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    (other / "chat_template.jinja").write_text("{{ messages[0].content }}")
    refused = reproduce(archived, tmp_path / "b", "--from-scratch", "--model", f"tiny={other}")
    assert "is not the archived model 'tiny': chat_template.jinja differs" in str(refused.exception)
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()


def test_a_damaged_archive_is_not_run(archived: Checkout, tmp_path: Path) -> None:
    content = bytearray((archived.folder / ARCHIVE).read_bytes())
    content[content.index(b"rule all:")] ^= 1
    damaged = Checkout(tmp_path / "damaged")
    (damaged.folder / ARCHIVE).parent.mkdir(parents=True)
    (damaged.folder / ARCHIVE).write_bytes(content)
    outcome = reproduce(damaged, tmp_path / "a")
    assert "Snakefile: is not as it was written" in str(outcome.exception)
    assert not (tmp_path / "a").exists()


def test_archiving_again_gives_the_same_bytes(archived: Checkout, tmp_path: Path) -> None:
    copy = archived.copy(tmp_path / "copy")
    assert "Nothing to be done" in copy.snakemake("archive").stderr
    packed = []
    for _ in range(2):
        assert copy.snakemake("archive", "--forcerun", "archive_run").returncode == 0
        packed.append((copy.folder / ARCHIVE).read_bytes())
    assert packed[0] == packed[1]
    assert digest_of(copy) == digest_of(archived)


def test_the_public_validator_accepts_an_archive(archived: Checkout) -> None:
    python = ROOT / "build" / "validator" / "bin" / "python"
    if not python.exists():
        pytest.skip("the validator has an environment of its own; `make validator` sets it up")
    command = [python, ROOT / "tests" / "validate_crate.py", archived.folder / ARCHIVE]
    outcome = subprocess.run(command, capture_output=True, text=True)
    assert outcome.returncode == 0 and "is a valid workflow-run-crate-0.5" in outcome.stdout, outcome.stdout[-4000:]


def test_snakemake_makes_its_own_report_with_captions_and_categories(archived: Checkout, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    outcome = archived.snakemake("--report", str(page))
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    text = page.read_text()
    for said in ("Effects and figures", "Every number of the evaluations", "Report", "Metrics", "Data quality"):
        assert said in text, said
