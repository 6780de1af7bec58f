"""Runs a server for as long as standard input stays open, so that it ends with the job that started it, however that ends.

The job holds the other end of the pipe, and the system closes it when the job is gone: also after SIGKILL, when none of the
job's own code runs any more. A process of its own, run by its path; it imports nothing of the project.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

_PATIENCE = 10  # seconds that a server has to end by itself


def guard(folder: str, command: list[str]) -> int:
    """Run the command in a process group of its own, and end all of the group. Returns the command's exit status.

    folder: of the command's own files; removed at the end, unless it ended by itself and the job will want to read its log.
    """
    for ended_by in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ended_by, lambda *_: sys.exit(1))
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    ended = None
    try:
        while (ended := server.poll()) is None and not select.select([sys.stdin], [], [], 0.2)[0]:
            pass
    finally:
        _end(server)
        if ended is None:
            shutil.rmtree(folder, ignore_errors=True)
    return server.returncode


def _end(server: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            server.poll()  # or the dead server would count as a member of its group
            os.killpg(server.pid, 0)
            time.sleep(0.1)
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1], sys.argv[2:]))
