"""An interface is captured on, filtered by the kernel, and says why it cannot be."""

import asyncio
import json
import socket
import time
from typing import Any, ClassVar

import pytest

from cgii.base import limits
from cgii.base.errors import Invalid, Unavailable
from cgii.collect.buffer import Batch
from cgii.collect.definition import load_definitions
from cgii.collect.inputs.live import Live
from cgii.collect.listen import Inputs, Listener
from cgii.collect.packets.captures import Frame
from cgii.collect.packets.live import Interface
from tests.make_packets import dns_answer, dns_query

US, LAST, LAST_PORT = "127.0.0.9", "fin.example", 5355


def may_capture() -> bool:
    try:
        Interface("lo").close()
    except Unavailable:
        return False
    return True


def has_libpcap() -> bool:
    try:
        Interface("lo", "udp").close()
    except Unavailable:
        return False
    return True


needs_right = pytest.mark.skipif(not may_capture(), reason="this user has no CAP_NET_RAW")
needs_libpcap = pytest.mark.skipif(
    may_capture() and not has_libpcap(), reason="libpcap is not installed"
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LISTEN_FLUSH_SECONDS", 0.01)


async def capture(ports: list[int], filter_text: str = "") -> list[dict[str, Any]]:
    """What is told of DNS questions to these ports of US, by their conversations."""
    found: list[dict[str, Any]] = []
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def deliver(batch: Batch) -> None:
        records = [json.loads(bytes(raw.data)) for raw in batch.raws]  # type: ignore[arg-type]
        found.extend(one for one in records if one.get("id.resp_h") == US)
        if any(one.get("query") == LAST for one in records):
            loop.call_soon_threadsafe(stop.set)

    live = Live("lo", filter_text)
    listener = Listener(Inputs(others=(live,)), load_definitions(), deliver)
    async with asyncio.timeout(60):
        running = asyncio.create_task(listener.run(stop))
        await live.started.wait()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
        ):
            server.bind((US, LAST_PORT))
            for port in ports:
                sender.sendto(dns_query(1, f"puerto-{port}.example"), (US, port))
            # A question that is answered is told at once: then all before it has been seen.
            sender.sendto(dns_query(2, LAST), (US, LAST_PORT))
            server.sendto(dns_answer(2, LAST), ("127.0.0.1", sender.getsockname()[1]))
            await running
    return [one for one in found if one.get("id.resp_p") != LAST_PORT]


@needs_right
def test_what_passes_an_interface_is_told() -> None:
    found = asyncio.run(capture([53, 9_953]))
    dns = [one for one in found if one["network_traffic"] == "dns"]
    conns = [one for one in found if one["network_traffic"] == "conn"]

    assert [one["query"] for one in dns] == ["puerto-53.example"]
    assert sorted(one["id.resp_p"] for one in conns) == [53, 9_953]
    assert {one["orig_pkts"] for one in conns} == {1}  # not once more as going out


@needs_right
@needs_libpcap
def test_a_filter_keeps_the_rest_out() -> None:
    found = asyncio.run(capture([53, 9_953], f"host {US} and port (9953 or {LAST_PORT})"))
    conns = [one for one in found if one["network_traffic"] == "conn"]

    assert [one["id.resp_p"] for one in conns] == [9_953]


@needs_right
@needs_libpcap
def test_a_bad_filter_is_said() -> None:
    with pytest.raises(Invalid, match="tcpdump"):
        Interface("lo", "what is this")


@needs_right
def test_an_interface_that_is_not_there_is_said() -> None:
    with pytest.raises(Unavailable, match="nowhere0"):
        Interface("nowhere0")


def test_without_the_right_the_sentence_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)

    with pytest.raises(Unavailable, match="CAP_NET_RAW"):
        Interface("eth0")


class Card:
    """An interface of which the first opening fails, as when it was taken away."""

    opened: ClassVar[list["Card"]] = []

    def __init__(self, *_: object, **__: object) -> None:
        self.is_closed = self.is_busy = self.was_closed_busy = False
        self.opened.append(self)

    def pull(self, seconds: float) -> list[Frame]:
        if self is self.opened[0]:
            raise OSError(100, "Network is down")
        self.is_busy = True
        time.sleep(seconds)
        self.is_busy = False
        return []

    def dropped(self) -> int:
        return 0

    def close(self) -> None:
        self.is_closed, self.was_closed_busy = True, self.is_busy


def test_an_interface_that_fails_is_opened_anew_and_not_closed_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cgii.collect.inputs.live.Interface", Card)
    monkeypatch.setattr(limits, "CAPTURE_LOOK_SECONDS", 0.01)
    Card.opened.clear()

    async def run() -> None:
        stop = asyncio.Event()
        listener = Listener(Inputs(others=(Live("eth1"),)), load_definitions(), print)
        running = asyncio.create_task(listener.run(stop))
        async with asyncio.timeout(60):
            while len(Card.opened) < 2 or not Card.opened[1].is_busy:
                await asyncio.sleep(0.01)
            stop.set()
            await running

    asyncio.run(run())
    assert len(Card.opened) == 2
    assert [(card.is_closed, card.was_closed_busy) for card in Card.opened] == [(True, False)] * 2


@needs_right
def test_what_the_kernel_dropped_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CAPTURE_RECEIVE_BYTES", 1)
    card = Interface("lo")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(2_000):
            sender.sendto(bytes(1_000), (US, 9_953))

    assert card.dropped() > 0
    card.close()
