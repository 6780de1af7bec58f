"""What code means: hashes over the syntax trees of a script and of every project module that it imports.

A version is a mapping of files to their fingerprints. One that `ethos accept` declared equal to an earlier version gives
the earlier one, so that neither jobs nor the store see a difference.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ethos.files import canonical_json, read_json, sha256_of_text

_ROOT = Path(__file__).resolve().parent.parent
# The functions by which code names a prompt, and the suffix of its file.
_PROMPT_SUFFIX = {"render_prompt": ".jinja", "prompt_lines": ".txt", "prompt_data": ".yaml"}
# Settings reach a job as values, which are parameters of their own; how a job is started, logged, refused and booked
# changes no result. A new field, default or log line reruns nothing.
_NO_MEANING = frozenset(
    f"ethos/{name}.py"
    for name in (
        "settings",
        "section",
        "model_settings",
        "stage_settings",
        "evaluation_settings",
        "execution_settings",
        "training_settings",
        "script",
        "shards",
        "execution",
        "errors",
        "progress",
        "training_progress",
        "training_checkpoints",
        "tracking",
        "distributed",
        "ledger",
        "work",
        "machines",
        "budget",
    )
)
Version = dict[str, str]


@cache
def _parsed(path: Path) -> tuple[str, tuple[Path, ...], tuple[str, ...]]:
    """The fingerprint of one file, the project modules it imports, and the prompts it names."""
    tree = _WithoutTypes().visit(ast.parse(path.read_text(), filename=str(path)))
    modules: set[Path] = set()
    prompts: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules |= {
                _ROOT / Path(*f"{node.module}.{name.name}".split(".")).with_suffix(".py") for name in node.names
            }
            modules.add(_ROOT / Path(*node.module.split(".")).with_suffix(".py"))
        elif isinstance(node, ast.Import):
            modules |= {_ROOT / Path(*name.name.split(".")).with_suffix(".py") for name in node.names}
        elif isinstance(node, ast.Call):
            prompts |= _named_prompt(node)
        _drop_docstring(node)
    counted = sorted(path for path in modules if path.is_file() and _name(path) not in _NO_MEANING)
    return sha256_of_text(repr(_meaning(tree)))[:16], tuple(counted), tuple(sorted(prompts))


class _WithoutTypes(ast.NodeTransformer):
    """Leaves out what is imported for annotations alone, which never runs."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        match node.test:
            case ast.Name(id="TYPE_CHECKING"):
                return None
        return self.generic_visit(node)


def _meaning(node: Any) -> Any:
    """A syntax tree without what is empty in it, so that Python versions that added a field agree with the older ones."""
    if isinstance(node, ast.AST):
        fields = {name: value for name, value in ast.iter_fields(node) if value is not None and value != []}
        return type(node).__name__, [(name, _meaning(value)) for name, value in fields.items()]
    return [_meaning(part) for part in node] if isinstance(node, list) else node


def _named_prompt(call: ast.Call) -> set[str]:
    """The prompt that a call names by a literal, if it does."""
    match call:
        case ast.Call(func=ast.Name(id=function), args=[ast.Constant(value=name), *_]) if function in _PROMPT_SUFFIX:
            return {f"{name}{_PROMPT_SUFFIX[function]}"}
    return set()


def _drop_docstring(node: ast.AST) -> None:
    if (
        isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node, clean=False) is not None
    ):
        node.body = node.body[1:] or [ast.Pass()]


def _name(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix()


@cache
def _reach(path: Path) -> tuple[Path, ...]:
    """The file and all project files that it imports, transitively."""
    seen: set[Path] = set()
    waiting = [path.resolve()]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += _parsed(file)[1]
    return tuple(sorted(seen))


@cache
def _accepted() -> dict[str, dict[str, Any]]:
    """What `ethos accept` declared: by consumer, the version it is about, and the files that differed before it."""
    path = _ROOT / "ethos" / "accepted.json"
    return read_json(path) if path.is_file() else {}


def version_id(version: Version) -> str:
    """One short text per version."""
    return sha256_of_text(canonical_json(version))[:16]


def stands_for(consumer: str, version: Version) -> Version:
    """The version that this one was declared equal to; itself if it was not."""
    entry = _accepted().get(consumer)
    if entry is None or entry["version"] != version_id(version):
        return version
    earlier: Mapping[str, str | None] = version | entry["was"]
    return {file: value for file, value in earlier.items() if value is not None}


def reached_version(path: Path) -> Version:
    """The files of a script and of every project module it uses; comments, docstrings and layout do not count."""
    return {_name(file): _parsed(file)[0] for file in _reach(path)}


def listed_version(modules: Sequence[str]) -> Version:
    """These modules of `ethos/` alone, whatever they import."""
    return {f"ethos/{name}": _parsed(_ROOT / "ethos" / name)[0] for name in modules}


@cache
def code_version(path: Path) -> Version:
    """Changes with the behaviour of a script or of a module it uses."""
    return stands_for(_name(path.resolve()), reached_version(path))


def behaviour(consumer: str, modules: Sequence[str]) -> Version:
    """Changes with the behaviour of these modules of `ethos/`. consumer: whose behaviour it is; see `ethos.accept`."""
    return stands_for(consumer, listed_version(modules))


@cache
def prompt_fingerprints(path: Path) -> dict[str, str]:
    """The content hash of each prompt that a script or a module it uses names."""
    names = {name for file in _reach(path) for name in _parsed(file)[2]}
    return {name: sha256_of_text((_ROOT / "prompts" / name).read_text())[:16] for name in sorted(names)}
