"""What must not leave a machine: secrets, and the paths of its folders."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_REMOVED = "[removed]"
_SHORTEST = 8  # a shorter value of such a variable is a switch
_SECRET_NAME = re.compile(r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASS|KEY|APIKEY|CREDENTIALS?)(?:_|$)", re.IGNORECASE)
# As services issue them: Hugging Face, OpenAI and Anthropic, GitHub, GitLab, AWS, Google, Slack; private keys; passwords
# in an address.
_TOKEN = re.compile(
    r"hf_[A-Za-z0-9]{20,}|\bsk-[\w-]{20,}|\bgh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[\w-]{35}|\bxox[abprs]-[\w-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----)?"
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)",
    re.DOTALL,
)
_ASSIGNED = re.compile(
    r"((?:token|secret|password|passwd|api[_-]?key|authorization)[\"']?\s*[=:]\s*[\"']?(?:bearer\s+)?)[^\s\"',;]{8,}",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\bbearer\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
_ABSOLUTE = re.compile(r"(?<![\w.:/~…-])/(?:[\w.@+-]+/)+(?=[\w.@+-])")


def secrets_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The values of variables whose names say that they are secret, with those names."""
    return {
        value: name
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _SHORTEST and not Path(value).exists()
    }


class Redaction:
    """Finds secrets in texts, and takes them and the paths of this machine out.

    folders: what to write for a folder of this machine. environment: where secrets may be.
    """

    def __init__(self, folders: Mapping[Path, str], environment: Mapping[str, str] = os.environ):
        self._secrets = secrets_of(environment)
        spelt = {str(path): word for folder, word in folders.items() for path in (folder.absolute(), folder.resolve())}
        self._folders = {path: word for path, word in spelt.items() if path != "/"}

    def secret_in(self, text: str, *, tokens: bool = True) -> str | None:
        """What kind of secret a text holds, without telling it. tokens: look for what merely looks like one, too."""
        for value, name in self._secrets.items():
            if value in text:
                return f"the value of {name}"
        return "what looks like an access token" if tokens and _TOKEN.search(text) else None

    def clean(self, text: str) -> str:
        """A text that people read, without secrets and without the folders of this machine."""
        for value in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(value, _REMOVED)
        text = _TOKEN.sub(_REMOVED, text)
        for path in sorted(self._folders, key=len, reverse=True):
            text = re.sub(rf"{re.escape(path)}(?![\w-]|\.\w)", self._folders[path], text)
        return text

    def clean_log(self, text: str) -> str:
        """A text that programs wrote: what is assigned to a secret's name goes, and of any other path its folders."""
        text = _BEARER.sub(rf"\1{_REMOVED}", _ASSIGNED.sub(rf"\1{_REMOVED}", self.clean(text)))
        return _ABSOLUTE.sub("…/", text)
