"""Validate an archive as a Workflow Run RO-Crate with the public validator, without a network.

Run by the Python of `make validator`. The validator asks the web for the words of RO-Crate 1.1; its cache is given the copy
that comes with rocrate.
"""

import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import requests
import rocrate
from requests_cache import CachedSession
from urllib3 import HTTPResponse

ADDRESS = "https://w3id.org/ro/crate/1.1/context"
WORDS = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"


def fill_cache(cache: Path) -> None:
    answer = requests.Response()
    answer.status_code, answer.url = 200, ADDRESS
    answer.request = requests.Request("GET", ADDRESS).prepare()
    answer.headers["Content-Type"] = "application/ld+json"
    answer.raw = HTTPResponse(BytesIO(WORDS.read_bytes()), answer.headers, 200, preload_content=False)
    CachedSession(cache_name=str(cache), backend="sqlite").cache.save_response(answer)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        fill_cache(cache)
        validator = Path(sys.executable).with_name("rocrate-validator")
        command = [validator, "--no-interactive", "validate", "--offline", "--cache-path", cache, "--no-paging"]
        return subprocess.run(
            [*command, "--verbose", "--profile-identifier", "workflow-run-crate-0.5", sys.argv[1]]
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
