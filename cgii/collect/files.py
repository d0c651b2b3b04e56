"""Reads files for `cgii scan`: lines, JSON in three shapes, packed ones, binary event logs.

A file that is damaged half-way gives what was readable and then one Raw whose data is a
`rejects.Damage`; `normalize` makes the reject "file damaged" of it. Only a file of which nothing
can be read raises Invalid.
"""

import codecs
import gzip
import itertools
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from cgii.base import limits
from cgii.base.confine import GZIP
from cgii.base.errors import Invalid
from cgii.base.reasons import why
from cgii.collect import documents
from cgii.collect.child import PartialReading
from cgii.collect.definition import Definitions
from cgii.collect.event_logs import MAGIC, DamagedLog, scan_event_log
from cgii.collect.packets.captures import is_capture
from cgii.collect.packets.child import SOURCE as PACKETS
from cgii.collect.packets.child import read_packets
from cgii.collect.parsers.record import BOM
from cgii.collect.rejects import Damage
from cgii.collect.shapes import RecordCutter, Shape
from cgii.model.event import Raw

UTF16 = (b"\xff\xfe", b"\xfe\xff")
UNPACKING_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error, OSError)
JSON_PARSERS = ("json_lines", "windows")

DESCRIPTORS = Path("/dev/fd")
DECODER = codecs.getincrementaldecoder("utf-8-sig")  # found now: a confined child finds none

GUESS_LINES = 200


def guess_source(path: Path, definitions: Definitions) -> str:
    """The name of the source whose fingerprint fits the file's beginning. Raises Invalid."""
    head = _head(path)
    if not head.strip():
        raise Invalid("El archivo {name} está vacío.", name=path.name)
    if is_capture(head):
        return PACKETS
    ranked = sorted(
        definitions.by_name.values(), key=lambda found: (found.fingerprint.rank, found.name)
    )
    for definition in ranked:
        magic = definition.fingerprint.magic
        if magic and head.startswith(magic):
            return definition.name
    records, lines = _first_records(head)
    if not records and head.lstrip()[:1] in (b"{", b"[") and len(head) >= limits.GUESS_BYTES:
        records, _ = _first_records(_head(path, size=limits.GUESS_JSON_BYTES))
    for definition in ranked:
        fingerprint = definition.fingerprint
        if records:
            fitting = sum(map(fingerprint.fits_object, records))
            share = fitting / len(records)
        else:
            fitting = sum(map(fingerprint.fits_line, lines))
            share = fitting / max(len(lines), 1)
        if fitting and share >= fingerprint.share:
            return definition.name
    raise Invalid(
        "No se reconoce el formato de {name}. Indique la fuente: {sources}.",
        name=path.name,
        sources=", ".join(sorted(definitions.by_name)),
    )


def read_records(path: Path, source: str, definitions: Definitions) -> Iterator[Raw]:
    """Every record of the file in order, numbered from 0; `peer` is "path:line".

    Raises Invalid when nothing of the file can be read.
    """
    definition = definitions.by_name.get(source)
    parser = definition.parser if definition is not None else ""
    head = head_of(path)
    if head.startswith(MAGIC):
        yield from _read_evtx(path)
    elif is_capture(head):
        yield from _read_capture(path)
    else:
        shape, most = definitions.shape_of(source), limits.FILE_UNPACKED_BYTES_MAX
        yield from read_text(path, parser, shape=shape, unpacked_max=most)


def read_text(path: Path, parser: str, *, shape: Shape, unpacked_max: int) -> Iterator[Raw]:
    """The records of lines or JSON for a parser by its name. Raises Invalid as `read_records`."""
    if head_of(path).startswith(UTF16):
        raise Invalid("{name} está en UTF-16; conviértalo a UTF-8.", name=path.name)
    if parser in JSON_PARSERS and (found := _document(path)) is not None:
        yield from found
    else:
        yield from _read_lines(path, shape, unpacked_max)


def head_of(path: Path) -> bytes:
    """The first bytes, by which binary formats are known."""
    return _head(path, size=16)


def open_file(path: Path) -> BinaryIO:
    """The file, unpacked if it is packed. Raises Invalid."""
    try:
        if path.parent == DESCRIPTORS:  # a confined child opens nothing any more
            file = os.fdopen(int(path.name), "rb", closefd=False)
            file.seek(0)  # whoever had it before left it anywhere
        else:
            file = path.open("rb")
        packed = file.read(2) == GZIP
        file.seek(0)
    except OSError as error:
        raise Invalid(
            "No se puede abrir {name}: {reason}.", name=path.name, reason=why(error)
        ) from error
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file


def _head(path: Path, size: int = limits.GUESS_BYTES) -> bytes:
    with open_file(path) as file:
        try:
            return file.read(size)
        except UNPACKING_ERRORS:
            # A truncated archive fails when its end is reached; byte by byte gives what is there.
            file.seek(0)
            return _until_damage(file, size)


def _until_damage(file: BinaryIO, size: int) -> bytes:
    found = bytearray()
    try:
        while len(found) < size and (piece := file.read(1)):
            found += piece
    except UNPACKING_ERRORS:
        pass
    return bytes(found)


def _first_records(head: bytes) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The JSON objects at the beginning, or the lines if it is not JSON."""
    text = head.removeprefix(BOM).lstrip()
    lines = [line for line in text.split(b"\n")[:GUESS_LINES] if line.strip()]
    if len(head) >= limits.GUESS_BYTES and len(lines) > 1:
        lines.pop()  # it may be cut
    records = []
    for line in lines:
        start = line.find(b"{")
        if start >= 0:
            try:
                found = orjson.loads(line[start:])
            except orjson.JSONDecodeError:
                continue
            if isinstance(found, dict):
                records.append(found)
    shown = text.decode(errors="replace")
    if text[:1] in (b"{", b"[") or text.startswith(b"Record "):
        wrapped = documents.is_wrapped(shown)
        if wrapped or len(records) * 2 < len(lines):
            return _first_objects(shown), lines
    if len(records) * 2 >= len(lines) and records:
        return records, lines
    return [], lines


def _first_objects(text: str) -> list[dict[str, Any]]:
    """The first object of a document that may be cut anywhere after it."""
    try:
        found = next(documents.records(text), None)
    except documents.BrokenDocument:
        return []
    return [found.value] if found is not None and isinstance(found.value, dict) else []


def _why_in_part(problem: PartialReading | OSError) -> str:
    """Of an OSError no process could be started."""
    return why(problem) if isinstance(problem, OSError) else str(problem)


def _read_lines(path: Path, shape: Shape, unpacked_max: int) -> Iterator[Raw]:
    cutter = shape.cutter()
    counter = itertools.count()
    with open_file(path) as file:
        damage = ""
        unpacked = 0
        while True:
            try:
                piece = file.read(limits.READ_CHUNK_BYTES)
            except UNPACKING_ERRORS as error:
                yield from _rest_of_damaged(path, unpacked, cutter, counter)
                damage = f"El archivo está dañado o incompleto: {why(error)}"
                break
            unpacked += len(piece)
            if unpacked > unpacked_max:
                damage = "El archivo desempaquetado es demasiado grande; se leyó su comienzo."
                break
            if not piece:
                break
            yield from _as_raws(path, cutter.feed(piece), counter)
    yield from _as_raws(path, cutter.end(), counter)
    if damage:
        yield _damaged(path, damage, counter)


def _rest_of_damaged(
    path: Path, unpacked: int, cutter: RecordCutter, counter: Iterator[int]
) -> Iterator[Raw]:
    """What the unpacker had before it met the damage: at most one piece, read again alone."""
    with open_file(path) as again:
        left = unpacked
        while left:
            left -= len(again.read(min(left, limits.READ_CHUNK_BYTES)))
        yield from _as_raws(
            path, cutter.feed(_until_damage(again, limits.READ_CHUNK_BYTES)), counter
        )


def _as_raws(path: Path, lines: list[tuple[bytes, int]], counter: Iterator[int]) -> Iterator[Raw]:
    name = str(path)
    for line, _ in lines:
        number = next(counter)
        if line.strip():  # an empty line in a file is no record
            yield Raw(number, line, f"{name}:{number + 1}")


def _damaged(path: Path, sentence: str, counter: Iterator[int]) -> Raw:
    number = next(counter)
    return Raw(number, Damage(sentence), f"{path}:{number + 1}")


def _document(path: Path) -> Iterator[Raw] | None:
    """The records of a file that is a JSON document, or several; None if it is lines."""
    head = _head(path).removeprefix(BOM).decode(errors="replace").lstrip()
    if not head.startswith(("[", "{", "Record ")):
        return None
    wrapped = documents.is_wrapped(head)
    if not wrapped and head.startswith("{"):
        first = head.split("\n", 1)[0]
        try:
            orjson.loads(first)
        except orjson.JSONDecodeError:
            if head.count("\n") < 1:
                return None  # one damaged or very long line
        else:
            return None
    try:
        text = _decoded(path)
    except UNPACKING_ERRORS:
        return None
    if text is None:
        if not wrapped:
            return None
        raise Invalid(
            "{name} es un documento JSON demasiado grande; guárdelo con un registro por línea.",
            name=path.name,
        )
    return _items(path, text) if _begins_well(text) else None


def _decoded(path: Path) -> str | None:
    """All of a file as text; None if it is too large. Raises UNPACKING_ERRORS.

    Piece by piece: one character that is wide makes all of a text wide, and decoded at once it
    would lie in memory in each width that was tried.
    """
    decoder = DECODER(errors="replace")
    pieces, size = [], 0
    with open_file(path) as file:
        while piece := file.read(limits.READ_CHUNK_BYTES):
            size += len(piece)
            if size > limits.JSON_FILE_BYTES_MAX:
                return None
            pieces.append(decoder.decode(piece))
    pieces.append(decoder.decode(b"", final=True))
    return "".join(pieces)


def _begins_well(text: str) -> bool:
    """Whether at least one record can be read; else the text is taken line by line."""
    try:
        return next(documents.records(text), None) is not None
    except documents.BrokenDocument:
        return False


def _items(path: Path, text: str) -> Iterator[Raw]:
    number = 0
    try:
        for number, found in enumerate(documents.records(text)):
            value = found.value
            data = value if isinstance(value, dict) else _as_text(value)
            yield Raw(number, data, f"{path}:{found.line}")
    except documents.BrokenDocument as error:
        damage = Damage(f"El documento JSON está dañado o incompleto: {error}")
        yield Raw(number + 1, damage, f"{path}:{error.line}")


def _as_text(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # what JSON in Python allows and others do not: it is no record anyway
        return repr(value)[: limits.REJECT_SAMPLE_CHARS_MAX].encode(errors="replace")


def _read_evtx(path: Path) -> Iterator[Raw]:
    counter = itertools.count()
    with path.open("rb") as file:
        try:
            for found in scan_event_log(file):
                if isinstance(found, DamagedLog):
                    yield _damaged(path, f"El registro de Windows está dañado: {found}", counter)
                else:
                    number = next(counter)
                    yield Raw(number, found, f"{path}:{number + 1}")
        except (PartialReading, OSError) as problem:  # or no process can be started now
            text = f"El registro de Windows se leyó solo en parte: {_why_in_part(problem)}"
            yield _damaged(path, text, counter)


def _read_capture(path: Path) -> Iterator[Raw]:
    counter = itertools.count()
    with path.open("rb") as file:
        try:
            for found in read_packets(file):
                number = next(counter)
                yield Raw(number, found, f"{path}:{number + 1}")
        except (PartialReading, OSError) as problem:  # or no process can be started now
            text = f"La captura se leyó solo en parte: {_why_in_part(problem)}"
            yield _damaged(path, text, counter)
