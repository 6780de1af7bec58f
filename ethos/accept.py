"""After a refactor that changes nothing: declare the code as it is equal to that of a commit, for jobs and for the store.

A declaration is about whole versions, so it holds as long as no file of a consumer changes again; then that consumer's
code stands for itself.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ethos.errors import BadInput
from ethos.files import write_json
from ethos.fingerprint import Version, listed_version, reached_version, stands_for, version_id
from ethos.grpo import GRPO_FILES
from ethos.sequence_classifier import CLASSIFIER_FILES
from ethos.steering import STEERING_FILES
from ethos.stored_engine import ENGINE_FILES, VLLM_FILES
from ethos.stored_rewards import REWARD_FILES
from ethos.training import TRAINING_FILES

_ROOT = Path(__file__).resolve().parent.parent


def versions() -> dict[str, Version]:
    """The code of every consumer as it is: of each script, of the engines, of steering, of preference models, of the
    trainings and of the fine-tuned classifier."""
    scripts = {f"scripts/{path.name}": reached_version(path) for path in sorted((_ROOT / "scripts").glob("*.py"))}
    listed = {
        "engine": ENGINE_FILES,
        "vllm engine": VLLM_FILES,
        "rewards": REWARD_FILES,
        "training": TRAINING_FILES,
        "grpo": GRPO_FILES,
        "steering": STEERING_FILES,
        "classifier": CLASSIFIER_FILES,
    }
    return scripts | {consumer: listed_version(files) for consumer, files in listed.items()}


def told_versions() -> list[dict[str, Version]]:
    """The versions, and what they stand for; an earlier checkout of the project is asked for these."""
    now = versions()
    return [now, {consumer: stands_for(consumer, version) for consumer, version in now.items()}]


def declare_equal(
    now: Mapping[str, Version], earlier: Mapping[str, Version]
) -> dict[str, dict[str, str | dict[str, str | None]]]:
    """For each consumer whose code differs, its version and the files to put back; null for one that was not there."""
    return {
        consumer: {
            "version": version_id(version),
            "was": {
                file: earlier[consumer].get(file)
                for file in sorted({*version, *earlier[consumer]})
                if version.get(file) != earlier[consumer].get(file)
            },
        }
        for consumer, version in now.items()
        if consumer in earlier and version != earlier[consumer]
    }


def accept(commit: str) -> list[str]:
    """Write `ethos/accepted.json`, so that the code counts as that of the commit; returns the files that differ.

    Raises BadInput where there is no such commit, or one without `ethos accept`.
    """
    now, (before, stood_for) = versions(), _versions_at(commit)
    write_json(_ROOT / "ethos" / "accepted.json", declare_equal(now, stood_for))
    return sorted({file for entry in declare_equal(now, before).values() for file in entry["was"]})


def _versions_at(commit: str) -> list[dict[str, Version]]:
    """What the code of a commit says of itself."""
    packed = subprocess.run(["git", "archive", commit, "ethos", "scripts"], cwd=_ROOT, capture_output=True)
    if packed.returncode:
        reason = (packed.stderr.decode(errors="replace").strip().splitlines() or ["git archive failed"])[-1]
        raise BadInput(f"{reason}; name a commit of this repository", field=f"--since {commit}")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder, filter="data")
        ask = "import json, ethos.accept; print(json.dumps(ethos.accept.told_versions()))"
        answer = subprocess.run([sys.executable, "-c", ask], cwd=folder, capture_output=True, text=True)
    if answer.returncode:
        raise BadInput("is from before there was `ethos accept`", field=f"--since {commit}")
    return json.loads(answer.stdout)
