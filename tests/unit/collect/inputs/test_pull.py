"""An interface is asked from its cursor; each record is stored once, whatever happens between."""

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from cgii.base import limits
from cgii.base.errors import Invalid, NotAllowed, Unavailable
from cgii.collect import outgoing
from cgii.collect.input_config import PullConfig
from cgii.collect.inputs.pages import read_page
from cgii.collect.inputs.pull import Pull
from cgii.collect.outgoing import Asker, address_of, target_of
from tests.certificates import Authority
from tests.unit.collect.inputs.collecting import Kept, a_while, collecting, until

pytestmark = pytest.mark.usefixtures("quick")

HERE = (ip_network("127.0.0.0/8"),)
Say = Callable[[BaseHTTPRequestHandler], tuple[int, dict[str, str], bytes]]


class Interface:
    """A server on loopback that says what the test wants and remembers what it was asked."""

    def __init__(self) -> None:
        self.say: Say = lambda request: (200, {}, b"[]")
        self.asked: list[tuple[str, dict[str, str]]] = []
        interface = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                interface.asked.append((self.path, dict(self.headers)))
                status, headers, body = interface.say(self)
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *given: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, rest: str = "/events") -> str:
        return f"http://127.0.0.1:{self.server.server_port}{rest}"

    def paged(self, records: list[Any], size: int) -> None:
        """Serve records by `since`, the number of the next one."""

        def say(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
            since = int(parse_qs(urlsplit(request.path).query).get("since", ["0"])[0])
            shown = records[since : since + size]
            following = since + size if len(shown) == size else since
            return 200, {}, json.dumps({"items": shown, "next": following}).encode()

        self.say = say


@pytest.fixture
def interface() -> Iterator[Interface]:
    found = Interface()
    yield found
    found.server.shutdown()
    found.server.server_close()


def pull(interface: Interface, rest: str = "/events", **more: Any) -> Pull:
    url = interface.url(rest)
    given = {"records": "items", "cursor": "next", "parameter": "since"} | more
    return Pull("wazuh_alerts", url, target_of(url, HERE), 0.02, **given)  # type: ignore[arg-type]


def numbers(kept: Kept) -> list[int]:
    return sorted(json.loads(text)["n"] for text in kept.texts)


def test_pages_are_followed_and_what_comes_later_arrives_once(
    interface: Interface, kept: Kept
) -> None:
    records = [{"n": number} for number in range(25)]
    interface.paged(records, 10)

    async def run() -> None:
        async with collecting(kept, pull(interface)):
            await until(lambda: len(kept.texts) == 25, "all pages arrive")
            records.extend({"n": number} for number in range(25, 33))
            await until(lambda: len(kept.texts) == 33, "what is new arrives")
            await a_while()
        records.append({"n": 33})
        async with collecting(kept, pull(interface)):
            await until(lambda: len(kept.texts) == 34, "what came meanwhile arrives")
            await a_while()

    asyncio.run(run())
    assert numbers(kept) == list(range(34))
    assert kept.again == 0
    assert kept.changed == []


def test_a_kill_before_the_cursor_is_kept_stores_nothing_twice(
    interface: Interface, kept: Kept
) -> None:
    records = [{"n": number} for number in range(25)]
    interface.paged(records, 10)
    kept.keeps_places = False

    async def run() -> None:
        async with collecting(kept, pull(interface)):
            await until(lambda: len(kept.texts) == 25, "all pages arrive")
        kept.keeps_places = True
        records.append({"n": 25})
        async with collecting(kept, pull(interface)):
            await until(lambda: len(kept.texts) == 26, "what came meanwhile arrives")

    asyncio.run(run())
    assert numbers(kept) == list(range(26))
    assert kept.again == 25
    assert kept.changed == []


def test_the_cursor_is_kept_only_after_the_records(interface: Interface, kept: Kept) -> None:
    interface.paged([{"n": number} for number in range(2_500)], 1_000)
    seen: list[tuple[int, str]] = []
    keep = kept.keep

    def watch(batch: Any) -> None:
        keep(batch)
        seen.extend((len(kept.texts), json.loads(one.epoch)[0]) for one in batch.positions)

    kept.keep = watch  # type: ignore[method-assign]

    async def run() -> None:
        async with collecting(kept, pull(interface)):
            await until(lambda: len(kept.texts) == 2_500, "all pages arrive")

    asyncio.run(run())
    assert all(int(cursor or 0) <= records for records, cursor in seen)
    assert seen[-1][1] == "2000"


def test_a_page_that_begins_otherwise_is_taken_anew(interface: Interface, kept: Kept) -> None:
    shown = [{"n": 1}, {"n": 2}]
    interface.say = lambda request: (200, {}, json.dumps(shown).encode())

    async def run() -> None:
        async with collecting(kept, pull(interface, records="", cursor="", parameter="")):
            await until(lambda: len(kept.texts) == 2, "the page arrives")
            shown.insert(0, {"n": 0})
            await until(lambda: numbers(kept) == [0, 1, 1, 2, 2], "nothing of it is lost")

    asyncio.run(run())
    assert kept.changed == []


def test_the_link_header_is_followed_on_the_same_server_only(
    interface: Interface, kept: Kept
) -> None:
    def say(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        if "p=2" in request.path:
            link = '<http://169.254.169.254/latest>; rel="next"'
            return 200, {"Link": link}, b'[{"n": 2}]'
        return 200, {"Link": '</events?p=2>; rel="next"'}, b'[{"n": 1}]'

    interface.say = say

    async def run() -> None:
        async with collecting(kept, pull(interface, records="", cursor="link", parameter="")):
            await until(lambda: len(kept.texts) == 2, "both pages arrive")
            await a_while()

    asyncio.run(run())
    assert numbers(kept) == [1, 2]
    assert {path for path, _ in interface.asked} == {"/events", "/events?p=2"}


def test_the_token_is_read_each_time_and_goes_nowhere_else(
    interface: Interface, kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_bytes(b"\xef\xbb\xbfs3creto-1\r\n")  # as Notepad writes it
    interface.say = lambda request: (500, {}, b"")

    async def run() -> None:
        asking = pull(interface, "/events?key=s3creta", token_file=tmp_path / "token")
        async with collecting(kept, asking):
            await until(lambda: bool(interface.asked), "it is asked")
            (tmp_path / "token").write_text("s3creto-2\n")
            await until(lambda: "s3creto-2" in str(interface.asked), "the new token is used")
            interface.say = lambda request: (200, {}, b'{"items": [{"n": 1}]}')
            await until(lambda: len(kept.texts) == 1, "it goes on")

    asyncio.run(run())
    assert interface.asked[0][1]["Authorization"] == "Bearer s3creto-1"
    assert "s3cret" not in capsys.readouterr().out + str(kept.records) + kept.file.read_text()


def test_a_page_that_is_none_is_told_as_a_loss(interface: Interface, kept: Kept) -> None:
    interface.say = lambda request: (200, {}, b"<html>mantenimiento</html>")

    async def run() -> None:
        async with collecting(kept, pull(interface)):
            await until(lambda: len(interface.asked) > 2, "it is asked again")
            await until(lambda: bool(kept.losses), "the loss is told")

    asyncio.run(run())
    assert len(kept.losses) == 1
    assert kept.losses[0]["input"] == "pull"


def test_a_page_that_is_none_is_told_also_after_another_fault(
    interface: Interface, kept: Kept
) -> None:
    interface.say = lambda request: (503, {}, b"")

    async def run() -> None:
        async with collecting(kept, pull(interface)):
            await until(lambda: len(interface.asked) > 1, "it failed")
            interface.say = lambda request: (200, {}, b"<html>mantenimiento</html>")
            await until(lambda: bool(kept.losses), "the loss is told")

    asyncio.run(run())
    assert kept.losses[0]["reason"] == "refused"


def test_an_answer_without_content_is_none(interface: Interface, kept: Kept) -> None:
    answers = [(204, b""), (200, b""), (200, b'{"items": [{"n": 1}]}')]

    def say(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        status, body = answers[min(len(interface.asked), len(answers)) - 1]
        return status, {}, body

    interface.say = say

    async def run() -> None:
        async with collecting(kept, pull(interface)):
            await until(lambda: len(kept.texts) == 1, "the record is there")

    asyncio.run(run())
    assert kept.losses == []


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'[{"a": "x\\ud83d"}, {"a": 2}]', [{"a": "x\ud83d"}, {"a": 2}]),
        (b'\xef\xbb\xbf[{"a": "\xf1"}]', [{"a": "\ufffd"}]),
        (b'[{"a": 123456789012345678901}]', [{"a": 123456789012345678901}]),
        (b'{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
    ],
)
def test_a_page_is_read_whatever_is_in_its_records(body: bytes, wanted: list[Any]) -> None:
    page = read_page(body, {}, records="", cursor="")

    assert [json.loads(one) for one in page.records] == wanted


def test_a_line_that_is_no_json_goes_on_with_the_others() -> None:
    page = read_page(b'{"a": 1}\r\n{"a": \r\n{"a": 3}\r\n', {}, records="", cursor="")

    assert page.records == (b'{"a":1}', b'{"a":', b'{"a":3}')


@pytest.mark.parametrize("body", [b'{"a": 1}\n{"a"', b"<p>\n1\n</p>", b"[" * 5_000, b"nada"])
def test_what_is_no_page_is_refused_with_a_sentence(body: bytes) -> None:
    with pytest.raises(Invalid, match=r"^La respuesta no es JSON( \(línea \d+, columna \d+\))?\.$"):
        read_page(body, {}, records="", cursor="")


def test_a_cursor_that_is_a_large_number_is_given_back_as_it_came() -> None:
    body = b'{"items": [], "next": 123456789012345678901}'

    assert read_page(body, {}, records="items", cursor="next").cursor == "123456789012345678901"


def test_a_record_that_is_too_long_is_cut_so_that_the_centre_refuses_it_alone() -> None:
    body = json.dumps([{"a": "ñ" * limits.LINE_BYTES_MAX}, 2], ensure_ascii=False).encode()
    long, short = read_page(body, {}, records="", cursor="").records

    assert limits.LINE_BYTES_MAX < len(long) < limits.LINE_BYTES_MAX + 8
    assert short == b"2"


def test_a_token_that_cannot_be_sent_ends_nothing(
    interface: Interface, kept: Kept, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("ñandú ☃\n")

    async def run() -> None:
        async with collecting(kept, pull(interface, token_file=tmp_path / "token")):
            await a_while()
            (tmp_path / "token").write_text("bueno")
            interface.say = lambda request: (200, {}, b'{"items": [{"n": 1}]}')
            await until(lambda: len(kept.texts) == 1, "it goes on")

    asyncio.run(run())


# --- requests that go out -------------------------------------------------------------------------
def get(url: str, *, networks: Any = HERE, ca: Path | None = None) -> outgoing.Answer:
    return asyncio.run(Asker(target_of(url, networks, ca)).get(url, {}))


@pytest.mark.parametrize("token", ["s3creto ñandú", "s3creto\nen dos líneas", "s3creto\0"])
def test_a_token_that_cannot_be_sent_is_not_in_the_reason(interface: Interface, token: str) -> None:
    url = interface.url()
    with pytest.raises(Unavailable) as told:
        asyncio.run(Asker(target_of(url, HERE)).get(url, {"Authorization": token}))

    assert "signos que" in str(told.value)
    assert "s3creto" not in str(told.value)


def test_a_redirect_is_not_followed(interface: Interface) -> None:
    interface.say = lambda request: (302, {"Location": interface.url("/other")}, b"")
    assert get(interface.url()).status == 302
    assert len(interface.asked) == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "169.254.169.254", "10.1.2.3", "0.0.0.0", "[::1]", "[::ffff:10.0.0.1]",
     "[fe80::1]", "localhost", "224.0.0.1"],
)  # fmt: skip
def test_what_is_not_public_is_not_asked_unless_its_network_is_named(host: str) -> None:
    with pytest.raises(NotAllowed, match="networks"):
        asyncio.run(address_of(target_of(f"https://{host}/")))


def test_the_name_is_resolved_once_and_the_address_pinned(
    interface: Interface, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere when it is asked a second time leads nowhere."""
    real = asyncio.BaseEventLoop.getaddrinfo
    asked: list[str] = []

    async def resolve(self: Any, host: Any, port: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name == "api.ejemplo.bo":
            asked.append(name)
            name = "127.0.0.1" if len(asked) == 1 else "127.0.0.66"
        return await real(self, name, port, **more)

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    url = interface.url().replace("127.0.0.1", "api.ejemplo.bo")
    assert get(url).status == 200
    assert asked == ["api.ejemplo.bo"]
    assert interface.asked[0][1]["Host"] == f"api.ejemplo.bo:{interface.server.server_port}"


def test_a_proxy_of_the_environment_is_not_used(
    interface: Interface, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert get(interface.url()).status == 200


def test_an_answer_too_large_or_too_slow_is_left(
    interface: Interface, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.PULL_BYTES_MAX", 1_000)
    interface.say = lambda request: (200, {}, b"x" * 1_001)
    with pytest.raises(Invalid, match="pasa de"):
        get(interface.url())
    monkeypatch.setattr("cgii.base.limits.PULL_SECONDS_MAX", 0.2)
    held = threading.Event()

    def trickle(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        with contextlib.suppress(OSError):
            for _ in range(200):
                request.wfile.write(b"H")
                request.wfile.flush()
                held.wait(0.02)
        return 200, {}, b""

    interface.say = trickle
    with pytest.raises(Unavailable, match="tarda"):
        get(interface.url())
    held.set()


def test_a_certificate_must_be_of_the_named_server_and_authority(
    interface: Interface, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("servidor")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    interface.server.socket = context.wrap_socket(interface.server.socket, server_side=True)
    port = interface.server.server_port

    assert get(f"https://localhost:{port}/", ca=authority.file).status == 200
    with pytest.raises(Unavailable, match="no se confía en quien firmó"):
        get(f"https://localhost:{port}/")
    monkeypatch.setattr(outgoing, "address_of", lambda target: asyncio.sleep(0, "127.0.0.1"))
    with pytest.raises(Unavailable, match="es de otro nombre"):
        get(f"https://otra.ejemplo.bo:{port}/", ca=authority.file)


def test_another_server_than_the_configured_one_is_not_asked() -> None:
    asker = Asker(target_of("https://api.ejemplo.bo/x"))
    for url in ("https://otra.bo/x", "http://api.ejemplo.bo/x", "https://api.ejemplo.bo:8443/x"):
        with pytest.raises(NotAllowed, match="configurado"):
            asyncio.run(asker.get(url, {}))


@pytest.mark.parametrize(
    "url", ["ftp://a/", "http://api.ejemplo.bo/", "https:///x", "https://u:p@a/", "https://a:x/"]
)
def test_an_address_that_will_not_do_is_told_with_the_file(url: str) -> None:
    with pytest.raises(ValidationError):
        PullConfig(source="x", url=url)
