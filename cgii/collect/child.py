"""Has a foreign file read by a child, kills it when it must, and says why not all was read."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from time import monotonic
from typing import BinaryIO

import orjson

from cgii.base import confine, content, limits

ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
PATIENCE = 4  # seconds of waiting for each second of the processor: the machine may be busy
START_SECONDS = 20
LISTEN_SECONDS = 1.0  # at once: more than that never counts, as where we ourselves were stopped
END = b'{"end":'
FAILED = "su lectura falló"
OVERDUE = "no terminó en el tiempo permitido"


class PartialReading(Exception):  # noqa: N818  named for what it is about
    """Not all of the file was read; what came before stands. The text is for people."""


class BrokenOff(PartialReading):
    """The reading did not come to its end: the child died or took too long. Another may do it."""


def search_path() -> str:
    """Where a child finds the program."""
    return str(content.PACKAGE.parent)


def read_in_child(
    module: str,
    file: BinaryIO,
    *,
    seconds: int | None = None,
    memory: int = limits.CHILD_MEMORY_BYTES,
) -> Iterator[bytes]:
    """Each line that a child says of a file, which is its standard input.

    The last one is `{"end": ""}`, or says what was damaged. Raises PartialReading after the others.
    """
    granted = confine.seconds_for(file.fileno()) if seconds is None else seconds
    process = subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", module, str(granted), str(memory)],
        stdin=file,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=ENVIRONMENT | {"PYTHONPATH": search_path()},
        start_new_session=True,
    )
    assert process.stdout is not None, "it was started with a pipe"
    last = b""
    try:
        for line in _lines(process.stdout.fileno(), granted):
            if last:
                yield last
            last = line
        code = process.wait(START_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise BrokenOff(OVERDUE) from error
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    if not last.startswith(END):
        if last:
            yield last
        raise BrokenOff(_why(code))
    if damage := _damage(last):
        raise PartialReading(damage)


def _lines(pipe: int, granted: int) -> Iterator[bytes]:
    """What the child says, line by line; an empty one only says that it gets on.

    Only the time in which it is waited for counts.
    """
    poller = select.poll()
    poller.register(pipe, select.POLLIN | select.POLLHUP)
    left = float(START_SECONDS + PATIENCE * granted)
    patience = float(START_SECONDS + PATIENCE * min(granted, limits.CHILD_STEP_SECONDS))
    rest, silence = b"", 0.0
    while True:
        wait = max(0.0, min(left, patience - silence, LISTEN_SECONDS))
        begun = monotonic()
        is_heard = poller.poll(wait * 1_000)
        waited = min(monotonic() - begun, LISTEN_SECONDS)
        left -= waited
        silence = 0.0 if is_heard else silence + waited
        if not is_heard and wait:
            continue
        if not is_heard:
            raise BrokenOff(OVERDUE)
        piece = os.read(pipe, limits.READ_CHUNK_BYTES)
        if not piece:
            return
        *lines, rest = (rest + piece).split(b"\n")
        yield from filter(None, lines)
        if len(rest) > limits.CHILD_LINE_BYTES_MAX:
            raise PartialReading(FAILED)


def _damage(end: bytes) -> str:
    try:
        return str(orjson.loads(end)["end"])
    except (orjson.JSONDecodeError, KeyError):
        return FAILED


def _why(code: int) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return OVERDUE
    return f"{FAILED}, quizás por falta de memoria"
