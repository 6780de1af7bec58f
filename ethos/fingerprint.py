"""What code means: a hash over the syntax trees of a script and of every project module that it imports."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from ethos.files import canonical_json, sha256_of_text

_ROOT = Path(__file__).resolve().parent.parent
# The functions by which code names a prompt, and the suffix of its file.
_PROMPT_SUFFIX = {"render_prompt": ".jinja", "prompt_lines": ".txt"}


@cache
def _parsed(path: Path) -> tuple[str, tuple[Path, ...], tuple[str, ...]]:
    """The meaning of one file, the project modules it imports, and the prompts it names."""
    tree = ast.parse(path.read_text(), filename=str(path))
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
    meaning = ast.dump(tree, include_attributes=False)
    return meaning, tuple(sorted(path for path in modules if path.is_file())), tuple(sorted(prompts))


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


def file_fingerprint(path: Path) -> str:
    """Changes with the behaviour of one file, whatever it imports."""
    return sha256_of_text(_parsed(path.resolve())[0])[:16]


@cache
def code_fingerprint(path: Path) -> str:
    """Changes with the behaviour of a script or of a module it uses; comments, docstrings and layout do not count."""
    parts = {str(file.relative_to(_ROOT)): sha256_of_text(_parsed(file)[0]) for file in _reach(path)}
    return sha256_of_text(canonical_json(parts))[:16]


@cache
def prompt_fingerprints(path: Path) -> dict[str, str]:
    """The content hash of each prompt that a script or a module it uses names."""
    names = {name for file in _reach(path) for name in _parsed(file)[2]}
    return {name: sha256_of_text((_ROOT / "prompts" / name).read_text())[:16] for name in sorted(names)}
