"""A proxy on loopback that stands before a real server and spoils chosen requests."""

import http.client
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# What can be done to a request: an answer of our own, or a connection that is cut before or after
# the server did it, or an answer that says of every other item that the server was too busy.
CUT_BEFORE, CUT_AFTER, HALF_BUSY = "cut before", "cut after", "half busy"
Fault = int | str


@dataclass
class Proxy:
    """Where it listens; `faults` are used up by bulk requests one after the other.

    `before` is called before each bulk request is passed on. `is_elastic` off makes every answer
    that of some other program. `answers` has what is said, with status 200, to a path of that end.
    """

    url: str = ""
    faults: deque[Fault] = field(default_factory=deque)
    always: Fault | None = None
    before: Callable[[], None] = lambda: None
    is_elastic: bool = True
    answers: dict[str, Any] = field(default_factory=dict)
    bulks: int = 0


@contextmanager
def fault_proxy(server_url: str) -> Iterator[Proxy]:
    """A proxy before the server at that address."""
    parts = urlsplit(server_url)
    proxy = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault: Fault | None = None
            for end, told in proxy.answers.items():
                if self.path.endswith(end):
                    self._answer(200, json.dumps(told).encode())
                    return
            if "/_bulk" in self.path:
                proxy.bulks += 1
                proxy.before()
                fault = proxy.faults.popleft() if proxy.faults else proxy.always
            if isinstance(fault, int):
                error = {"type": "es_rejected_execution_exception", "reason": "spoilt"}
                self._answer(fault, json.dumps({"error": error, "status": fault}).encode())
                return
            if fault == CUT_BEFORE:
                self.close_connection = True
                return
            server = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=240)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "accept-encoding"}
            server.request(self.command, self.path, body, headers)
            answer = server.getresponse()
            told, kind = answer.read(), answer.headers.get("Content-Type", "")
            server.close()
            if fault == CUT_AFTER:
                self.close_connection = True
                return
            if fault == HALF_BUSY:
                told = _half_busy(told)
            self._answer(answer.status, told, kind)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _pass_on  # noqa: N815

        def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            if proxy.is_elastic:
                self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    proxy.url = f"http://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


def _half_busy(told: bytes) -> bytes:
    answer = json.loads(told)
    for item in answer["items"][::2]:
        item["create"] = {
            "status": 429,
            "error": {"type": "es_rejected_execution_exception", "reason": "queue is full"},
        }
    return json.dumps(answer).encode()
