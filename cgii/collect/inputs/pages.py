"""Reads one page of a JSON interface: its records, and the cursor of the next one."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import orjson

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.collect.documents import as_json

LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[\w!#$&+.^`|~-]+\s*(?:=\s*(?:"[^"]*"|[^",;]*))?)*)')
HUGE = re.compile(rb"\d{19}")  # orjson makes fractions of what 64 bits do not hold
DIGITS_MAX = 4_000  # Python refuses more than 4300
NEXT = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\b)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """Its records as JSON text, and the next page's cursor; empty when it names none."""

    records: tuple[bytes, ...]
    cursor: str


def read_page(body: bytes, headers: Mapping[str, str], *, records: str, cursor: str) -> Page:
    """`records` and `cursor` are dotted paths in the answer; a cursor `link` is the header's.

    Raises Invalid when the answer is not what it should be. Lines of JSON are a page as well.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) > limits.BATCH_VALUES_MAX:
        raise Invalid("La respuesta trae demasiados valores.")
    document = _document(body)
    found = at_path(document, records) if records else document
    if found is None:
        found = []  # many leave out an empty list
    if not isinstance(found, list):
        raise Invalid("La respuesta no trae una lista en «{path}».", path=records or "(raíz)")
    if len(found) > limits.PULL_RECORDS_MAX:
        raise Invalid("La página trae más de {limit} registros.", limit=limits.PULL_RECORDS_MAX)
    value = None
    if cursor:
        is_link = cursor == "link"
        value = _next_link(headers.get("link", "")) if is_link else at_path(document, cursor)
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise Invalid("El cursor en «{path}» no es un texto ni un número.", path=cursor)
    text = "" if value is None else str(value)
    if len(text) > limits.CURSOR_CHARS_MAX:
        raise Invalid("El cursor pasa de {limit} caracteres.", limit=limits.CURSOR_CHARS_MAX)
    return Page(tuple(_record(one) for one in found), text)


def at_path(value: Any, path: str) -> Any:
    """What stands at `a.b.0.c`; -1 is the last of a list. None if it is not there."""
    for name in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and re.fullmatch(r"-1|\d{1,6}", name):
            place = int(name)
            value = value[place] if place < len(value) and value else None
        else:
            return None
    return value


def address(url: str, cursor: str, parameter: str) -> str:
    """Where to ask: for a whole address as cursor there, else with it as a parameter.

    Raises Invalid for a cursor that is no address and should be one.
    """
    if not cursor:
        return url
    if not parameter:
        try:
            return urljoin(url, cursor)
        except ValueError as error:
            raise Invalid("El cursor no es una dirección.") from error
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, True) if name != parameter]
    return urlunsplit(parts._replace(query=urlencode([*query, (parameter, cursor)])))


def _document(body: bytes) -> Any:
    """A document, or the lines of one; what is none among good lines stays as it is."""
    if not body.strip():
        return None  # nothing is new
    try:
        return _loads(body)
    except ValueError as error:
        lines = [line for line in body.split(b"\n") if line.strip()]
        found = [_or_raw(line) for line in lines]
        # The last one may be cut on its way: then the page is asked for again.
        if len(lines) < 2 or any(isinstance(found[at], bytes) for at in (0, -1)):
            raise Invalid("La respuesta no es JSON{place}.", place=_place(error)) from error
        return found


def _loads(body: bytes) -> Any:
    """JSON as servers write it: half a character, NaN and very large numbers too.

    Raises ValueError.
    """
    if HUGE.search(body) is None:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass
    try:
        return json.loads(body.decode("utf-8-sig", "replace"), parse_int=_whole)
    except RecursionError as error:
        raise ValueError("too deep") from error


def _whole(digits: str) -> int | str:
    """A number; of more digits than Python makes into one, these."""
    return int(digits) if len(digits) <= DIGITS_MAX else digits


def _or_raw(line: bytes) -> Any:
    try:
        return _loads(line)
    except ValueError:
        return line


def _place(error: ValueError) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return ""
    return f" (línea {error.lineno}, columna {error.colno})"


def _record(value: Any) -> bytes:
    """One record as it goes on; of one that is too long only what shows that it is."""
    data = value.strip() if isinstance(value, bytes) else as_json(value)
    if len(data) <= limits.LINE_BYTES_MAX:
        return data
    return data[: limits.LINE_BYTES_MAX + 1].decode(errors="replace").encode()


def _next_link(header: str) -> str | None:
    """The address that a Link header calls the next page (RFC 8288)."""
    for found in LINK.finditer(header[: limits.CURSOR_CHARS_MAX * 4]):
        if NEXT.search(found[2]):
            return found[1]
    return None
