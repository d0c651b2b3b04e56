"""A batch reaches the centre as it expects it, and comes back when the centre is busy."""

import gzip
from collections.abc import Callable

import httpx2
import orjson
import pytest

from cgii.base import limits
from cgii.base.errors import CgiiError, Invalid, NotAllowed, NotSignedIn, Unavailable
from cgii.collect.buffer import Batch
from cgii.collect.send import Sender, pack
from cgii.model.event import Origin, Raw

BATCH = Batch(
    Origin("linux_auth", "syslog:udp:here/linux_auth", "e1"),
    [Raw(5, b"one \xff", "10.0.0.1"), Raw(6, {"a": 1}, "10.0.0.2")],
)


def sender(answer: Callable[[httpx2.Request], httpx2.Response], pauses: list[float]) -> Sender:
    return Sender(
        "https://centro.example/",
        "secreto",
        transport=httpx2.MockTransport(answer),
        pause=pauses.append,
    )


def test_the_body_says_source_numbering_and_records() -> None:
    assert orjson.loads(gzip.decompress(pack(BATCH))) == {
        "source": "linux_auth",
        "stream": "syslog:udp:here/linux_auth",
        "epoch": "e1",
        "seq": 5,
        "records": ["one \ufffd", {"a": 1}],
        "peers": ["10.0.0.1", "10.0.0.2"],
    }


def test_a_batch_is_sent_once_with_the_token() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={})

    with sender(answer, []) as centre:
        centre.deliver(BATCH)
    (request,) = seen
    assert str(request.url) == "https://centro.example/api/v1/ingest"
    assert request.headers["Authorization"] == "Bearer secreto"
    assert request.headers["Content-Encoding"] == "gzip"
    assert request.content == pack(BATCH)


def test_a_busy_centre_is_asked_again_after_the_time_it_names() -> None:
    answers = [
        httpx2.Response(503, headers={"Retry-After": "7"}),
        httpx2.Response(404),
        httpx2.Response(200),
    ]
    pauses: list[float] = []
    with sender(lambda _: answers.pop(0), pauses) as centre:
        centre.deliver(BATCH)
    assert len(pauses) == 2
    assert 7 <= pauses[0] <= 14  # not all that were told so come back at once
    assert 1 <= pauses[1] <= 2


def test_a_silent_centre_is_given_up_after_some_tries() -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    pauses: list[float] = []
    with sender(answer, pauses) as centre, pytest.raises(Unavailable, match="refused"):
        centre.deliver(BATCH)
    assert len(pauses) == limits.SEND_TRIES_MAX - 1


@pytest.mark.parametrize(
    ("status", "error"), [(401, NotSignedIn), (403, NotAllowed), (422, Invalid), (413, Invalid)]
)
def test_a_refusal_is_told_at_once(status: int, error: type[CgiiError]) -> None:
    pauses: list[float] = []
    with sender(lambda _: httpx2.Response(status), pauses) as centre, pytest.raises(error):
        centre.deliver(BATCH)
    assert pauses == []
