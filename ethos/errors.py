"""Bad input is told in one line that names the file, the line and the field, and says what to do."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

_LIST = "must be a list: [a, b], or each item on a line of its own behind `- `"
_MAPPING = "must be a mapping, each field on a line of its own as `name: value`"
_TEXT = "must be text; put it in quotes (a colon, yes, no, a date or a number is read otherwise)"
_TRUTH = "must be true or false"
_WHOLE_NUMBER = "must be a whole number"
# By pydantic's type of an error; its context fills the braces.
_WRONG = {
    "missing": "is missing; add it",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "string_type": _TEXT,
    "invalid_key": _TEXT,
    "string_too_short": "is empty; fill it in",
    "too_short": "has too few items ({actual_length}); give at least {min_length}",
    "too_long": "has too many items ({actual_length}); give at most {max_length}",
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
}
# What the patterns of fields allow.
_PATTERNS = {
    r"^[a-z0-9][a-z0-9_.-]*$": "must be of small letters, digits, `_`, `.` and `-`, a letter or digit first",
    r"^[a-z][a-z0-9_]*$": "must be of small letters, digits and `_`, a letter first",
    r"^([A-Z][A-Z0-9_]*)?$": "must name an environment variable, as SOME_API_KEY, and not be the key itself",
    r"^([a-z0-9][a-z0-9.-]*)?$": "must be a licence as the Hub spells it, as apache-2.0",
    r"^\S(.*\S)?$": "must be on one line, without spaces around it, and not empty",
    r"^[\w.,+-]+$": "must be the name of a task, of letters, digits, `_`, `.`, `,`, `+` and `-`",
}


def what_is_wrong(found: Mapping[str, Any]) -> str:
    """What is wrong with a value and what to do, from an error of pydantic's. The value is not told: it may be a secret."""
    kind, context = found["type"], found.get("ctx", {})
    if kind == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        return _PATTERNS[context["pattern"]]
    if kind in _WRONG:
        return (_WRONG[kind] if found["input"] is not None else "is empty; fill it in").format(**context)
    message = found["msg"].removeprefix("Value error, ")
    return message[0].lower() + message[1:]


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
