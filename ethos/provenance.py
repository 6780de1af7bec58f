"""What a run was made by: the project's files, its commit, the packages, the machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

# What a run is made by. Its configuration is archived as its settings, its characters one by one; tests, and what is of
# one site, do not belong to it.
_ROOMS = (
    "CHANGELOG.md",
    "CITATION.cff",
    "LICENSE",
    "Makefile",
    "README.md",
    "Snakefile",
    "cards",
    "docs",
    "envs",
    "ethos",
    "profiles",
    "prompts",
    "pyproject.toml",
    "report",
    "rules",
    "scripts",
    "slurm/config.yaml",
    "slurm/site.example.sh",
    "tasks",
)


def source_files(root: Path) -> list[str]:
    """The project's files by which runs are made; those that git ignores are left out."""
    rooms = [name for name in _ROOMS if (root / name).exists()]
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *rooms)
    if listed is None:
        paths = [
            path for name in rooms for path in ([root / name] if (root / name).is_file() else (root / name).rglob("*"))
        ]
        names = [path.relative_to(root).as_posix() for path in paths]
    else:
        names = listed.decode().split("\0")
    hidden = re.compile(r"(^|/)(\.|__pycache__/)|\.pyc$")
    return sorted({name for name in names if (root / name).is_file() and name and not hidden.search(name)})


def commit(root: Path) -> dict[str, Any]:
    """The commit, and whether the files of runs differ from it, new ones among them; null where there is no repository."""
    head = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain", "--untracked-files=all", "--", *_ROOMS, "constitutions")
    return {"commit": head and head.decode().strip(), "dirty": None if head is None else bool(status)}


def changes(root: Path) -> bytes:
    """How the files of runs differ from the commit, new ones left out; nothing where there is no repository."""
    return _git(root, "diff", "--no-ext-diff", "--no-color", "HEAD", "--", *_ROOMS, "constitutions") or b""


def _git(root: Path, *arguments: str) -> bytes | None:
    """What git answers in a repository whose top is `root`; None without one."""
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    outcome = subprocess.run(["git", *arguments], cwd=root, capture_output=True)
    return None if outcome.returncode else outcome.stdout


def software() -> dict[str, str]:
    """The version of Python and of every installed package, by name."""
    found = {dist.metadata["Name"].lower(): dist.version for dist in distributions() if dist.metadata["Name"]}
    return {"python": platform.python_version(), **dict(sorted(found.items()))}


def hardware() -> dict[str, Any]:
    """What this machine computes with; not its name."""
    return {
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _cpuinfo("model name") or platform.processor(),
        "vectors": _vector_instructions(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": _gpus(),
    }


def _vector_instructions() -> list[str]:
    """Those by which products are computed; processors of one name may differ in them, above all virtual ones."""
    flags = f"{_cpuinfo('flags')} {_cpuinfo('Features')}".split()  # x86-64 calls them flags, Arm Features
    return sorted(flag for flag in flags if re.match(r"avx|amx|fma|asimd|sve|bf16", flag))


def _cpuinfo(field: str) -> str:
    """What Linux tells of the first core; empty where it tells nothing."""
    try:
        found = re.search(rf"^{field}\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1) if found else ""


def _gpus() -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    asked = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    outcome = subprocess.run(asked, capture_output=True, text=True)
    return [] if outcome.returncode else outcome.stdout.strip().splitlines()
