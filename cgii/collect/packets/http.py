"""HTTP/1: the heads of requests and answers of one conversation; bodies pass by."""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from cgii.base import limits
from cgii.collect.packets.beginnings import Ledger
from cgii.collect.packets.flows import seconds

METHODS = (
    b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"PATCH ",
    b"TRACE ", b"PROPFIND ", b"PROPPATCH ", b"MKCOL ", b"COPY ", b"MOVE ", b"LOCK ", b"UNLOCK ",
    b"SEARCH ", b"REPORT ", b"DEBUG ",
)  # fmt: skip
ANSWER = b"HTTP/1."
REQUEST_LINE = re.compile(rb"([A-Z]{3,12}) +(\S{1,8192}) +HTTP/(1\.[01])\r?$")
STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) +(\d{3})(?: +(.{0,200}?))?\r?$")
END = re.compile(rb"\r?\n\r?\n")
OF_REQUEST = {
    b"host": "host", b"user-agent": "user_agent", b"referer": "referrer", b"origin": "origin",
    b"content-length": "request_body_len", b"content-type": "request_content_type",
    b"x-forwarded-for": "x_forwarded_for", b"proxy-connection": "proxy_connection",
}  # fmt: skip
OF_ANSWER = {
    b"server": "server", b"content-type": "content_type", b"content-length": "response_body_len",
    b"location": "location", b"content-disposition": "content_disposition",
}  # fmt: skip
NUMBERS = frozenset({"request_body_len", "response_body_len"})
VALUE_CHARS_MAX = 4_096
REQUEST_BYTES = 2_048  # what a request that waits takes beside its text, about


class Http:
    """One conversation. `feed` takes what each side says in order and gives finished records."""

    service = "http"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._kept: list[bytes] = [b"", b""]  # of a head that has not ended
        self._waiting: deque[tuple[int, dict[str, Any]]] = deque()  # with what they take
        self._heads = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing more is wanted."""
        return self._heads >= limits.HEADS_MAX

    def feed(self, way: int, data: bytes, at: int) -> Iterator[dict[str, Any]]:
        """What follows on what this side said before. A head begins where a segment does."""
        before = self._kept[way]
        if not before and not data.startswith(ANSWER if way else METHODS):
            return
        whole = before + data
        self._drop(way)
        while whole.startswith(ANSWER if way else METHODS) and not self.is_done:
            found = END.search(whole, 0, limits.BEGINNING_BYTES_MAX)
            if found is None:
                if len(whole) < limits.BEGINNING_BYTES_MAX and self._ledger.take(len(whole)):
                    self._kept[way] = whole
                    return
                yield from self._head(way, whole[: limits.BEGINNING_BYTES_MAX], at)
                return
            yield from self._head(way, whole[: found.start()], at)
            whole = whole[found.end() :]

    def end(self) -> Iterator[dict[str, Any]]:
        """Requests that nobody answered."""
        self._drop(0)
        self._drop(1)
        while self._waiting:
            yield self._next()

    def _next(self) -> dict[str, Any]:
        """The request that has waited longest."""
        size, request = self._waiting.popleft()
        self._ledger.give(size)
        return request

    def skip(self, way: int) -> None:
        """What comes next does not follow on what was said before: a head that was cut is none."""
        self._drop(way)

    def _drop(self, way: int) -> None:
        self._ledger.give(len(self._kept[way]))
        self._kept[way] = b""

    def _head(self, way: int, head: bytes, at: int) -> Iterator[dict[str, Any]]:
        self._heads += 1
        first, *rest = head.split(b"\n")
        if way == 0:
            line = REQUEST_LINE.match(first)
            if line is None:
                return
            told = {"network_traffic": "http", "ts": seconds(at), "method": _text(line[1])}
            told |= {"uri": _text(line[2]), "version": _text(line[3])}
            told |= _fields(rest, OF_REQUEST)
            size = len(head) + REQUEST_BYTES
            if not self._ledger.take(size):
                yield told
                return
            self._waiting.append((size, told))
            if len(self._waiting) > limits.REQUESTS_WAITING_MAX:
                yield self._next()
            return
        line = STATUS_LINE.match(first)
        if line is None or line[2].startswith(b"1"):
            return  # 100 Continue: the answer is still to come
        request: dict[str, Any] = {"network_traffic": "http"}
        if self._waiting:
            request = self._next()
        request.setdefault("ts", seconds(at))
        request |= {"status_code": int(line[2]), "status_msg": _text(line[3] or b"")}
        yield request | _fields(rest, OF_ANSWER)


def _fields(lines: list[bytes], wanted: dict[bytes, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        target = wanted.get(name.strip().lower())
        if not colon or target is None or target in found:
            continue
        value = value.strip()
        if target not in NUMBERS:
            found[target] = _text(value)
        elif value.isdigit() and len(value) < 16:
            found[target] = int(value)
    return found


def _text(raw: bytes) -> str:
    return raw[:VALUE_CHARS_MAX].decode(errors="backslashreplace")
