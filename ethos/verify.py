"""Checks an archive: every file, its description, its adapters, and the zip around them."""

from __future__ import annotations

import io
import os
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

from ethos.archive import CRATE, MANIFEST, Manifest, Member, hash_of, open_zip, write_zip
from ethos.crate import files_of_crate
from ethos.errors import BadInput

_WEIGHTS, _CONFIG = "adapter_model.safetensors", "adapter_config.json"


def check_archive(path: Path) -> list[str]:
    """What is wrong with an archive, a line each that names the file; nothing, as a rule.

    Raises BadInput for a file that is no zip.
    """
    with open_zip(path) as archive:
        # What has such a name or kind must not be read any further.
        if unsafe := list(_unsafe_entries(archive)):
            return unsafe
        try:
            manifest = read_manifest(archive)
        except BadInput as error:
            return [str(error)]
        findings = [*_files(archive, manifest), *_described(archive, manifest)]
        if not findings:  # what is damaged is named once
            findings = [*_adapters(archive, manifest)] or [*_container(archive, path)]
        return findings


def read_manifest(archive: zipfile.ZipFile) -> Manifest:
    """Raises BadInput for an archive without a sound one."""
    try:
        return Manifest.from_bytes(archive.read(MANIFEST))
    except KeyError:
        raise BadInput("is missing", path=MANIFEST) from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise BadInput(f"can't be read ({error})", path=MANIFEST) from None


def _unsafe_entries(archive: zipfile.ZipFile) -> Iterator[str]:
    """Names that lead out of a folder, links and what else is no plain file, and names that stand twice."""
    for entry in archive.infolist():
        name = entry.orig_filename  # as it is written; `filename` has been tidied
        mode = entry.external_attr >> 16
        if (
            not name
            or "\\" in name
            or "\0" in name
            or ":" in name
            or PurePosixPath(name).is_absolute()
            or any(part in ("", ".", "..") for part in name.rstrip("/").split("/"))
        ):
            yield f"{name!r}: a path that leads out of the archive's folder, or is spelt so that it might"
        elif stat.S_ISLNK(mode):
            yield f"{name}: is a link"
        elif entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            yield f"{name}: is compressed, and archives hold files as they are"  # it may be of any size
        elif entry.is_dir() or stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            yield f"{name}: is no plain file"
    names = Counter(entry.orig_filename.casefold() for entry in archive.infolist())
    yield from (f"{name}: is there {count} times" for name, count in sorted(names.items()) if count > 1)


def _files(archive: zipfile.ZipFile, manifest: Manifest) -> Iterator[str]:
    present = set(archive.namelist()) - {MANIFEST}
    for name, expected in sorted(manifest.files.items()):
        if name not in present:
            yield f"{name}: is missing"
        elif _hash(archive, name) != expected:
            yield f"{name}: is not as it was written"
    yield from (f"{name}: is not in the manifest" for name in sorted(present - manifest.files.keys()))


def _hash(archive: zipfile.ZipFile, name: str) -> str | None:
    try:
        return hash_of(Member(archive, name))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError):
        return None  # its checksum or its header does not fit


def _described(archive: zipfile.ZipFile, manifest: Manifest) -> Iterator[str]:
    """Where the crate's metadata tell another thing than the manifest."""
    if CRATE not in archive.namelist() or _hash(archive, CRATE) != manifest.files.get(CRATE):
        return  # told already
    try:
        described = files_of_crate(archive.read(CRATE))
    except BadInput as error:
        yield str(error)
        return
    files = {name: sha256 for name, sha256 in manifest.files.items() if name != CRATE} | {MANIFEST: None}
    for name in sorted(described.keys() | files.keys()):
        if name not in described:
            yield f"{CRATE}: does not describe {name}"
        elif name not in files:
            yield f"{CRATE}: describes {name}, which is not there"
        elif described[name] != files[name]:
            yield f"{CRATE}: has another hash of {name}"


def _adapters(archive: zipfile.ZipFile, manifest: Manifest) -> Iterator[str]:
    for name in sorted(manifest.files):
        if PurePosixPath(name).name != _WEIGHTS:
            continue
        config = str(PurePosixPath(name).with_name(_CONFIG))
        if config not in manifest.files:
            yield f"{config}: is missing"
        else:
            yield from (f"{name}: {what}" for what in adapter_damage(archive.read(name), archive.read(config)))


def adapter_damage(weights: bytes, config: bytes) -> Iterator[str]:
    """Why an adapter would not load. weights: of a safetensors file. config: of its adapter_config.json."""
    import orjson
    from safetensors import SafetensorError, deserialize

    try:
        shapes = {name: tuple(tensor["shape"]) for name, tensor in deserialize(weights)}
        settings = orjson.loads(config)
        rank, patterns = settings["r"], settings.get("rank_pattern") or {}
    except SafetensorError as error:
        yield f"is not readable as safetensors ({error})"
        return
    except (orjson.JSONDecodeError, KeyError, TypeError):
        yield f"{_CONFIG} is not that of a LoRA adapter"
        return
    factors = {name: shape for name, shape in shapes.items() if re.search(r"\.lora_[AB]\b", name)}
    if not factors:
        yield "holds no LoRA factors"
    for name, shape in sorted(factors.items()):
        yield from _factor_damage(name, shape, factors, _rank_of(name, rank, patterns))


def _factor_damage(name: str, shape: tuple[int, ...], factors: Mapping[str, Any], rank: int) -> Iterator[str]:
    inner, outer = (0, "lora_B") if ".lora_A" in name else (1, "lora_A")
    if re.sub(r"\.lora_[AB]\b", f".{outer}", name) not in factors:
        yield f"{name} has no {outer}"
    if len(shape) != 2 or shape[inner] != rank:
        yield f"{name} has the shape {shape}; its rank should be {rank}"


def _rank_of(name: str, rank: int, patterns: Mapping[str, int]) -> int:
    """A module's own rank, where the adapter has several."""
    module = re.sub(r"\.lora_[AB]\b.*", "", name)
    return next((own for pattern, own in patterns.items() if re.search(rf"(^|\.){pattern}$", module)), rank)


class _Comparison(io.RawIOBase):
    """Takes what is written to it for the content of a file that is open for reading, and keeps nothing of it."""

    def __init__(self, file: IO[bytes]):
        self._file, self._place, self._end = file, 0, 0
        self._other: set[int] = set()  # where something else was written, until it is written again

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._end}[whence]
        return self._place

    def write(self, data: bytes) -> int:
        self._file.seek(self._place)
        is_same = self._file.read(len(data)) == data
        (self._other.discard if is_same else self._other.add)(self._place)
        self._place += len(data)
        self._end = max(self._end, self._place)
        return len(data)

    @property
    def is_same(self) -> bool:
        return not self._other and self._end == self._file.seek(0, os.SEEK_END)


def _container(archive: zipfile.ZipFile, path: Path) -> Iterator[str]:
    """The zip's own bytes: the same files, packed again, give the same archive."""
    with open(path, "rb") as file:
        again = _Comparison(file)
        write_zip(again, {name: Member(archive, name) for name in archive.namelist()})
        if not again.is_same:
            yield f"{path}: the files are whole, but the zip around them is not as it was written (order, dates, owners)"
