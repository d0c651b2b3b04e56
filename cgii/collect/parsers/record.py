"""What every parser gives back, and how bytes become text without ever failing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from cgii.base import limits
from cgii.collect import rejects
from cgii.collect.rejects import Damage, Unreadable

INVALID_UTF8 = "invalid UTF-8"
BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Record:
    """One record, read but not yet mapped."""

    fields: dict[str, Any]
    original: str
    ecs: Mapping[str, Any] = field(default_factory=dict)  # what the parser knows by itself
    notes: tuple[str, ...] = ()


def as_bytes(data: bytes | Mapping[str, Any]) -> bytes:
    """The record as bytes within its limit. Raises Unreadable."""
    if isinstance(data, bytes):
        line = data
    elif isinstance(data, Damage):
        raise Unreadable(rejects.FILE_DAMAGED, data["detail"])
    else:
        try:
            line = orjson.dumps(data)
        except TypeError as error:  # too deep, a lone surrogate, a key that is no text
            reason = rejects.TOO_DEEP if "ecursion" in str(error) else rejects.NOT_JSON
            raise Unreadable(reason, str(error)) from error
    if len(line) > limits.LINE_BYTES_MAX:
        raise Unreadable(rejects.TOO_LONG, f"más de {limits.LINE_BYTES_MAX} bytes")
    return line


def as_line(data: bytes | Mapping[str, Any]) -> bytes:
    """A line of text without its end. Raises Unreadable for an object or an empty line."""
    if type(data) is bytes and len(data) <= limits.LINE_BYTES_MAX:
        line = data
    elif isinstance(data, (bytes, Damage)):
        line = as_bytes(data)
    else:
        raise Unreadable(rejects.NOT_A_LINE, "llegó un objeto para una fuente de líneas")
    line = line.rstrip(b"\r\n\0 \t").removeprefix(BOM)
    if not line:
        raise Unreadable(rejects.EMPTY)
    return line


def decode(line: bytes) -> tuple[bytes, str, tuple[str, ...]]:
    """The line as valid UTF-8 bytes and as text; what had to be replaced is noted."""
    try:
        return line, line.decode(), ()
    except UnicodeDecodeError:
        replaced = line.decode(errors="replace")
        return replaced.encode(), replaced, (INVALID_UTF8,)


def are_usual(names: tuple[str, ...]) -> bool:
    """Whether fields' names are few and short enough to remember what was found out about them."""
    return (
        len(names) <= limits.RECORD_PLAN_NAMES_MAX
        and sum(map(len, names)) <= limits.RECORD_PLAN_CHARS_MAX
    )


def expect_few(fields: int) -> None:
    """Raise Unreadable for a record with more fields than any real one has."""
    if fields > limits.EVENT_FIELDS_MAX:
        raise Unreadable(rejects.TOO_MANY_FIELDS, f"más de {limits.EVENT_FIELDS_MAX}")


def cut_long_values(fields: dict[str, Any]) -> dict[str, Any]:
    """The same fields with values cut to limits.FIELD_CHARS_MAX; the original stays whole."""
    return {name: _cut(value) for name, value in fields.items()}


def without_nul(value: Any) -> Any:
    """The same value with NUL characters made visible: PostgreSQL cannot store them."""
    if type(value) is str:
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, Mapping):
        return {without_nul(name): without_nul(inner) for name, inner in value.items()}
    if type(value) is list:
        return [without_nul(item) for item in value]
    return value


def _cut(value: Any) -> Any:
    if type(value) is str:
        return value[: limits.FIELD_CHARS_MAX]
    if type(value) is dict:
        return cut_long_values(value)
    if type(value) is list:
        return [_cut(item) for item in value]
    return value
