"""An endpoint on loopback that speaks chat completions, and fails when it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Failure:
    """Instead of an answer: a status with a message or a page, or, without a status, silence for some seconds or a lost connection."""

    status: int = 0
    message: str = ""
    seconds: float = 0.0
    page: str | None = None
    is_lost: bool = False


@dataclass
class Endpoint:
    """answer: the text for a request's body. failures: given first, one a request, whoever asks."""

    answer: Callable[[dict[str, Any]], str] = lambda body: f"You said {body['messages'][-1]['content']}"
    failures: list[Failure] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    most_at_once: int = 0
    url: str = ""
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any] | str]:
        """Status, and JSON or a page. Raises ConnectionError where there is to be no answer."""
        with self._lock:
            self.asked.append(body)
            self.keys.add(key)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            failure = self.failures.pop(0) if self.failures else None
        time.sleep(failure.seconds if failure else 0.02)
        with self._lock:
            self._at_once -= 1
        if failure and failure.is_lost:
            raise ConnectionError
        if failure and failure.page is not None:
            return failure.status, failure.page
        if failure and failure.status:
            return failure.status, {"error": {"message": failure.message}}
        text = self.answer(body)
        usage = {"prompt_tokens": 10, "completion_tokens": len(text.split()), "total_tokens": 10 + len(text.split())}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        about = {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"]}
        return 200, {**about, "choices": [choice], "usage": usage}


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[Endpoint]:
    """The endpoint, with its `url`, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                status, answer = endpoint.reply(body, self.headers.get("Authorization", "").removeprefix("Bearer "))
                content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if content.startswith(b"<") else "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("retry-after-ms", "5")
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:  # who asked has gone, or is to think that we have
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
