"""Look for weaknesses in the files of constitutions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ethos.constitution import Constitution, errors_in, load_constitution
from ethos.errors import BadInput
from ethos.weaknesses import CHECKS
from ethos.yaml_file import YamlFile


class Findings(NamedTuple):
    """errors: a line for each reason for which a file can't be used. lines: one for each finding, by file and line. counts: by kind."""

    errors: list[str]
    lines: list[str]
    counts: Counter[tuple[str, str]]


def lint(paths: Sequence[Path]) -> Findings:
    """Check constitutions, each against those before it and against the files beside it that are not checked themselves.

    So of two that share something, one is told.
    """
    findings = Findings([], [], Counter())
    sound: dict[Path, Constitution] = {}
    for path in paths:
        if errors := errors_in(path):
            findings.errors.extend(map(str, errors))
        else:
            sound[path] = load_constitution(path)
    given = {path.resolve() for path in paths}
    folders = dict.fromkeys(path.parent for path in sound)
    beside = {
        folder: _loadable(path for path in sorted(folder.glob("*.yaml")) if path.resolve() not in given)
        for folder in folders
    }
    before: dict[str, Constitution] = {}
    for path, constitution in sound.items():
        file, found = YamlFile(path), []
        for kind, check in CHECKS.items():
            for location, message in check(constitution, before | beside[path.parent]):
                found.append((file.line_of(location), str(file.error(message, location))))
                findings.counts[kind] += 1
        findings.lines.extend(line for _, line in sorted(found, key=lambda finding: finding[0]))
        before[constitution.name] = constitution
    return findings


def _loadable(paths: Iterable[Path]) -> dict[str, Constitution]:
    constitutions = {}
    for path in paths:
        try:
            constitutions[path.stem] = load_constitution(path)
        except BadInput:
            continue  # told when that file is checked
    return constitutions
