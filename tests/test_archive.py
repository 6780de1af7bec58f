"""An archive is one zip of one form, and its digest is over what equal inputs make again."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ethos.archive import CRATE, MANIFEST, Manifest, is_reproducible, open_zip, ordered
from ethos.errors import BadInput
from ethos.files import sha256_of_file
from ethos.redaction import Redaction
from scripts.archive_run import portable, without_secrets
from tests.fake_results import fake_settings
from tests.small_archive import FILES, described, small_archive

SECRET = "correct-horse-battery"


def digest_with(**changed: bytes) -> str:
    files = {**FILES, **{name.replace("__", "/"): content for name, content in changed.items()}}
    return Manifest.from_bytes(described(files)[MANIFEST]).digest


def test_equal_files_give_equal_bytes_wherever_they_come_from(tmp_path: Path) -> None:
    assert sha256_of_file(small_archive(tmp_path / "a.zip")) == sha256_of_file(small_archive(tmp_path / "b.zip"))


def test_every_file_has_the_same_date_owner_and_permissions_and_its_place(tmp_path: Path) -> None:
    with zipfile.ZipFile(small_archive(tmp_path / "a.zip")) as archive:
        infos = archive.infolist()
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr >> 16 for info in infos} == {stat.S_IFREG | 0o644}
    assert {(info.create_system, info.extra, info.comment) for info in infos} == {(3, b"", b"")}
    names = [info.filename for info in infos]
    assert names == ordered(reversed(names)) and names[:2] == [MANIFEST, CRATE]


@pytest.mark.parametrize(
    "name",
    [
        "settings.yaml",
        "models.json",
        "constitutions/candor.yaml",
        "prompts/character.jinja",
        "results/r/tiny/candor/responses.parquet",
        "results/r/tiny/candor/seed0/aligned/adapter_model.safetensors",
        "results/r/report/metrics.csv",
        "messages/0.txt",
    ],
)
def test_inputs_tables_adapters_and_metrics_are_of_the_digest(name: str) -> None:
    assert is_reproducible(name)


@pytest.mark.parametrize(
    "name",
    [
        "logs/r/write_report.log",
        "benchmarks/r/write_report.tsv",
        "results/r/report/index.html",
        "results/r/tiny/candor/used/rank_responses.txt",
        "store/trainings/0/about.json",
        "machine.json",
        "commit.json",
        "ethos/store.py",
    ],
)
def test_durations_hosts_logs_and_the_store_are_not(name: str) -> None:
    assert not is_reproducible(name)


def test_the_digest_changes_with_a_result_and_not_with_a_log() -> None:
    assert digest_with() == digest_with(logs__small__write_report_log=b"slower\n")
    assert digest_with() != digest_with(**{"results__small__report__metrics.csv": b"run,value\nsmall,2.0\n"})


def test_a_manifest_has_one_spelling() -> None:
    content = described(FILES)[MANIFEST]
    assert Manifest.from_bytes(content).as_bytes() == content
    for other in (content.replace(b"\n", b" \n", 1), content.replace(b'"format": 1', b'"format": 2'), b"[]", b"\xff"):
        with pytest.raises(BadInput, match=r"manifest.json"):
            Manifest.from_bytes(other)


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("not a zip")
    with pytest.raises(BadInput, match=r"a.zip: is not a readable zip"):
        open_zip(tmp_path / "a.zip")


def with_cell(text: str) -> bytes:
    """A table that holds a text, compressed, as pyarrow writes it."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"messages": [[{"role": "user", "content": f"Hello {text}"}]] * 50}), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["messages/0.parquet", "results/r/tiny/candor/responses.parquet", "tasks/a.bin"])
def test_a_secret_in_a_table_or_among_bytes_stops_the_archive(name: str) -> None:
    redaction = Redaction({}, {"MY_TOKEN": SECRET})
    content = with_cell if name.endswith(".parquet") else lambda text: b"\0\xff" + text.encode() + b"\xff"
    assert without_secrets({name: content("you")}, redaction) == {name: content("you")}
    with pytest.raises(BadInput, match=rf"{name}: holds the value of MY_TOKEN"):
        without_secrets({name: content(SECRET)}, redaction)


def test_bytes_among_the_results_stay_as_they_are_and_pages_are_cleaned() -> None:
    files = {"results/r/report/own.pdf": b"%PDF\0\xff", "results/r/report/index.html": f"a {SECRET}".encode()}
    cleaned = without_secrets(files, Redaction({}, {"MY_TOKEN": SECRET}))
    assert cleaned == {**files, "results/r/report/index.html": b"a [removed]"}


def test_settings_travel_without_a_folder_of_this_machine(tmp_path: Path) -> None:
    settings = fake_settings(
        models={"tiny": {"source": f"path:{tmp_path}/tiny"}},
        **{"students": ["tiny"], "teacher": "tiny", "judge": "tiny"},
        questions={
            "extra": [{"source": "hub:a/b@main", "count": 1}, {"source": f"path:{tmp_path}/own.csv", "count": 1}]
        },
    )
    there = portable(settings, {"tiny": {"content": "c" * 64}})
    assert there["models"]["tiny"]["source"] == "path:models/tiny" and there["models"]["tiny"]["sha256"] == "c" * 64
    assert [extra["source"] for extra in there["questions"]["extra"]] == ["hub:a/b@main", "path:messages/1.csv"]
    assert str(tmp_path) not in str(there)
