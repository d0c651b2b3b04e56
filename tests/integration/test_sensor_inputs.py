"""A running sensor goes on with its own inputs when those that were pushed cannot be."""

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cgii.base.errors import Invalid
from cgii.collect.config import SensorConfig
from cgii.collect.identity import Identity
from cgii.collect.pushed import Pushed
from cgii.collect.sensor import Runner, sender_of
from cgii.collect.spool import Spool
from tests.ports import free_port
from tests.waiting import PATIENCE_SECONDS, until

FOLLOW = '[[follow]]\nsource = "syslog"\npath = "{}"\n'


def config(folder: Path, **given: object) -> SensorConfig:
    values = {"centre": "https://centro.example", "pushed_paths": (folder,), **given}
    return SensorConfig.model_validate(values)


def stop_when(holds: Callable[[], bool]) -> threading.Thread:
    """End the runner as systemd would, once its handler is there and this holds."""

    def wait() -> None:
        until(lambda: signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL, "it runs")
        until(holds, "it may end")
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize(
    "text",
    [
        FOLLOW.format("{folder}/" + "x" * 300),
        FOLLOW.format("{folder}/\\u0000"),
        FOLLOW.format("/etc/shadow"),
        'host = "x.."\nsyslog_tcp_port = 5999\n',
        'host = "' + "x" * 70 + '.example"\nsyslog_tcp_port = 5999\n',
        'host = "203.0.113.1"\nsyslog_tcp_port = 5999\n',
        "centre = 5\n",
    ],
)
def test_inputs_that_cannot_be_end_no_sensor(tmp_path: Path, text: str) -> None:
    pushed = Pushed(tmp_path / "pushed")
    pushed.keep_inputs("v1", text.replace("{folder}", str(tmp_path)))
    spool = Spool(tmp_path / "spool")
    runner = Runner(config(tmp_path), pushed)
    # A name that is too long is no file yet: it is waited for, like one that does not exist.
    is_waited_for = "xxx" in text and "follow" in text
    begun = time.monotonic()
    thread = stop_when(
        lambda: bool(pushed.problem) or (is_waited_for and time.monotonic() > begun + 1)
    )
    runner.run(spool)
    thread.join()
    spool.close()
    assert pushed.problem or is_waited_for


def test_inputs_are_begun_anew_when_they_change(tmp_path: Path) -> None:
    pushed, spool = Pushed(tmp_path / "pushed"), Spool(tmp_path / "spool")
    runner = Runner(config(tmp_path), pushed)
    port = free_port()

    def is_heard() -> bool:
        if pushed.inputs_version != "v1":
            pushed.keep_inputs("v1", f"syslog_tcp_port = {port}\n")
        runner.changed()
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            return False
        return True

    thread = stop_when(is_heard)
    runner.run(spool)
    thread.join()
    spool.close()
    runner.changed()  # after its end: nothing happens


def test_inputs_are_changed_once_there_is_room_for_what_is_in_memory(tmp_path: Path) -> None:
    from cgii.collect import sensor

    spool = Spool(tmp_path / "spool", bytes_max=1_000)
    spool.append(b"x" * 900, 1)
    event, ended = asyncio.Event(), asyncio.Event()

    async def change() -> bool:
        event.set()
        task = asyncio.create_task(sensor._pass_on(event, ended, spool))
        await asyncio.sleep(0.05)
        before = ended.is_set()
        entry = spool.peek()
        assert entry is not None
        spool.done(entry)
        await asyncio.wait_for(task, PATIENCE_SECONDS)
        return before

    assert not asyncio.run(change())
    assert ended.is_set()
    spool.close()


@pytest.mark.parametrize("token", ["señal", "a\nb", "\x00"])
def test_a_token_that_cannot_be_sent_is_told_at_the_start(tmp_path: Path, token: str) -> None:
    with pytest.raises(Invalid, match="caracteres"):
        sender_of(config(tmp_path, token=token), Identity(tmp_path))


def test_a_sensor_without_key_and_token_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cgii collect enrol"):
        sender_of(config(tmp_path), Identity(tmp_path))
