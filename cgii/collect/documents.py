"""Cuts JSON documents into records: one, a list, a wrapper around a list, several in a row."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

# `[`, or what exporters put around it: `{"xmlns": "…", "Events": {"Event": [`.
_NAMESPACE = r'(?:"(?:xmlns|[#@$])[^"]*"\s*:\s*(?:"[^"]*"|\{[^{}]*\})\s*,\s*)*'
_OPENING = re.compile(
    rf'(?:\s*\{{\s*{_NAMESPACE}"(?:Events?|events|[Rr]ecords|hits|logs|data)"\s*:)*\s*\[', re.ASCII
)
_WRAPPER = re.compile(
    rf"\s*(?:\[|\{{\s*{_NAMESPACE}"
    r'(?:"(?:Events|events|[Rr]ecords)"\s*:\s*[\[{]|"Event"\s*:\s*\[))',
    re.ASCII,
)
_BETWEEN = re.compile(r"(?:[\s,]|\x1e|Record\s+\d+\s*$)*", re.ASCII | re.MULTILINE)
_AFTER = re.compile(r"[\s}\]]*", re.ASCII)
_DECODER = json.JSONDecoder()
TOO_DEEP = b"JSON demasiado profundo"


@dataclass(frozen=True, slots=True)
class Found:
    """One value of a document and the line on which it begins, from 1."""

    value: Any
    line: int


class BrokenDocument(Exception):  # noqa: N818  named for what it is about
    """From here on the text is no JSON; `line` says where, from 1."""

    def __init__(self, reason: str, line: int) -> None:
        self.line = line
        super().__init__(reason)


def is_wrapped(head: str) -> bool:
    """Whether a document begins with a list, or with an object that is only there to hold one."""
    return _WRAPPER.match(head) is not None


def records(text: str) -> Iterator[Found]:
    """Every record of the text in order. Raises BrokenDocument where it stops being JSON."""
    reader = _Reader(text)
    while not reader.at_end():
        yield from reader.document()


def as_json(value: Any) -> bytes:
    """A value that was read from JSON as JSON again; too deep for that, a text that is none."""
    try:
        return orjson.dumps(value)
    except TypeError:  # half a surrogate pair, a very large number, or deep nesting
        pass
    try:
        return json.dumps(value).encode()
    except RecursionError:
        return TOO_DEEP


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._line, self._counted = 1, 0

    def at_end(self) -> bool:
        self._skip(_BETWEEN)
        return self.at >= len(self.text)

    def document(self) -> Iterator[Found]:
        opening = _OPENING.match(self.text, self.at)
        if opening is None:
            found = self._value()
            yield from _unwrapped(found)
            return
        self.at = opening.end()
        while True:
            self._skip(_BETWEEN)
            if self.at >= len(self.text):
                raise BrokenDocument("la lista no termina", self._line_here())
            if self.text[self.at] == "]":
                break
            yield from _unwrapped(self._value())
        self._skip(_AFTER)
        if "{" not in opening[0]:
            return
        # What a wrapper says after its list is about the list, not a record.
        while self.text.startswith(",", self.at):
            comma = self.at
            self._skip(_BETWEEN)
            if self.text.startswith(("{", "["), self.at):
                self.at = comma
                return
            self._value()
            self._skip(re.compile(r"\s*:\s*"))
            self._value()
            self._skip(_AFTER)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _value(self) -> Found:
        line = self._line_here()
        try:
            value, self.at = _DECODER.raw_decode(self.text, self.at)
        except (ValueError, RecursionError) as error:
            raise BrokenDocument(str(error), line) from error
        return Found(value, line)

    def _line_here(self) -> int:
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line


def _unwrapped(found: Found) -> Iterator[Found]:
    """The records inside a value: `{"Event": [{…}, {…}]}` and lists hold several."""
    value = found.value
    if isinstance(value, dict):
        for name in ("Events", "Event"):
            inner = value.get(name)
            if isinstance(inner, list) or (name == "Events" and isinstance(inner, dict)):
                yield from _unwrapped(Found(inner, found.line))
                return
    elif isinstance(value, list):
        for one in value:
            yield from _unwrapped(Found(one, found.line))
        return
    yield found
