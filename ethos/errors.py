"""Bad input is told in one line that names the file, the line and the field, and says what to do."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path


class BadInput(Exception):
    """Something the user gave cannot be used; the message is the one line that they see."""

    def __init__(self, message: str, *, path: str | Path | None = None, line: int | None = None, field: str = ""):
        place = "" if path is None else str(path)
        if line is not None:
            place += f":{line}"
        super().__init__(": ".join(part for part in (place, field, " ".join(message.split())) if part))


def one_line_errors(command: Callable) -> Callable:
    """Let a command end bad input with its one line and exit code 1 instead of a traceback."""

    @wraps(command)
    def wrapped(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except BadInput as error:
            print(f"error: {error}", file=sys.stderr)
        except OSError as error:
            # A full disk or a folder without write permission is the user's to mend, not a defect.
            if error.errno in (errno.ENOSPC, errno.EDQUOT):  # while writing: the system names no file
                print(f"error: {os.strerror(error.errno)}; free some space and run again", file=sys.stderr)
            elif error.filename is None:
                raise
            else:
                reason = os.strerror(error.errno or 0)
                print(f"error: {error.filename}: {reason}; check the path and its permissions", file=sys.stderr)
        raise SystemExit(1)

    return wrapped
