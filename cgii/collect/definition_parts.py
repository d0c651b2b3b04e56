"""The parts of a definition, compiled: time, logsource, ECS rules, patterns, fingerprint."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cgii.collect.convert import ABSENT_CHARS_MAX, Conversion, lookup, text
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


@dataclass(frozen=True, slots=True)
class Sentence:
    """A message's fields and its template in parts; of records that have some fields only."""

    fields: tuple[str, ...]
    # For each part: whether it stands or falls with its names, names with the text before each,
    # and the text after the last.
    parts: tuple[tuple[bool, tuple[tuple[str, str], ...], str], ...]

    def of(self, fields: Mapping[str, Any]) -> str:
        """The sentence; names that are not there leave nothing behind."""
        for name in self.fields:
            value = lookup(fields, name)
            if type(value) is str and text(value):
                return value
        told: list[str] = []
        for is_optional, pairs, end in self.parts:
            count = len(told)
            for before, name in pairs:
                value = fields.get(name)
                if type(value) is not str or len(value) <= ABSENT_CHARS_MAX:
                    value = text(lookup(fields, name))
                if value:
                    told += (before, value)
                elif is_optional:
                    del told[count:]
                    break
                else:
                    told.append(before)
            else:
                told.append(end)
        return " ".join("".join(told).split())


@dataclass(frozen=True, slots=True)
class Message:
    """The sentence shown for an event: a field of it, else a template over its fields.

    What stands in the template between [ ] is left out if a name in it is not there.
    """

    fields: tuple[str, ...] = ()
    template: str = ""

    def of(self, fields: Mapping[str, Any]) -> str:
        """The sentence for these fields."""
        return _sentence(self).of(fields)

    def within(self, may_be_there: Callable[[str], bool]) -> Sentence:
        """The sentence for records of which only some fields may be there."""
        whole = _sentence(self)
        parts = []
        for is_optional, pairs, end in whole.parts:
            there = [may_be_there(name) for _, name in pairs]
            if is_optional and not all(there):
                continue
            kept: list[tuple[str, str]] = []
            before = ""
            for (text_before, name), is_there in zip(pairs, there, strict=True):
                before += text_before
                if is_there:
                    kept.append((before, name))
                    before = ""
            parts.append((is_optional, tuple(kept), before + end))
        return Sentence(tuple(filter(may_be_there, whole.fields)), tuple(parts))


@cache
def _sentence(message: Message) -> Sentence:
    """The template cut at [ ] and at its names; what stood in [ ] is optional."""
    parts = []
    for number, section in enumerate(OPTIONAL_PART.split(message.template)):
        cut = NAME_IN_TEMPLATE.split(section)
        parts.append((number % 2 == 1, tuple(zip(cut[:-1:2], cut[1::2], strict=True)), cut[-1]))
    return Sentence(message.fields, tuple(parts))


@dataclass(frozen=True, slots=True)
class Looks:
    """What the values of a line look like and what none does, asked of all of them at once."""

    like: Callable[[bytes], Any] | None = None  # of the values with a line break between them
    unlike: Callable[[bytes], Any] | None = None

    def fit(self, values: Sequence[str]) -> bool:
        """Whether these can be such values."""
        if self.like is self.unlike is None:
            return True
        text = "\n".join(values).encode()
        if text.count(b"\n") >= len(values):
            return False
        if self.like is not None and self.like(text) is None:
            return False
        return self.unlike is None or self.unlike(text) is None


def all_like(regexes: Sequence[str]) -> str:
    """What values look like, with a line break between them, if some have a regex; else ""."""
    # With (?m) a value has its own ^ and $. As many breaks as there are leave none for a regex.
    lines = (f"(?:{one})" if one else ".*" for one in regexes)
    return r"(?m)\A" + r"\n".join(lines) + r"\z" if any(regexes) else ""


def one_like(regexes: Sequence[str]) -> str:
    """The same of values of which one at least looks as its regex says."""
    lines = [
        rf"(?:.*\n){{{at}}}(?:{one})(?:\n.*){{{len(regexes) - at - 1}}}"
        for at, one in enumerate(regexes)
        if one
    ]
    return rf"(?m)\A(?:{'|'.join(lines)})\z" if lines else ""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of a line are called, and how such a line is known."""

    names: tuple[str, ...]  # "" for one that nobody reads
    when: Mapping[int, frozenset[str]] = field(default_factory=dict)  # by column: what it holds
    looks: Looks = Looks()

    def fits(self, values: Sequence[str]) -> bool:
        """Whether the line has what it must; without conditions, as many columns that look so."""
        count = len(values)
        if self.when:
            return all(at < count and values[at] in wanted for at, wanted in self.when.items())
        return count == len(self.names) and self.looks.fit(values)


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
