"""Reads a whole file in a child that may die: what it gives comes bounded, in order, checked."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.base.reasons import why
from cgii.collect.child import ENVIRONMENT, search_path

CHILD = "cgii.collect.whole_files"
GETS_ON = b"\n"  # said where there is nothing else to say


@dataclass(frozen=True, slots=True)
class Request:
    """An open file. With `after` it is a Windows log, read on after that record if `mark` is its
    digest (-1: from its beginning); without it, records for `parser`.
    """

    descriptor: int
    bytes: int
    parser: str = ""
    definition: str = ""  # the file that says how lines make records
    after: int | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Begins:
    """Of a Windows log: the digest of its first record, and whether it is the log we know."""

    digest: str
    continues: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One record by its number."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Loss:
    """What could not be read: `damaged`, `crashed`, `timeout`."""

    reason: str
    detail: str = ""

    @property
    def is_broken_off(self) -> bool:
        """Whether the child did not come to the end, so that another may."""
        return self.reason in ("crashed", "timeout")


@dataclass(frozen=True, slots=True)
class Step:
    """What the child turns to next; it may die over it."""

    number: int


Answer = Begins | Record | Loss | Step


def read_whole(request: Request) -> AsyncGenerator[Answer, None]:
    """What is in the file, to be closed by whoever asks."""
    return run_child(CHILD, asdict(request), request.descriptor)


async def run_child(
    module: str, request: dict[str, Any], *descriptors: int
) -> AsyncGenerator[Answer, None]:
    """What a child says; one that dies or falls silent ends it with a Loss.

    Raises Unavailable if none can be started now.
    """
    try:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-s", "-m", module, json.dumps(request)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=descriptors,
            cwd="/",
            env=ENVIRONMENT | {"PYTHONPATH": search_path()},
            start_new_session=True,
            limit=limits.WHOLE_ANSWER_BYTES_MAX,
        )
    except OSError as error:
        raise Unavailable("No se puede iniciar un proceso: {why}.", why=why(error)) from error
    assert child.stdout is not None, "it was started with a pipe"
    try:
        async for answer in _answers(child.stdout):
            yield answer
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.killpg(child.pid, signal.SIGKILL)
        while await child.stdout.read(limits.READ_CHUNK_BYTES):
            pass  # asyncio ends a process only when its pipe is empty
        await child.wait()
        await asyncio.sleep(0)  # its pipe is closed in the loop's next turn


async def _answers(pipe: asyncio.StreamReader) -> AsyncGenerator[Answer, None]:
    losses = 0
    while True:
        try:
            async with asyncio.timeout(limits.WHOLE_SILENCE_SECONDS):
                line = await pipe.readline()
            if line == GETS_ON:
                continue
            answer = _answer(orjson.loads(line))
        except TimeoutError:
            yield Loss("timeout")
            return
        except (ValueError, TypeError, KeyError):  # no line at all, or none of ours
            yield Loss("crashed")
            return
        if answer is None:
            return
        losses += isinstance(answer, Loss)
        if not isinstance(answer, Loss) or losses <= limits.WHOLE_LOSSES_MAX:
            yield answer


def _answer(said: object) -> Answer | None:
    """What a line means; None at the good end. Raises ValueError, TypeError or KeyError."""
    if isinstance(said, list):
        number, text = said
        return Record(_number(number), str(text))
    if not isinstance(said, dict):
        raise TypeError(said)
    if "done" in said:
        return None
    if "loss" in said:
        return Loss(str(said["loss"]), str(said["detail"]))
    if "step" in said:
        return Step(_number(said["step"]))
    return Begins(str(said["begins"]), bool(said["continues"]))


def _number(said: object) -> int:
    if not isinstance(said, int) or not 0 <= said < limits.SEQ_MAX:
        raise ValueError(said)
    return said
