"""Real sockets on loopback: syslog over UDP and TCP reaches the delivery with its sender."""

import asyncio
import socket

import pytest

from cgii.base.counters import EVENTS_DROPPED
from cgii.base.errors import Unavailable
from cgii.collect.buffer import Batch, Buffer
from cgii.collect.definition import load_definitions
from cgii.collect.listen import Inputs, Listener

DEFINITIONS = load_definitions()
SSH = b"<38>Mar  3 02:14:07 srv sshd[1]: Failed password for root from 203.0.113.7 port %d ssh2"
OTHER = b"<13>Mar  3 02:14:07 srv app: hola"


class Centre:
    """Collects batches and sets `stop` when it has enough records."""

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.batches: list[Batch] = []
        self.stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def deliver(self, batch: Batch) -> None:
        self.batches.append(batch)
        if sum(len(each.raws) for each in self.batches) >= self.enough:
            self._loop.call_soon_threadsafe(self.stop.set)


async def listen(
    inputs: Inputs, centre: Centre, buffer: Buffer | None = None
) -> tuple[Listener, "asyncio.Task[None]"]:
    listener = Listener(inputs, DEFINITIONS, centre.deliver, buffer=buffer)
    running = asyncio.create_task(listener.run(centre.stop))
    async with asyncio.timeout(120):
        await listener.started.wait()
    return listener, running


def test_datagrams_are_grouped_by_source_and_numbered() -> None:
    async def run() -> Centre:
        centre = Centre(6)
        listener, running = await listen(Inputs(udp_port=0), centre)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for port in range(1, 6):
                sender.sendto(SSH % port + b"\n", ("127.0.0.1", listener.udp_port))
            sender.sendto(OTHER, ("127.0.0.1", listener.udp_port))
        async with asyncio.timeout(120):
            await running
        return centre

    batches = asyncio.run(run()).batches
    by_source: dict[str, list[int]] = {}
    for batch in batches:
        assert batch.origin.stream.startswith("syslog:udp:")
        assert {raw.peer for raw in batch.raws} == {"127.0.0.1"}
        by_source.setdefault(batch.origin.source, []).extend(raw.seq for raw in batch.raws)
    assert by_source == {"linux_auth": [0, 1, 2, 3, 4], "syslog": [0]}


def test_a_connection_may_send_lines_and_counted_messages() -> None:
    async def run() -> Centre:
        centre = Centre(3)
        listener, running = await listen(Inputs(tcp_port=0), centre)
        _, writer = await asyncio.open_connection("127.0.0.1", listener.tcp_port)
        writer.write(SSH % 1 + b"\r\n" + str(len(OTHER)).encode() + b" " + OTHER + SSH % 2)
        writer.write_eof()
        async with asyncio.timeout(120):
            await running
        writer.close()
        return centre

    batches = asyncio.run(run()).batches
    found = sorted(bytes(raw.data) for batch in batches for raw in batch.raws)  # type: ignore[arg-type]
    assert found == sorted([SSH % 1, SSH % 2, OTHER])


def test_a_full_buffer_drops_datagrams_and_counts_them() -> None:
    dropped = EVENTS_DROPPED.labels("syslog_udp", "full")
    before = dropped._value.get()

    async def run() -> None:
        centre = Centre(1)
        listener, running = await listen(Inputs(udp_port=0), centre, Buffer(records_max=3))
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            for port in range(1, 11):
                await loop.sock_sendto(sender, SSH % port, ("127.0.0.1", listener.udp_port))
        async with asyncio.timeout(120):
            await running

    asyncio.run(run())
    assert dropped._value.get() - before > 0


def test_a_taken_port_is_answered_with_a_sentence() -> None:
    async def run() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            inputs = Inputs(tcp_port=taken.getsockname()[1])
            listener = Listener(inputs, DEFINITIONS, lambda batch: None)
            with pytest.raises(Unavailable, match="No se puede escuchar"):
                await listener.run(asyncio.Event())

    asyncio.run(run())
