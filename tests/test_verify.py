"""Whatever is done to an archive is found, and named."""

from __future__ import annotations

import json
import random
import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import tests.small_archive as small
from ethos.archive import CRATE, MANIFEST, write_zip
from ethos.archive_commands import verify_command
from ethos.crate import crate_metadata
from ethos.errors import BadInput
from ethos.verify import adapter_damage, check_archive
from tests.small_archive import (
    ADAPTER,
    CONFIG,
    FILES,
    described,
    entries,
    small_archive,
    weights,
    write_by_hand,
)

METRICS = "results/small/report/metrics.csv"
Entries = list[tuple[zipfile.ZipInfo, bytes]]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return small_archive(tmp_path / "small.zip")


def with_changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[Entries], Entries]:
    return lambda content: [(entry, change(data) if entry.filename == name else data) for entry, data in content]


def without(name: str) -> Callable[[Entries], Entries]:
    return lambda content: [(entry, data) for entry, data in content if entry.filename != name]


def with_entry(name: str, data: bytes = b"", *, mode: int = stat.S_IFREG | 0o644) -> Callable[[Entries], Entries]:
    def change(content: Entries) -> Entries:
        entry = zipfile.ZipInfo("name")
        entry.filename, entry.external_attr = name, mode << 16  # the constructor would tidy the name
        return [*content, (entry, data)]

    return change


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def test_a_sound_archive_passes_and_tells_its_digest(archive: Path) -> None:
    assert check_archive(archive) == []
    outcome = CliRunner().invoke(verify_command, [str(archive)])
    assert outcome.exit_code == 0
    with zipfile.ZipFile(archive) as opened:
        assert f"content digest {json.loads(opened.read(MANIFEST))['digest']}" in outcome.output


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (with_changed(METRICS, flipped), f"{METRICS}: is not as it was written"),
        (with_changed(METRICS, lambda data: data + b"\n"), f"{METRICS}: is not as it was written"),
        (with_changed(CRATE, lambda data: data + b"\n"), f"{CRATE}: is not as it was written"),
        (with_changed(MANIFEST, lambda data: data + b"\n"), f"{MANIFEST}: is not as it was written"),
        (without(METRICS), f"{METRICS}: is missing"),
        (without(CRATE), f"{CRATE}: is missing"),
        (without(MANIFEST), f"{MANIFEST}: is missing"),
        (with_entry("results/small/more.csv"), "results/small/more.csv: is not in the manifest"),
        (with_entry(METRICS, b"another"), f"{METRICS}: is there 2 times"),
        (with_entry(METRICS.upper()), f"{METRICS}: is there 2 times"),
        (with_entry("../outside.txt"), "'../outside.txt': a path that leads out"),
        (with_entry("results/../../outside.txt"), "'results/../../outside.txt': a path that leads out"),
        (with_entry("/etc/passwd"), "'/etc/passwd': a path that leads out"),
        (with_entry("C:/outside.txt"), "'C:/outside.txt': a path that leads out"),
        (with_entry("..\\outside.txt"), "'..\\\\outside.txt': a path that leads out"),
        (with_entry("./settings.yaml"), "'./settings.yaml': a path that leads out"),
        (with_entry("link", b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "link: is a link"),
        (with_entry("pipe", mode=stat.S_IFIFO | 0o644), "pipe: is no plain file"),
        (with_entry("folder/", mode=stat.S_IFDIR | 0o755), "folder/: is no plain file"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_was_done_to_an_archive_is_named(
    archive: Path, change: Callable[[Entries], Entries], expected: str
) -> None:
    write_by_hand(archive, change(entries(archive)))
    findings = check_archive(archive)
    assert len(findings) == 1 and findings[0].startswith(expected), findings
    outcome = CliRunner().invoke(verify_command, [str(archive)])
    assert outcome.exit_code == 1 and expected in outcome.output


def test_any_flipped_byte_is_found(archive: Path) -> None:
    """Of files and of the zip's own structure; every byte in its turn would take minutes."""
    content = archive.read_bytes()
    draw = random.Random(0)
    places = {0, 10, len(content) - 1, len(content) - 22, *draw.sample(range(len(content)), 150)}
    for place in places:
        archive.write_bytes(content[:place] + bytes([content[place] ^ (1 << draw.randrange(8))]) + content[place + 1 :])
        outcome = CliRunner().invoke(verify_command, [str(archive)])
        assert outcome.exit_code == 1, place
        assert isinstance(outcome.exception, SystemExit | BadInput), place


def test_a_file_that_would_unpack_to_any_size_is_not_read(archive: Path) -> None:
    content = [entry for entry in entries(archive) if entry[0].filename != MANIFEST]
    write_by_hand(archive, content)
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(MANIFEST, bytes(1 << 20), zipfile.ZIP_DEFLATED)
    assert check_archive(archive) == [f"{MANIFEST}: is compressed, and archives hold files as they are"]


def test_checking_writes_nothing_beside_the_archive(archive: Path) -> None:
    before = archive.parent.stat().st_mtime_ns
    assert check_archive(archive) == []
    assert archive.parent.stat().st_mtime_ns == before


def test_bytes_before_and_after_the_zip_are_found(archive: Path) -> None:
    content = archive.read_bytes()
    for other in (b"#!/bin/sh\n" + content, content + b"more"):
        archive.write_bytes(other)
        assert CliRunner().invoke(verify_command, [str(archive)]).exit_code == 1


def test_files_that_are_whole_in_a_zip_that_was_packed_otherwise_are_told(archive: Path) -> None:
    write_by_hand(archive, [(entry, data) for entry, data in reversed(entries(archive))])
    assert "the zip around them is not as it was written" in check_archive(archive)[0]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (f'"name": "{METRICS}"', '"name": "x"', None),
        (
            '"@id": "logs/small/write_report.log"',
            '"@id": "logs/small/other.log"',
            "describes logs/small/other.log, which is not there",
        ),
        ('"mainEntity"', '"mainEntry"', "is no description of a crate"),
        ('"sha256": "', '"sha256": "0', "has another hash of"),
        ('"@graph"', '"graph"', "is no description of a crate"),
    ],
)
def test_a_crate_that_tells_other_than_the_manifest_is_named(
    archive: Path, monkeypatch, old: str, new: str, expected: str | None
) -> None:
    """Metadata that were wrong from the start, so that their own hash fits."""
    monkeypatch.setattr(
        small, "crate_metadata", lambda *about: crate_metadata(*about).decode().replace(old, new).encode()
    )
    write_zip(archive, described(FILES))
    findings = check_archive(archive)
    assert findings == [] if expected is None else expected in findings[0], findings


@pytest.mark.parametrize(
    ("adapter", "config", "expected"),
    [
        (weights(), CONFIG, None),
        (weights(rank=3), CONFIG, r"model.q_proj.lora_A.weight has the shape \(3, 3\); its rank should be 2"),
        (weights(rank=3), b'{"r": 2, "rank_pattern": {"q_proj": 3}}', None),
        (weights(without="model.q_proj.lora_B.weight"), CONFIG, "lora_A.weight has no lora_B"),
        (weights()[:-1], CONFIG, "is not readable as safetensors"),
        (b"", CONFIG, "is not readable as safetensors"),
        (weights(), b"{}", "is not that of a LoRA adapter"),
        (weights(), b"no JSON", "is not that of a LoRA adapter"),
    ],
)
def test_an_adapter_that_would_not_load_says_why(adapter: bytes, config: bytes, expected: str | None) -> None:
    damage = list(adapter_damage(adapter, config))
    assert damage == [] if expected is None else re.search(expected, damage[0]), damage


def test_an_adapter_that_was_archived_damaged_is_named(tmp_path: Path) -> None:
    archive = small_archive(tmp_path / "a.zip", adapter_model_safetensors=weights(rank=5))
    assert check_archive(archive)[0].startswith(f"{ADAPTER}/adapter_model.safetensors: model.q_proj.lora_A.weight")
