"""The child that reads one whole file for a sensor: packed, a JSON document, or a Windows log.

It is given an open descriptor, and writes a line of JSON for each thing: of a log first
`{"begins": "<digest>", "continues": bool}`; `[number, record]`; `{"loss": reason, "detail": …}`;
and at the end `{"done": true}`.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.base.ids import digest
from cgii.collect.definition import read_definition
from cgii.collect.documents import as_json
from cgii.collect.event_logs import DamagedLog, read_numbered
from cgii.collect.files import read_for
from cgii.collect.rejects import Damage
from cgii.collect.shapes import LINES, Shape

Numbered = tuple[int, bytes] | DamagedLog


def main() -> None:
    """Read the file that the one argument names, as `whole_child.Request`."""
    request = json.loads(sys.argv[1])
    shape = _shape(request["definition"])
    give_up_rights(request["bytes"])
    descriptor = request["descriptor"]
    if request["after"] is None:
        answers = records(Path(f"/dev/fd/{descriptor}"), request["parser"], shape)
    else:
        answers = event_log(os.fdopen(descriptor, "rb"), request["after"], request["mark"])
    for answer in answers:
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.write(b'{"done":true}\n')
    sys.stdout.buffer.flush()


def _shape(definition: str) -> Shape:
    found = read_definition(Path(definition))[0] if definition else None
    return LINES if found is None else found.shape


def records(path: Path, parser: str, shape: Shape = LINES) -> Iterator[Any]:
    """Every record of the file, numbered from 0 without gaps."""
    number = 0
    try:
        most = limits.WHOLE_UNPACKED_BYTES_MAX
        for raw in read_for(path, parser, shape=shape, unpacked_max=most):
            if isinstance(raw.data, Damage):
                yield _loss("damaged", raw.data["detail"])
            else:
                yield [number, _text(raw.data)]
                number += 1
    except Invalid as error:
        # The file's name is that of its descriptor here; who hears of it has the true one.
        yield _loss("damaged", error.message.format(**{**error.facts, "name": "El archivo"}))


def _numbered(file: BinaryIO) -> Iterator[Numbered]:
    """The log's records; one with a number that the centre would not take is damaged."""
    for one in read_numbered(file):
        if isinstance(one, DamagedLog) or one[0] < limits.SEQ_MAX:
            yield one
        else:
            yield DamagedLog(f"un registro tiene el número {one[0]}")


def event_log(file: BinaryIO, after: int, mark: str) -> Iterator[Any]:
    """The records after number `after`, if the log still has that record with the digest `mark`
    or begins later; else it is another log, and all of it is read.
    """
    found = _numbered(file)
    passed: list[Numbered] = []  # losses up to there, and the record that decides
    first, continues = "", after >= 0
    for one in found:
        if isinstance(one, DamagedLog):
            passed.append(one)
            continue
        number, text = one
        first = first or digest(_text(text))
        if number < after:
            continue
        if number == after:
            continues = digest(_text(text)) == mark
        else:
            passed.append(one)
        break
    else:
        continues = False  # it ends before that number
    if not continues and after >= 0:
        file.seek(0)
        found, passed = _numbered(file), []
    yield {"begins": first, "continues": continues}
    highest = after if continues else -1
    for one in chain(passed, found):
        if isinstance(one, DamagedLog):
            yield _loss("damaged", str(one))
        elif one[0] > highest:  # a damaged log may give a number again
            highest = one[0]
            yield [highest, _text(one[1])]


def _text(data: Any) -> str:
    if not isinstance(data, bytes):
        data = as_json(data)
    return str(data[: limits.LINE_BYTES_MAX + 1].decode(errors="replace"))


def _loss(reason: str, detail: str) -> dict[str, str]:
    return {"loss": reason, "detail": detail[: limits.SHORT_TEXT_CHARS_MAX]}


def give_up_rights(file_bytes: int) -> None:
    """From now on: no file written, no process, and bounded memory and time."""
    memory = limits.WHOLE_MEMORY_BYTES + 4 * min(file_bytes, limits.EVTX_BYTES_MAX)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    seconds = limits.WHOLE_CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        resource.setrlimit(nothing, (0, 0))


if __name__ == "__main__":
    main()
