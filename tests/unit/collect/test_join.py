"""What waits in the spool goes out in few requests, and every record under its own number."""

import gzip
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest

from cgii.base import limits
from cgii.collect.buffer import Batch
from cgii.collect.join import Request, requests_of, waiting
from cgii.collect.send import pack
from cgii.collect.spool import Entry, Place
from cgii.model.event import Origin, Raw

A, B = Origin("syslog", "udp", "e1"), Origin("linux_auth", "file", "e1")
LATER = Origin("syslog", "udp", "e2")


def entry(origin: Origin, seq: int, *texts: str, peer: str = "") -> Entry:
    raws = [Raw(seq + number, text.encode(), peer) for number, text in enumerate(texts)]
    return Entry(Place(0, seq), Place(0, seq + 1), len(raws), pack(Batch(origin, raws)))


def read(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(gzip.decompress(request.body))
    return found


def told(requests: Sequence[Request]) -> list[tuple[str, str, int, list[str]]]:
    """What is in each request."""
    bodies = map(read, requests)
    return [(one["source"], one["epoch"], one["seq"], one["records"]) for one in bodies]


def test_batches_of_one_stream_are_joined_also_across_others() -> None:
    entries = [entry(A, 5, "a", "b"), entry(B, 0, "x"), entry(A, 7, "c"), entry(B, 1, "y")]
    requests = requests_of(entries)

    assert told(requests) == [
        ("syslog", "e1", 5, ["a", "b", "c"]),
        ("linux_auth", "e1", 0, ["x", "y"]),
    ]
    assert [list(one.entries) for one in requests] == [entries[::2], entries[1::2]]


def test_another_epoch_or_a_gap_begins_another_request() -> None:
    entries = [entry(A, 0, "a"), entry(A, 2, "c"), entry(LATER, 3, "d"), entry(A, 3, "e")]

    assert told(requests_of(entries)) == [
        ("syslog", "e1", 0, ["a"]),
        ("syslog", "e1", 2, ["c", "e"]),
        ("syslog", "e2", 3, ["d"]),
    ]


def test_another_zone_begins_another_request_and_stays_with_its_records() -> None:
    utc = replace(A, zone="UTC")
    requests = requests_of([entry(A, 0, "a"), entry(utc, 1, "b"), entry(utc, 2, "c")])

    assert [read(one).get("zone") for one in requests] == [None, "UTC"]
    assert told(requests)[1] == ("syslog", "e1", 1, ["b", "c"])


def test_who_spoke_stays_with_each_record() -> None:
    entries = [entry(A, 0, "a"), entry(A, 1, "b", peer="10.0.0.1")]
    (request,) = requests_of(entries)

    assert read(request)["peers"] == ["", "10.0.0.1"]
    assert "peers" not in read(requests_of([entries[0], entry(A, 1, "b")])[0])


def test_a_request_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [entry(A, number, "x" * 100) for number in range(6)]
    monkeypatch.setattr(limits, "LISTEN_BATCH_RECORDS", 4)
    assert [len(one.entries) for one in requests_of(entries)] == [4, 2]
    monkeypatch.setattr(limits, "JOINED_BYTES_MAX", 400)
    assert [len(one.entries) for one in requests_of(entries)] == [2, 2, 2]


def test_no_more_is_taken_from_the_queue_than_one_request_may_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = [entry(A, number, "x") for number in range(6)]
    following = dict(pairwise(entries))
    monkeypatch.setattr(limits, "LISTEN_BATCH_RECORDS", 4)
    assert list(waiting(entries[0], following.get)) == entries[:4]
    assert list(waiting(entries[4], following.get)) == entries[4:]
    monkeypatch.setattr(limits, "JOINED_BYTES_MAX", 1)
    assert list(waiting(entries[0], following.get)) == entries[:1]


@pytest.mark.parametrize("body", [b"", b"no gzip", gzip.compress(b"{"), gzip.compress(b"[1]")])
def test_what_cannot_be_read_goes_out_as_it_is(body: bytes) -> None:
    entries = [entry(A, 0, "a"), Entry(Place(0, 1), Place(0, 2), 1, body), entry(A, 1, "b")]

    assert [one.body for one in requests_of(entries)] == [one.body for one in entries]


def test_a_lone_batch_is_sent_as_it_lies() -> None:
    lone = entry(A, 3, "a")
    assert requests_of([lone]) == [Request(lone.body, [lone])]
