"""Has captures read by a child, kills it when it must, and says what was not read."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from time import monotonic
from typing import BinaryIO

import orjson

from cgii.base import content, limits

SOURCE = "network_traffic"
CHILD = "cgii.collect.packets.dissect"
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
GZIP = b"\x1f\x8b"
PACKED_TIMES = 10  # what captures gain by packing
PATIENCE = 4  # seconds of waiting for each second of the processor: the machine may be busy
START_SECONDS = 20
END = b'{"end":'


class PartialCapture(Exception):  # noqa: N818  named for what it is about
    """Not all of the capture was read; what came before stands. The text is for people."""


class BrokenOff(PartialCapture):
    """The reading did not come to its end: the child died or took too long. Another may do it."""


def read_packets(
    file: BinaryIO, *, seconds: int | None = None, memory: int = limits.CAPTURE_MEMORY_BYTES
) -> Iterator[bytes]:
    """Each record of a capture, also packed, as JSON. Raises PartialCapture after the last one."""
    granted = _seconds(file) if seconds is None else seconds
    process = subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", CHILD, str(granted), str(memory)],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=ENVIRONMENT | {"PYTHONPATH": str(content.PACKAGE.parent)},
        start_new_session=True,
    )
    assert process.stdout is not None, "it was started with a pipe"
    last = b""
    try:
        for line in _lines(process.stdout.fileno(), START_SECONDS + PATIENCE * granted):
            if last:
                yield last
            last = line
        code = process.wait(START_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BrokenOff("no terminó en el tiempo permitido") from error
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    if not last.startswith(END):
        if _is_record(last):
            yield last
        raise BrokenOff(_why(code))
    damage = str(orjson.loads(last)["end"])
    if damage:
        raise PartialCapture(damage)


def _seconds(file: BinaryIO) -> int:
    size = os.fstat(file.fileno()).st_size
    if os.pread(file.fileno(), 2, 0) == GZIP:
        size *= PACKED_TIMES
    return limits.CAPTURE_SECONDS * (1 + size // limits.CAPTURE_SECONDS_BYTES)


def _lines(pipe: int, patience: float) -> Iterator[bytes]:
    """What the child says, line by line. Only the time in which it is waited for counts."""
    poller = select.poll()
    poller.register(pipe, select.POLLIN | select.POLLHUP)
    rest = b""
    while True:
        begun = monotonic()
        if not poller.poll(max(0, int(patience * 1_000))):
            raise BrokenOff("no terminó en el tiempo permitido")
        patience -= monotonic() - begun
        piece = os.read(pipe, limits.READ_CHUNK_BYTES)
        if not piece:
            break
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > limits.CAPTURE_LINE_BYTES_MAX:
            raise PartialCapture("su lectura falló")


def _is_record(line: bytes) -> bool:
    """Whether a child that died had said its last line to the end."""
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _why(code: int) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return "no terminó en el tiempo permitido"
    return "su lectura falló, quizás por falta de memoria"
