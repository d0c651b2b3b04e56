"""A batch reaches the centre as it expects it, and comes back when the centre is busy."""

import gzip
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx2
import orjson
import pytest

from cgii.base import clock
from cgii.base.errors import CgiiError, Invalid, NotAllowed, NotSignedIn, Unavailable
from cgii.base.signatures import SecretKey, is_genuine, read_signed, told_time
from cgii.collect.buffer import Batch
from cgii.collect.send import Authorise, Sender, by_key, by_token, pack, pause_before_next
from cgii.model.event import Origin, Raw
from tests.certificates import Authority, Pair

BATCH = Batch(
    Origin("linux_auth", "syslog:udp:here/linux_auth", "e1"),
    [Raw(5, b"one \xff", "10.0.0.1"), Raw(6, {"a": 1}, "10.0.0.2")],
)


def sender(
    answer: Callable[[httpx2.Request], httpx2.Response], authorise: Authorise | None = None
) -> Sender:
    known_by = authorise or by_token("secreto")
    transport = httpx2.MockTransport(answer)
    return Sender("https://centro.example/", known_by, transport=transport)


def test_the_body_says_source_numbering_and_records() -> None:
    assert orjson.loads(gzip.decompress(pack(BATCH))) == {
        "source": "linux_auth",
        "stream": "syslog:udp:here/linux_auth",
        "epoch": "e1",
        "seq": 5,
        "records": ["one \ufffd", {"a": 1}],
        "peers": ["10.0.0.1", "10.0.0.2"],
    }


def test_the_body_says_the_zone_of_an_input_that_has_one() -> None:
    batch = Batch(replace(BATCH.origin, zone="UTC"), BATCH.raws)

    assert orjson.loads(gzip.decompress(pack(batch)))["zone"] == "UTC"


def test_a_batch_is_sent_once_with_the_token() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"events": 0})

    with sender(answer) as centre:
        centre.send(pack(BATCH))
    (request,) = seen
    assert str(request.url) == "https://centro.example/api/v1/ingest"
    assert request.headers["Authorization"] == "Bearer secreto"
    assert request.headers["Content-Encoding"] == "gzip"
    assert request.content == pack(BATCH)


def test_a_token_that_cannot_be_sent_is_told_without_it() -> None:
    with (
        sender(lambda _: httpx2.Response(200, json={}), by_token("secreto ñ")) as centre,
        pytest.raises(Unavailable) as told,
    ):
        centre.send(pack(BATCH))

    assert "no son ASCII" in str(told.value)
    assert "secreto" not in str(told.value)


def test_a_batch_is_signed_as_it_is_sent() -> None:
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"events": 0})

    key = SecretKey.fresh()
    with sender(answer, by_key(lambda: key)) as centre:
        centre.send(pack(BATCH))
    (request,) = seen
    signed = read_signed({name.lower(): value for name, value in request.headers.items()})
    assert signed is not None
    assert is_genuine(
        signed, key.public, method="POST", path="/api/v1/ingest", body=request.content
    )
    assert "Authorization" not in request.headers


def test_a_busy_centre_names_the_time_to_wait() -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(503, headers={"Retry-After": "7"})

    with sender(answer) as centre, pytest.raises(Unavailable) as told:
        centre.send(b"")
    assert pause_before_next(0, told.value, 0.0) == 7
    assert pause_before_next(0, told.value, 1.0) == 14  # not all that were told so come at once


def test_a_silent_centre_may_be_asked_again() -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with sender(answer) as centre, pytest.raises(Unavailable, match="refused"):
        centre.send(b"")


@pytest.mark.parametrize(
    ("status", "error"), [(401, NotSignedIn), (403, NotAllowed), (422, Invalid), (413, Invalid)]
)
def test_a_refusal_is_told_in_the_centres_words(status: int, error: type[CgiiError]) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, json={"detail": "porque sí"})

    with sender(answer) as centre, pytest.raises(error, match="porque sí"):
        centre.send(b"")


def test_a_wrong_clock_signs_with_the_centres_time() -> None:
    there = clock.now() + timedelta(hours=3)
    created: list[int] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        signed = read_signed({name.lower(): value for name, value in request.headers.items()})
        assert signed is not None
        created.append(signed.created)
        is_fresh = abs(signed.created - there.timestamp()) < 300
        return httpx2.Response(
            200 if is_fresh else 401,
            headers={"Cgii-Time": told_time(there, signed.nonce)},
            json={"events": 0},
        )

    key = SecretKey.fresh()
    with sender(answer, by_key(lambda: key)) as centre:
        centre.send(b"")
        centre.send(b"")
        assert abs(centre.skew + timedelta(hours=3)) < timedelta(seconds=120)
    assert len(created) == 3  # the first one is tried again at once


def test_a_refusal_with_a_right_clock_is_asked_once() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(401, headers={"Cgii-Time": told_time(clock.now(), "")})

    with sender(answer) as centre, pytest.raises(NotSignedIn):
        centre.send(b"")
    assert len(asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(200),
        httpx2.Response(200, text="<html>En mantenimiento</html>"),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={"status": "ok"}),
    ],
)
def test_a_proxy_that_says_200_takes_no_batch(answer: httpx2.Response) -> None:
    with sender(lambda _: answer) as centre, pytest.raises(Unavailable, match="otra cosa"):
        centre.send(b"")


def test_only_who_knows_the_request_tells_the_time() -> None:
    late = clock.now() - timedelta(hours=3)
    answers: list[dict[str, str]] = [
        {"Date": format_datetime(late, usegmt=True)},  # a proxy's
        {"Cgii-Time": told_time(late, "")},  # said to somebody who did not sign
        {"Cgii-Time": told_time(late, "n" * 24)},  # said to another request, and kept
    ]
    asked = iter(answers)

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers=next(asked), json={"events": 0})

    key = SecretKey.fresh()
    with sender(answer, by_key(lambda: key)) as centre:
        for _ in answers:
            centre.send(b"")
            assert centre.skew == timedelta(0)


@pytest.mark.parametrize("told", ["99999999999", "-5", "ayer", "", "1e9", "1764417600;nonce=x"])
def test_a_time_that_cannot_be_says_nothing_of_our_clock(told: str) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"Cgii-Time": told}, json={"events": 0})

    with sender(answer) as centre:
        centre.send(b"")
        assert centre.skew == timedelta(0)


def test_who_shows_a_token_is_told_the_time_too() -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        there = clock.now() - timedelta(hours=3)
        return httpx2.Response(200, headers={"Cgii-Time": told_time(there, "")}, json={"events": 0})

    with sender(answer) as centre:
        centre.send(b"")
        assert abs(centre.skew - timedelta(hours=3)) < timedelta(seconds=120)


class OneAnswer(BaseHTTPRequestHandler):
    """Takes every batch."""

    def do_POST(self) -> None:
        body = b'{"events": 0}'
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def centre_with(pair: Pair) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), OneAnswer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_authority_put_in_place_of_the_old_one_is_trusted_without_a_restart(
    tmp_path: Path,
) -> None:
    old, new = Authority(tmp_path, "antes"), Authority(tmp_path, "ahora")
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(old.file.read_bytes())
    with (
        centre_with(new.issue("centro")) as url,
        Sender(url, by_token("secreto"), ca_file=trusted) as centre,
    ):
        for damage in (old.file.read_bytes(), b"not yet", None):
            if damage is None:
                trusted.unlink()
            else:
                trusted.write_bytes(damage)
            with pytest.raises(Unavailable, match="El centro no responde"):
                centre.send(pack(BATCH))
        trusted.write_bytes(new.file.read_bytes())
        with pytest.raises(Unavailable):
            centre.send(pack(BATCH))
        centre.send(pack(BATCH))
