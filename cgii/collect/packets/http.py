"""HTTP/1: the heads of requests and answers of one conversation; bodies pass by."""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from cgii.base import limits
from cgii.collect.packets.beginnings import HALF, WHOLE, Ledger
from cgii.collect.packets.flows import seconds

METHODS = (
    b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"PATCH ",
    b"TRACE ", b"PROPFIND ", b"PROPPATCH ", b"MKCOL ", b"COPY ", b"MOVE ", b"LOCK ", b"UNLOCK ",
    b"SEARCH ", b"REPORT ", b"DEBUG ",
)  # fmt: skip
ANSWERS = (b"HTTP/1.",)
VERSIONS = (b"HTTP/1.0", b"HTTP/1.1")
END = re.compile(rb"\r?\n\r?\n")
END_BYTES = 3  # of it there may be so many before the last one
LAST_CHUNK = b"\r\n0\r\n\r\n"
BLANKS = b"\r\n"  # servers pass over them before a request
OF_REQUEST = {
    b"host": "host", b"user-agent": "user_agent", b"referer": "referrer", b"origin": "origin",
    b"content-length": "request_body_len", b"content-type": "request_content_type",
    b"x-forwarded-for": "x_forwarded_for", b"proxy-connection": "proxy_connection",
}  # fmt: skip
OF_ANSWER = {
    b"server": "server", b"content-type": "content_type", b"content-length": "response_body_len",
    b"location": "location", b"content-disposition": "content_disposition",
}  # fmt: skip
WITHOUT_BODY = frozenset({b"101", b"204", b"304"})
NUMBERS = frozenset({"request_body_len", "response_body_len"})
VALUE_CHARS_MAX = 4_096
REQUEST_BYTES = 2_048  # what a request that waits takes beside its text, about


class Http:
    """One conversation. `feed` takes what each side says in order and gives finished records."""

    service = "http"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._kept: list[bytes] = [b"", b""]  # of a head that has not ended
        self._left: list[int | None] = [0, 0]  # bytes of a body; None: it does not say how many
        # Each with the bytes that it takes, and the number before which its answer cannot begin.
        self._waiting: deque[tuple[int, int, dict[str, Any]]] = deque()
        self.acknowledged = 0  # up to here the client has what the server said
        self._heads = 0
        self._at = 0  # of what was fed last

    @property
    def is_done(self) -> bool:
        """Whether nothing more is wanted."""
        return self._heads >= limits.HEADS_MAX

    def feed(self, way: int, data: bytes, at: int) -> Iterator[dict[str, Any]]:
        """What follows on what this side said before.

        A head begins where a segment does, or where the body before it ends.
        """
        whole = self._kept[way] + data
        self._drop(way)
        self._at = at
        if not _may_begin(way, whole):
            whole = data if begins_head(way, data) else self._behind_body(way, whole)
        while begins_head(way, whole) and not self.is_done:
            whole = whole.lstrip(BLANKS)
            self._left[way] = 0
            looked_at = max(len(whole) - len(data) - END_BYTES, 0)  # when the rest came
            found = END.search(whole, looked_at, limits.BEGINNING_BYTES_MAX)
            if found is None:
                if len(whole) < limits.BEGINNING_BYTES_MAX and self._ledger.take(len(whole)):
                    self._kept[way] = whole
                    return
                yield from self._head(way, whole[: limits.BEGINNING_BYTES_MAX], at)
                return
            yield from self._head(way, whole[: found.start()], at)
            whole = self._behind_body(way, whole[found.end() :])
        if _may_begin(way, whole) and not self.is_done and self._ledger.take(len(whole)):
            self._kept[way] = whole

    def _behind_body(self, way: int, data: bytes) -> bytes:
        """What comes after the body that this side is saying; it may be begun."""
        left = self._left[way]
        if left is None:
            end = data.find(LAST_CHUNK + starts(way)[0])
            return data if end < 0 else data[end + len(LAST_CHUNK) :]
        self._left[way] = max(left - len(data), 0)
        return data[left:]

    def end(self) -> Iterator[dict[str, Any]]:
        """Heads that did not end, and requests that nobody answered."""
        for way in (0, 1):
            yield from self._cut_off(way)
        while self._waiting:
            yield self._next()

    def _next(self) -> dict[str, Any]:
        """The request that has waited longest."""
        size, _, request = self._waiting.popleft()
        self._ledger.give(size)
        return request

    def skip(self, way: int, size: int, begin: int) -> Iterator[dict[str, Any]]:
        """So many bytes of this side are missing before `begin`.

        Requests whose answer may have begun there are told without one, unless only a body is cut.
        """
        left = self._left[way]
        yield from self._cut_off(way)
        if left is not None and size <= left:
            self._left[way] = left - size
            return
        self._left[way] = 0
        while way and self._waiting and (self._waiting[0][1] - begin) % WHOLE >= HALF:
            yield self._next()

    def _cut_off(self, way: int) -> Iterator[dict[str, Any]]:
        """Of a head that was cut: what its whole lines say."""
        lines, end, _ = self._kept[way].rpartition(b"\n")
        self._drop(way)
        if end:
            yield from self._head(way, lines, self._at)

    def _drop(self, way: int) -> None:
        self._ledger.give(len(self._kept[way]))
        self._kept[way] = b""

    def _head(self, way: int, head: bytes, at: int) -> Iterator[dict[str, Any]]:
        self._heads += 1
        first, *rest = head.split(b"\n")
        if way == 1:
            yield from self._answer(first.strip().split(None, 2), rest, at)
            return
        method, _, line = first.strip().partition(b" ")
        uri, _, version = line.strip().rpartition(b" ")
        if version not in VERSIONS or not uri:
            return
        told: dict[str, Any] = {"network_traffic": "http", "ts": seconds(at)}
        told["method"] = _text(method)
        told |= {"uri": _text(uri.rstrip()), "version": _text(version[5:])}
        told |= _fields(rest, OF_REQUEST)
        self._left[0] = None if _is_in_chunks(rest) else told.get("request_body_len", 0)
        size = len(head) + REQUEST_BYTES
        if not self._ledger.take(size):
            yield told
            return
        self._waiting.append((size, self.acknowledged, told))
        if len(self._waiting) > limits.REQUESTS_WAITING_MAX:
            yield self._next()

    def _answer(self, line: list[bytes], rest: list[bytes], at: int) -> Iterator[dict[str, Any]]:
        version, code, *words = [*line, b"", b""]
        if version not in VERSIONS or len(code) != 3 or not code.isdigit():
            return
        if code.startswith(b"1") and code != b"101":
            return  # 100 Continue: the answer is still to come
        request: dict[str, Any] = {"network_traffic": "http"}
        if self._waiting:
            request = self._next()
        request.setdefault("ts", seconds(at))
        request |= {"status_code": int(code), "status_msg": _text(words[0])}
        request |= _fields(rest, OF_ANSWER)
        has_body = request.get("method") != "HEAD" and code not in WITHOUT_BODY
        length = None if _is_in_chunks(rest) else request.get("response_body_len")
        self._left[1] = length if has_body else 0
        yield request


def starts(way: int) -> tuple[bytes, ...]:
    """What a head of this side begins with."""
    return ANSWERS if way else METHODS


def begins_head(way: int, data: bytes) -> bool:
    """Whether these bytes begin a head of this side."""
    return data.lstrip(BLANKS).startswith(starts(way))


def _may_begin(way: int, data: bytes) -> bool:
    """Whether a head begins here, which is not whole; of its first word there may be a part."""
    begun = data.lstrip(BLANKS)
    return bool(begun) and (
        begun.startswith(starts(way)) or any(one.startswith(begun) for one in starts(way))
    )


def _is_in_chunks(lines: list[bytes]) -> bool:
    return any(line.lower().startswith(b"transfer-encoding") for line in lines)


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
