"""The parts of a definition, compiled: time, logsource, ECS rules, patterns, fingerprint."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import re2

from cgii.base import limits
from cgii.collect.convert import Conversion, lookup, text
from cgii.collect.times import TimeFormat
from cgii.model.event import LogSource

LOGSOURCES_KEPT = 4_096  # values come from senders, so the memory of them is bounded
LOGSOURCE_CHARS_MAX = 64
NAME_IN_TEMPLATE = re.compile(r"\{([^{}]+)\}")
OPTIONAL_PART = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class TimeRule:
    """A field that may hold the moment, or several that hold parts of it, and how it is written."""

    field: str
    read: TimeFormat
    more: tuple[str, ...] = ()  # the fields with the other parts

    def value_in(self, fields: Mapping[str, Any]) -> Any:
        """What the record says, its parts with a space between; None if any is missing."""
        found = lookup(fields, self.field)
        if found is None or not self.more:
            return found
        parts = [found, *(lookup(fields, name) for name in self.more)]
        return None if None in parts else " ".join(map(str, parts))


@dataclass(frozen=True, slots=True)
class Choice:
    """A value taken from fields: the first that is there, or several joined, through a table."""

    fields: tuple[str, ...]
    convert: Conversion = text
    join: str | None = None
    table: Mapping[str, Any] | None = None
    default: Any = None

    def of(self, fields: Mapping[str, Any]) -> Any:
        """The chosen value, or None."""
        found = self._joined(fields) if self.join is not None else self._first(fields)
        if self.table is None:
            return self.default if found is None else found
        return self.table.get(str(found), self.default) if found is not None else self.default

    def _first(self, fields: Mapping[str, Any]) -> Any:
        for name in self.fields:
            value = fields.get(name)
            if value is None:
                if "." not in name:
                    continue
                value = lookup(fields, name)
            if value is not None and (value := self.convert(value)) is not None:
                return value
        return None

    def _joined(self, fields: Mapping[str, Any]) -> str | None:
        parts = [self.convert(lookup(fields, name)) for name in self.fields]
        return (self.join or "").join("" if part is None else str(part) for part in parts)


@dataclass(frozen=True, slots=True)
class LogSourceRule:
    """Which logsource an event has; each part is fixed or chosen by fields."""

    product: str | Choice = ""
    category: str | Choice = ""
    service: str | Choice = ""
    known: dict[tuple[str, str, str], LogSource] = field(default_factory=dict, compare=False)

    def of(self, fields: Mapping[str, Any]) -> LogSource:
        """The event's logsource; equal ones are one object."""
        key = (
            self.product if type(self.product) is str else _part(self.product, fields),
            self.category if type(self.category) is str else _part(self.category, fields),
            self.service if type(self.service) is str else _part(self.service, fields),
        )
        found = self.known.get(key)
        if found is None:
            if len(self.known) >= LOGSOURCES_KEPT:
                self.known.clear()
            found = self.known[key] = LogSource(*key)
        return found


def _part(choice: str | Choice, fields: Mapping[str, Any]) -> str:
    if isinstance(choice, str):
        return choice
    return str(choice.of(fields) or "")[:LOGSOURCE_CHARS_MAX]


@dataclass(frozen=True, slots=True)
class EcsRules:
    """What goes into the ECS view, sorted by how much work it is."""

    fixed: Mapping[str, Any]
    plain: tuple[tuple[str, str, Conversion], ...]  # target, one name without a dot, conversion
    chosen: tuple[tuple[str, Choice], ...]

    def apply(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The ECS view of the fields, flat and dotted."""
        ecs = dict(self.fixed)
        get = fields.get
        for target, name, convert in self.plain:
            value = get(name)
            if value is not None:
                value = convert(value)
                if value is not None:
                    ecs[target] = value
        for target, choice in self.chosen:
            value = choice.of(fields)
            if value is not None:
                ecs[target] = value
        return ecs


@dataclass(frozen=True, slots=True)
class Message:
    """The sentence shown for an event: a field of it, else a template over its fields.

    What stands in the template between [ ] is left out if a name in it is not there.
    """

    fields: tuple[str, ...] = ()
    template: str = ""

    def of(self, fields: Mapping[str, Any]) -> str:
        """The sentence; names that are not there leave nothing behind."""
        for name in self.fields:
            value = lookup(fields, name)
            if type(value) is str and text(value):
                return value
        told: list[str] = []
        for number, section in enumerate(_sections(self.template)):
            parts = [
                (text(lookup(fields, part)) or "") if place % 2 else part
                for place, part in enumerate(section)
            ]
            if number % 2 == 0 or all(parts[1::2]):
                told += parts
        return " ".join("".join(told).split())


@cache
def _sections(template: str) -> tuple[tuple[str, ...], ...]:
    """The template cut at [ ]; what stood in them, and within that the names, at the odd places."""
    return tuple(tuple(NAME_IN_TEMPLATE.split(one)) for one in OPTIONAL_PART.split(template))


@dataclass(frozen=True, slots=True)
class Pattern:
    """One RE2 pattern over a line, and what an event gets that fits it."""

    name: str
    programs: frozenset[str]  # of the syslog header; empty means any
    prefix: bytes  # what a line must begin with; found in the pattern, spares most tries
    match: Callable[[bytes], Any]  # re2's match object or None
    names: tuple[str, ...]  # of the groups in order; "" for one without a name
    numbers: frozenset[str]
    fields: Mapping[str, Any]
    ecs: Mapping[str, Any]

    def apply(self, line: bytes, fields: dict[str, Any]) -> bool:
        """Put the groups into `fields` and say whether the line fits."""
        if not line.startswith(self.prefix):
            return False
        found = self.match(line)
        if found is None:
            return False
        for name, value in zip(self.names, found.groups(), strict=True):
            if value is not None and name:
                fields[name] = (
                    int(value)
                    if name in self.numbers and value.isdigit() and len(value) < 19
                    else value.decode(errors="replace")
                )
        if self.fields:
            fields.update(self.fields)
        return True


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of a line are called, and how such a line is known."""

    names: tuple[str, ...]  # "" for one that nobody reads
    when: Mapping[int, frozenset[str]] = field(default_factory=dict)  # by column: what it holds

    def fits(self, values: Sequence[str]) -> bool:
        """Whether the line has what it must; without conditions, just as many columns."""
        if not self.when:
            return len(values) == len(self.names)
        count = len(values)
        return all(at < count and values[at] in wanted for at, wanted in self.when.items())


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """How the beginning of a file of this source is recognised.

    The smallest `rank` whose `share` of lines fits wins.
    """

    rank: int = 100
    share: float = 0.5
    lines: tuple[Callable[[bytes], Any], ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()  # alternatives: all of these names in a JSON object
    magic: bytes = b""
    texts: tuple[str, ...] = ()  # of `lines`, as they were written

    def fits_line(self, line: bytes) -> bool:
        """Whether the line looks like one of this source."""
        return any(match(line) is not None for match in self.lines)

    def fits_object(self, record: Mapping[str, Any]) -> bool:
        """Whether the JSON object looks like one of this source."""
        return any(all(lookup(record, key) is not None for key in keys) for keys in self.keys)


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
