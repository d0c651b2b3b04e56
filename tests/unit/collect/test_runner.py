"""Inputs that the centre chose and that cannot start now are tried again, and told meanwhile."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cgii.base import limits
from cgii.collect.config import SensorConfig
from cgii.collect.pushed import Pushed
from cgii.collect.sensor import Runner
from cgii.collect.spool import Spool
from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.05)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.mark.parametrize("way", ["syslog_tcp_port", "syslog_udp_port", "netflow_port"])
def test_a_port_that_was_busy_for_a_moment_is_taken_when_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(limits, "PUSHED_RETRY_SECONDS", (0.1, 0.2))  # in earnest from 2 s to 300
    own, wanted, beside = free_port(), free_port(), free_port()
    kind = socket.SOCK_STREAM if way == "syslog_tcp_port" else socket.SOCK_DGRAM
    busy = socket.socket(socket.AF_INET, kind)
    busy.bind(("127.0.0.1", wanted))
    if kind == socket.SOCK_STREAM:
        busy.listen()
    others = f"syslog_tcp_port = {beside}\n" if kind == socket.SOCK_DGRAM else ""
    pushed = Pushed(tmp_path / "pushed")
    pushed.keep_inputs("v1", f"{way} = {wanted}\n{others}")
    config = SensorConfig(centre="https://centro.example", syslog_tcp_port=own)
    spool = Spool(tmp_path / "spool")

    async def script() -> None:
        runner = Runner(config, pushed)
        running = asyncio.create_task(runner._run(spool))
        try:
            await until(lambda: bool(pushed.problem) and answers(own))
            assert "Se intenta de nuevo" in pushed.problem
            with socket.create_connection(("127.0.0.1", own)) as sender:
                sender.settimeout(0)
                await until(lambda: runner._tries >= 2)
                with pytest.raises(BlockingIOError):  # a look does not disturb the own inputs
                    sender.recv(1)
            busy.close()
            await until(lambda: not pushed.problem)
            await until(lambda: answers(beside if others else wanted) and not answers(own))
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(script())
    spool.close()
