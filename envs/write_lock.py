"""Write `ethos.lock` and `ethos.yaml` from a `pip freeze` on standard input: two forms of one environment."""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
INSTALLERS = ("pip", "wheel")


def pinned(freeze: str) -> list[str]:
    """Requirements without installers and without local builds (`+cpu`), which a registry does not know."""
    lines = [line.strip() for line in freeze.splitlines() if "==" in line and not line.startswith("#")]
    return [line.split("+")[0] for line in lines if line.split("==")[0] not in INSTALLERS]


def lock_text(requirements: list[str]) -> str:
    head = "# Every package that was tested together, with its exact version. Made by `make lock`; ethos.yaml holds the same.\n"
    return head + "".join(f"{requirement}\n" for requirement in requirements)


def conda_text(requirements: list[str]) -> str:
    head = "# The environment of ethos.lock for conda. Made by `make lock`.\nname: ethos\nchannels:\n  - conda-forge\n"
    packages = "dependencies:\n  - python=3.11\n  - pip\n  - pip:\n"
    return head + packages + "".join(f"      - {requirement}\n" for requirement in requirements)


def main() -> None:
    requirements = pinned(sys.stdin.read())
    (FOLDER / "ethos.lock").write_text(lock_text(requirements))
    (FOLDER / "ethos.yaml").write_text(conda_text(requirements))


if __name__ == "__main__":
    main()
