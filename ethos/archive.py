"""The archive of a run: one zip, laid out like a checkout, with a manifest of every file in it.

Files are stored as they are, in one order and with one date, owner and permission, so that equal files give equal bytes
whatever compresses elsewhere. The content digest is over what equal inputs make again; times, logs and hardware are
beside it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Literal, NamedTuple

from ethos.errors import BadInput
from ethos.files import canonical_json, sha256_of_text

FORMAT = 1
# Files of an archive that a checkout does not have: what it holds, the crate, what was run, on what.
MANIFEST, CRATE = "manifest.json", "ro-crate-metadata.json"
SETTINGS, MODELS, MACHINE, COMMIT, CHANGES, COMMAND = (
    "settings.yaml",
    "models.json",
    "machine.json",
    "commit.json",
    "changes.diff",
    "command.txt",
)
# Files that messages were taken from (`questions.extra`), by their number in the settings.
MESSAGES = "messages"
STORE = "store"
_RESULTS = (".parquet", ".safetensors", ".json", ".csv")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first date that a zip can name
_MODE = stat.S_IFREG | 0o644
_UNIX = 3


class Member(NamedTuple):
    """A file in an open archive."""

    archive: zipfile.ZipFile
    name: str

    def open(self, mode: Literal["rb"]) -> IO[bytes]:
        return self.archive.open(self.name)


Content = Path | Member | bytes


def is_reproducible(name: str) -> bool:
    """Whether equal inputs make this file of an archive again, byte for byte.

    That is the inputs, and the results of a run but for its report, whose page tells times, its ledgers, which name
    folders of the store, and its record, which names versions.
    """
    path = PurePosixPath(name)
    if path.parts[0] == "results":
        return path.suffix in _RESULTS and "used" not in path.parts and path.name != "run.json"
    return path.parts[0] in (SETTINGS, MODELS, MESSAGES, "constitutions", "prompts", "tasks")


@dataclass(frozen=True)
class Manifest:
    """What an archive holds. reproducible, other: SHA-256 by name, of every file but the manifest itself."""

    run: str
    reproducible: dict[str, str]
    other: dict[str, str]

    @classmethod
    def of(cls, run: str, files: Mapping[str, str]) -> Manifest:
        """files: SHA-256 by name."""
        reproducible = {name: sha256 for name, sha256 in files.items() if is_reproducible(name)}
        return cls(run, reproducible, {name: sha256 for name, sha256 in files.items() if name not in reproducible})

    @property
    def digest(self) -> str:
        """The content digest: SHA-256 over the names and hashes of the reproducible part."""
        return sha256_of_text(canonical_json(self.reproducible))

    @property
    def files(self) -> dict[str, str]:
        return self.reproducible | self.other

    def as_bytes(self) -> bytes:
        """As it stands in the archive; a manifest has this one spelling."""
        value = {"format": FORMAT, "digest": self.digest, **asdict(self)}
        return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Raises BadInput for bytes that `as_bytes` did not write."""
        try:
            value = json.loads(content)
            manifest = cls(value["run"], dict(value["reproducible"]), dict(value["other"]))
            written = manifest.as_bytes()
        except (ValueError, KeyError, TypeError):
            written = None
        if written != content:
            raise BadInput("is not as it was written, or of another version of Ethos", path=MANIFEST)
        return manifest


def ordered(names: Iterable[str]) -> list[str]:
    """The order of files in an archive: what describes it comes first."""
    return sorted(names, key=lambda name: (name != MANIFEST, name != CRATE, name))


def write_zip(target: Path | IO[bytes], files: Mapping[str, Content]) -> None:
    """Pack files by their names in the archive; equal files give equal bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in ordered(files):
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.create_system, entry.external_attr = _UNIX, _MODE << 16
            with opened(files[name]) as source, archive.open(entry, "w", force_zip64=True) as packed:
                shutil.copyfileobj(source, packed, 1 << 20)


@contextmanager
def opened(content: Content) -> Iterator[IO[bytes]]:
    with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        yield file


def hash_of(content: Content) -> str:
    """SHA-256, hex."""
    with opened(content) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_zip(path: Path) -> zipfile.ZipFile:
    """Raises BadInput for a file that is no zip."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError) as error:
        raise BadInput(f"is not a readable zip ({error})", path=path) from None
