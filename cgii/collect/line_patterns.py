"""Patterns over lines: RE2 compiled, the ones that may fit a line tried, their groups named."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from cgii.base import limits
from cgii.collect.one_way import Match

BETWEEN_BYTES = 8  # of the beginning of a line, to tell whether a pattern may fit it
ANY_LINE = (b"", b"\xff" * BETWEEN_BYTES)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One RE2 pattern over a line, and what an event gets that fits it."""

    name: str
    programs: frozenset[str]  # of the syslog header; empty means any
    prefix: bytes  # what a line must begin with; found in the pattern, spares most tries
    between: tuple[bytes, bytes]  # the first and the last line that may fit, as bytes are ordered
    match: Callable[[bytes], Any]  # re2's match object or None
    quick: Match | None  # the same for lines of ASCII, where there is one
    names: tuple[str, ...]  # of the groups in order; "" for one without a name
    numbers: tuple[str, ...]  # names of groups whose digits are a number
    fields: Mapping[str, Any]
    ecs: Mapping[str, Any]

    def read(self, line: bytes, text: str) -> dict[str, Any] | None:
        """The groups under their names, and `fields`; None if the line does not fit.

        `text` is the same line.
        """
        first, last = self.between
        if not line.startswith(self.prefix) or line < first or line > last:
            return None
        values: Sequence[str | None]
        if len(text) != len(line):
            if (found := self.match(line)) is None:
                return None
            values = [
                None if start < 0 else line[start:end].decode(errors="replace")
                for start, end in spans_of(found)[1:]
            ]
        elif self.quick is None:
            if (found := self.match(line)) is None:
                return None
            # All is ASCII: what is a place in one is the same in the other.
            values = [None if start < 0 else text[start:end] for start, end in spans_of(found)[1:]]
        else:
            if (found := self.quick(text)) is None:
                return None
            values = found.groups()
        named = zip(self.names, values, strict=True)
        fields: dict[str, Any] = {
            name: value for name, value in named if value is not None and name
        }
        for name in self.numbers:
            value = fields.get(name)
            if value is not None and value.isascii() and value.isdigit() and len(value) < 19:
                fields[name] = int(value)
        if self.fields:
            fields.update(self.fields)
        return fields


class Patterns:
    """A definition's patterns in order; of a line only those are tried that fit its first byte."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._all = tuple(patterns)
        self._by_byte: dict[int, tuple[Pattern, ...]] = {}

    def read(self, line: bytes, text: str) -> tuple[dict[str, Any], Mapping[str, Any]] | None:
        """The fields and the ECS view of the first that fits; `text` is the same line."""
        tried = self._by_byte.get(line[0]) if line else self._all
        if tried is None:
            tried = self._by_byte[line[0]] = self._for(line[:1])
        for pattern in tried:
            fields = pattern.read(line, text)
            if fields is not None:
                return fields, pattern.ecs
        return None

    def _for(self, byte: bytes) -> tuple[Pattern, ...]:
        return tuple(
            one
            for one in self._all
            if one.between[0][:1] <= byte <= one.between[1][:1] and one.prefix[:1] in (b"", byte)
        )


def spans_of(found: Any) -> Sequence[tuple[int, int]]:  # re2 has no types
    """Where the whole match and its groups begin and end; (-1, -1) for one that is not there.

    Asked one by one, they take longer than matching does.
    """
    spans: Sequence[tuple[int, int]] | None = getattr(found, "_spans", None)
    if spans is None:  # of another version of the library
        spans = [found.span(number) for number in range(found.re.groups + 1)]
    return spans


def compile_pattern(regex: str) -> Any:  # re2 has no types
    """An RE2 over bytes: linear time, bounded memory. Raises ValueError with RE2's words."""
    if len(regex) > limits.REGEX_CHARS_MAX:
        raise ValueError(f"más de {limits.REGEX_CHARS_MAX} caracteres")
    options = re2.Options()
    options.max_mem = limits.REGEX_MEMORY_BYTES_MAX
    options.log_errors = False
    try:
        return re2.compile(regex.encode(), options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise ValueError(
            reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        ) from error


def first_and_last(regex: str) -> tuple[bytes, bytes]:
    """Between which lines, as bytes are ordered, are all that begin with what the pattern fits."""
    try:
        # The library speaks of whole lines, so the pattern is made to go on to their end.
        first, last = compile_pattern(rf"(?:{regex})\C*").possiblematchrange(BETWEEN_BYTES)
    except (ValueError, re2.error):  # it may begin with anything
        return ANY_LINE
    return first, last


def any_of(texts: Sequence[str]) -> Callable[[bytes], Any]:
    """Whether a line fits one of these patterns, in one pass; where that is too much, always."""
    try:
        found: Callable[[bytes], Any] = compile_pattern(
            "|".join(f"(?:{one})" for one in texts)
        ).match
    except ValueError:
        return bool
    return found


def literal_prefix(regex: str) -> str:
    """The text that every match of `^…` must begin with; empty when in doubt."""
    if not regex.startswith("^") or _has_outer_choice(regex):
        return ""
    found = re.match(r"\^((?:[^\\.\[\](){}?*+|^$]|\\[^A-Za-z0-9])*)([?*{])?", regex)
    if found is None:
        return ""
    prefix = re.sub(r"\\(.)", r"\1", found[1])
    return prefix[:-1] if found[2] else prefix


def _has_outer_choice(regex: str) -> bool:
    depth, in_class, skip = 0, False, False
    for char in regex:
        if skip:
            skip = False
        elif char == "\\":
            skip = True
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "|" and depth == 0:
            return True
    return False
