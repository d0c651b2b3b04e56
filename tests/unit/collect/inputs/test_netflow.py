"""Flows that routers send arrive as records; what is lost on the way is told."""

import asyncio
import json
import socket
from typing import Any

import pytest

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.collect.buffer import Batch
from cgii.collect.definition import load_definitions
from cgii.collect.inputs.netflow import Netflow
from cgii.collect.listen import Inputs, Listener
from tests.make_netflow import flow_5, version_5
from tests.ports import free_port

FLOW = flow_5("10.20.1.44", "203.0.113.9")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LISTEN_FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(limits, "KERNEL_LOOK_SECONDS", 0.02)


async def receive(datagrams: list[bytes], enough: int) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def deliver(batch: Batch) -> None:
        found.extend((batch.origin.source, json.loads(bytes(raw.data))) for raw in batch.raws)  # type: ignore[arg-type]
        if len(found) >= enough:
            loop.call_soon_threadsafe(stop.set)

    port = Netflow("127.0.0.1", 0)
    listener = Listener(Inputs(others=(port,)), load_definitions(), deliver)
    async with asyncio.timeout(60):
        running = asyncio.create_task(listener.run(stop))
        await port.started.wait()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for data in datagrams:
                sender.sendto(data, ("127.0.0.1", port.port))
        await running
    return found


def test_flows_arrive_as_records() -> None:
    ((source, flow),) = asyncio.run(receive([version_5([FLOW])], 1))

    assert (source, flow["dst_ip"], flow["exporter"]) == ("netflow", "203.0.113.9", "127.0.0.1")


def test_a_gap_in_the_numbers_and_nonsense_are_told_as_losses() -> None:
    data = [version_5([FLOW]), version_5([FLOW], sequence=51), b"\0\x09nonsense"]
    found = asyncio.run(receive(data, 4))
    told = {one["reason"]: one["count"] for source, one in found if source == "sensor_losses"}

    assert told == {"sequence": 50, "malformed": 1}


def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", free_port()))
        inputs = Inputs(others=(Netflow("127.0.0.1", other.getsockname()[1]),))
        listener = Listener(inputs, load_definitions(), lambda batch: None)

        with pytest.raises(Unavailable, match="NetFlow"):
            asyncio.run(listener.run(asyncio.Event()))
