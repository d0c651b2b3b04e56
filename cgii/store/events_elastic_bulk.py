"""Sends documents to Elasticsearch and looks at the answer for each of them.

The server says 200 to a bulk request of which it took nothing. So every item counts for itself:
taken, already there, to be offered again, or refused for good.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from elasticsearch import ApiError, TransportError

from cgii.base import counters, limits
from cgii.base.errors import Unavailable
from cgii.base.logs import logger
from cgii.store.events_elastic_link import Link, reason_of, refusal

log = logger("store")
_BUSY = (429, 503)
_TOO_LARGE = 413
_OF_A_DOCUMENT = frozenset(
    {
        "document_parsing_exception",
        "illegal_argument_exception",
        "mapper_parsing_exception",
        "strict_dynamic_mapping_exception",
    }
)
# Told of each document though it is about all of them: what somebody made of the index.
_OF_THE_INDEX = ("no write index is defined", "pipeline with id [")


@dataclass(frozen=True, slots=True)
class Item:
    """One document for one index; the id decides whether it is there already."""

    index: str
    id: str
    document: bytes

    @property
    def lines(self) -> bytes:
        """The two lines of the request; `create` never replaces what is there."""
        action = orjson.dumps({"create": {"_index": self.index, "_id": self.id}})
        return action + b"\n" + self.document


@dataclass(slots=True)
class Outcome:
    """What became of the items: new ones by id, and those refused for good with the reason."""

    created: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


class Patience:
    """When to stop trying, and how long to wait before the next try."""

    def __init__(self, closing: threading.Event) -> None:
        self._closing = closing
        self._until = time.monotonic() + limits.BULK_SECONDS_MAX
        self._wait = limits.BULK_WAIT_SECONDS[0]

    def pause(self, fault: Unavailable) -> None:
        """Wait a little longer than the last time; raises the fault when it is time to give up."""
        seconds = self._wait * random.uniform(0.5, 1.5)  # noqa: S311  not a secret
        if time.monotonic() + seconds > self._until or self._closing.wait(seconds):
            raise fault
        self._wait = min(self._wait * 2, limits.BULK_WAIT_SECONDS[1])


def send(link: Link, items: Sequence[Item], closing: threading.Event) -> Outcome:
    """Have all items taken or refused for good; returns when the server has them on disk.

    Raises Unavailable when some are neither after a while: whoever has the events keeps them.
    """
    outcome = Outcome()
    patience = Patience(closing)
    waiting = deque(_parts(items))
    while waiting:
        part = waiting.popleft()
        try:
            again, fault = _offer(link, part, outcome)
        except _TooLargeError:
            middle = len(part) // 2
            if middle:
                waiting.extendleft((part[middle:], part[:middle]))
            else:
                outcome.refused[part[0].id] = "document too large for the server"
            continue
        if fault is not None:
            patience.pause(fault)
        if again:
            waiting.appendleft(again)
    return outcome


class _TooLargeError(Exception):
    """The server does not take requests of this size."""


def _parts(items: Sequence[Item]) -> list[list[Item]]:
    parts: list[list[Item]] = []
    size = limits.BULK_BYTES_MAX
    for item in items:
        length = len(item.document) + 200
        if size + length > limits.BULK_BYTES_MAX or len(parts[-1]) >= limits.BULK_DOCUMENTS_MAX:
            parts.append([])
            size = 0
        parts[-1].append(item)
        size += length
    return parts


def _offer(link: Link, part: list[Item], outcome: Outcome) -> tuple[list[Item], Unavailable | None]:
    """One request; what is to be offered again, and the fault to wait for."""
    try:
        with link.asking() as client:
            answer = client.bulk(operations=_lines(part), filter_path=_WANTED)
    except ApiError as error:  # 400 or 404: the request as a whole
        raise refusal(error.status_code, reason_of(error.body)) from error
    except Unavailable as fault:
        cause = fault.__cause__
        if isinstance(cause, ApiError):
            if cause.status_code == _TOO_LARGE:
                raise _TooLargeError from fault
            if not _may_pass(cause.status_code, reason_of(cause.body)[0]):
                raise
            reason = "busy" if cause.status_code in _BUSY else "fault"
        elif isinstance(cause, TransportError):
            reason = "connection"  # perhaps they arrived: then they will be there already
        else:
            raise
        counters.EVENT_WRITES_RETRIED.labels(reason).inc(len(part))
        return part, fault
    return _sorted_out(part, answer.body["items"], outcome)


_WANTED = ("errors", "items.*.status", "items.*.error")


def _lines(part: list[Item]) -> list[Any]:  # the client's serializer takes bytes as they are
    return [item.lines for item in part]


def _sorted_out(
    part: list[Item], answers: Sequence[Mapping[str, Any]], outcome: Outcome
) -> tuple[list[Item], Unavailable | None]:
    again: list[Item] = []
    fault: Unavailable | None = None
    for item, answer in zip(part, answers, strict=True):
        (result,) = answer.values()
        status = int(result["status"])
        if status in (200, 201):
            outcome.created.add(item.id)
        elif status == 409:
            continue  # an earlier try of ours, or another copy: it is there
        elif _is_about_it(status, result):
            outcome.refused[item.id] = ": ".join(filter(None, reason_of(result["error"])))
        else:
            told = reason_of(result.get("error", ""))
            fault = refusal(status, told)
            if not _may_pass(status, told[0]):
                raise fault
            reason = "busy" if status in _BUSY else "fault"
            counters.EVENT_WRITES_RETRIED.labels(reason).inc()
            again.append(item)
    return again, fault


def _is_about_it(status: int, result: Mapping[str, Any]) -> bool:
    """Whether the document itself is refused, rather than its index being out of order."""
    kind, reason = reason_of(result.get("error", ""))
    return status == 400 and kind in _OF_A_DOCUMENT and not reason.startswith(_OF_THE_INDEX)


def _may_pass(status: int, kind: str) -> bool:
    """Whether the same may succeed in a moment. A full disk does not empty itself so soon."""
    return (status == 429 or status >= 500) and kind != "cluster_block_exception"
