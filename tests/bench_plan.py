"""`make bench`: how long it takes to plan the published run, by `snakemake -n` and by `ethos plan`.

In this very checkout: neither changes anything in it.
"""

from __future__ import annotations

import re
import subprocess
import time

from tests.bench import spread
from tests.conftest import ROOT

COMMANDS = {"snakemake -n": "total", "ethos plan": "all"}  # and the line in which each says how many jobs there are
CONFIG, ROUNDS = "config/paper.yaml", 3


def main() -> None:
    for command, line in COMMANDS.items():
        took = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            said = subprocess.check_output([*command.split(), "--configfile", CONFIG], cwd=ROOT, text=True)
            took.append(time.perf_counter() - started)
        jobs = re.search(rf"^{line} +([\d,]+)", said, re.MULTILINE).group(1)
        print(f"{command} --configfile {CONFIG}: {spread(took)} s, {jobs} jobs", flush=True)


if __name__ == "__main__":
    main()
