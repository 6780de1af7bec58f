"""The demo's model for tests and benchmarks: the one that the demo prepared, or prepared here in the same way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ethos.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent


def demo_model() -> Path:
    """The folder of the prepared SmolLM2-135M-Instruct."""
    for identity in sorted((ROOT / "store" / "models").glob("smollm2-*/identity.json")):
        return identity.parent
    folder = ROOT / "build" / "models" / "smollm2"
    if not (folder / "identity.json").is_file():
        source = load_settings(ROOT / "config.yaml").models["smollm2"].model_dump_json()
        command = [sys.executable, "scripts/prepare_model.py", "--name", "smollm2", "--settings", source]
        subprocess.run([*command, "--identity", folder / "identity.json"], cwd=ROOT, check=True)
    return folder
