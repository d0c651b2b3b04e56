"""The child that reads one whole file for a sensor: packed, a JSON document, or a Windows log.

It is given an open descriptor, and writes a line of JSON for each thing: of a log first
`{"begins": "<digest>", "continues": bool}`; `[number, record]`; `{"loss": reason, "detail": …}`;
and at the end `{"done": true}`.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from cgii.base import limits
from cgii.base.confine import Progress, give_up_rights, seconds_for
from cgii.base.errors import Invalid
from cgii.base.ids import digest
from cgii.collect.definition import read_definition
from cgii.collect.documents import as_json
from cgii.collect.event_logs import MAGIC, DamagedLog, read_event_log, read_numbered
from cgii.collect.files import DESCRIPTORS, head_of, open_file, read_text
from cgii.collect.packets.captures import is_capture
from cgii.collect.rejects import Damage
from cgii.collect.shapes import LINES, Shape

Numbered = tuple[int, bytes] | DamagedLog


def main() -> None:
    """Read the file that the one argument names, as `whole_child.Request`."""
    request = json.loads(sys.argv[1])
    shape = _shape(request["definition"])
    descriptor, out = request["descriptor"], sys.stdout.buffer
    give_up_rights(seconds_for(descriptor))
    progress = Progress()

    def advance(size: int) -> None:
        if progress.advance(size):
            out.write(b"\n")  # whoever waits hears that it gets on
            out.flush()

    if request["after"] is None:
        answers = records(DESCRIPTORS / str(descriptor), request["parser"], shape)
    else:
        file = os.fdopen(descriptor, "rb")
        answers = event_log(file, request["after"], request["mark"], advance=advance)
    for answer in answers:
        line = orjson.dumps(answer) + b"\n"
        out.write(line)
        advance(len(line))
    out.write(b'{"done":true}\n')
    out.flush()


def _shape(definition: str) -> Shape:
    found = read_definition(Path(definition))[0] if definition else None
    return LINES if found is None else found.shape


def records(path: Path, parser: str, shape: Shape = LINES) -> Iterator[Any]:
    """Every record of the file, numbered from 0 without gaps."""
    number = 0
    try:
        for data in _contents(path, parser, shape):
            if isinstance(data, Damage):
                yield _loss("damaged", data["detail"])
            else:
                yield [number, _text(data)]
                number += 1
    except Invalid as error:
        # The file's name is that of its descriptor here; who hears of it has the true one.
        yield _loss("damaged", error.message.format(**{**error.facts, "name": "El archivo"}))


def _contents(path: Path, parser: str, shape: Shape) -> Iterator[Any]:
    """The data of each record. Raises Invalid."""
    head = head_of(path)
    if head.startswith(MAGIC):
        with open_file(path) as file:
            for found in read_event_log(file):
                yield Damage(str(found)) if isinstance(found, DamagedLog) else found
    elif is_capture(head):
        raise Invalid("Es una captura de red: va en una carpeta de [[pcap]].")
    else:
        most = limits.WHOLE_UNPACKED_BYTES_MAX
        for raw in read_text(path, parser, shape=shape, unpacked_max=most):
            yield raw.data


def _nobody(size: int) -> None:
    """Nobody waits to hear how far it got."""


def _numbered(file: BinaryIO, advance: Callable[[int], None]) -> Iterator[Numbered]:
    """The log's records; one with a number that the centre would not take is damaged."""
    for one in read_numbered(file):
        advance(0 if isinstance(one, DamagedLog) else len(one[1]))
        if isinstance(one, DamagedLog) or one[0] < limits.SEQ_MAX:
            yield one
        else:
            yield DamagedLog(f"un registro tiene el número {one[0]}")


def event_log(
    file: BinaryIO, after: int, mark: str, *, advance: Callable[[int], None] = _nobody
) -> Iterator[Any]:
    """The records after number `after`, if the log still has that record with the digest `mark`
    or begins later; else it is another log, and all of it is read.
    """
    found = _numbered(file, advance)
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
        found, passed = _numbered(file, advance), []
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


if __name__ == "__main__":
    main()
