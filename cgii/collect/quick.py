"""Reads only the fields of JSON records, for those who throw most records away again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from cgii.base import limits
from cgii.collect.definition import Definition
from cgii.collect.definition_parts import Choice
from cgii.collect.normalize import MISTAKES
from cgii.collect.parsers import windows
from cgii.collect.parsers.json_lines import are_small
from cgii.collect.rejects import Unreadable
from cgii.collect.times import UNREADABLE, iso, iso_utc, settle
from cgii.model.event import LogSource

Fields = dict[str, Any]


class Naming(NamedTuple):
    """How a parser names the fields of a decoded record."""

    named: Callable[[Fields], Fields]
    # Nothing is left to do for records of the same shape, but to see what `accepts` sees …
    is_settled: Callable[[Fields], bool]
    # … and that the text of this field, if it is there, does not begin so.
    unless: tuple[str, str] = ("", "")


NAMED = {
    "json_lines": Naming(lambda found: found, lambda found: True),
    "windows": Naming(windows.named, windows.is_settled, ("TimeCreated", "/")),
}
SHAPES_MAX = 4_096  # ways in which records are built that are remembered; a source has hundreds
ISO = frozenset({iso, iso_utc})
ISO_CHARS_MAX = 40
YEARS = (1980, 9999)  # strictly between these no zone makes a moment unreadable
# What normalising adds to every ECS view beside what the definition says.
ADDED = (
    "message", "event.dataset", "observer.ip",
    "log.source.address", "log.file.path", "log.file.line",
)  # fmt: skip


@dataclass(slots=True)
class Shape:
    """What records have in common whose fields have the same names and types of values."""

    types: tuple[type, ...]
    lists: tuple[str, ...]  # names of the fields that hold lists
    is_settled: bool  # they are named already as their events will be …
    unless: str = ""  # … unless this text begins as the parser's `Naming` says
    time_name: str = ""  # the field from which the last one's time could be read, if it is ISO
    told_by: frozenset[str] = frozenset()  # the fields by whose values …
    key: Callable[[Fields], tuple[Any, ...]] = lambda fields: ()
    known: dict[Any, Any] = field(default_factory=dict)  # … a reader remembers what it knows


class QuickReader:
    """Gives of a line the fields that its event would have; None sends it the long way.

    The long way is `normalize`: it takes what is damaged, long or unusual, and says what is wrong
    with it. A line of which this reader gives fields would not have been rejected there.
    """

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._named = NAMED.get(definition.parser) if definition.times else None
        self._shapes: dict[tuple[tuple[str, ...], tuple[type, ...]], Shape] = {}
        self._newest: dict[tuple[str, ...], Shape] = {}  # by names: mostly the types are the same
        rule = definition.logsource
        choices = [c for c in (rule.product, rule.category, rule.service) if isinstance(c, Choice)]
        # The fields that tell the logsource: events that have the same in them have the same one.
        self.told_by = tuple(name for choice in choices for name in choice.fields)

    @property
    def ecs_names(self) -> frozenset[str]:
        """Every name that the ECS view of an event of this source may have."""
        rules = self._definition.ecs
        targets = {target for target, *_ in rules.plain} | {target for target, _ in rules.chosen}
        return frozenset({*rules.fixed, *targets, *ADDED})

    def logsource_of(self, fields: Mapping[str, Any]) -> LogSource:
        """The logsource of these fields."""
        return self._definition.logsource.of(fields)

    def accepts(self, fields: Fields) -> bool:
        """Whether the parser takes these values. To be asked once for those that tell the class."""
        try:
            return self._named is not None and bool(self._named.named(fields))
        except (Unreadable, *MISTAKES):
            return False

    def fields_of(self, line: bytes, received_at: datetime) -> tuple[Fields, Shape] | None:
        """The fields of a raw line and their shape, or None. A NUL is not made visible yet."""
        naming = self._named
        if naming is None or len(line) > limits.FIELD_CHARS_MAX:
            return None
        try:
            fields = orjson.loads(line)
            names, types = (*fields,), (*map(type, fields.values()),)
            shape = self._newest.get(names)
            if shape is None or shape.types != types:
                shape = self._shapes.get((names, types)) or self._learn(fields, types, naming)
                if shape is None:
                    return None
                self._newest[names] = shape
            if shape.lists and not are_small([fields[name] for name in shape.lists], len(fields)):
                return None
            if shape.unless and fields[shape.unless].startswith(naming.unless[1]):
                return None
            if not shape.is_settled:
                fields = naming.named(fields)
            if shape.time_name:  # the same as below, for what is usual
                value = fields.get(shape.time_name)
                if type(value) is str and len(value) <= ISO_CHARS_MAX:
                    try:
                        if YEARS[0] < datetime.fromisoformat(value).year < YEARS[1]:
                            return fields, shape
                    except ValueError:
                        pass
            return (fields, shape) if self._has_moment(fields, shape, received_at) else None
        except (Unreadable, *MISTAKES):  # orjson's error is a ValueError
            return None

    def _learn(self, found: Fields, types: tuple[type, ...], naming: Naming) -> Shape | None:
        """The shape of the record; None if such records are unusual."""
        if not 0 < len(found) <= limits.EVENT_FIELDS_MAX or " " in "".join(found):
            return None
        if dict in types:
            return None
        lists = tuple(name for name, value in found.items() if type(value) is list)
        if len(self._shapes) >= SHAPES_MAX:
            self._shapes.clear()
            self._newest.clear()
        unless = naming.unless[0] if type(found.get(naming.unless[0])) is str else ""
        shape = Shape(types, lists, naming.is_settled(found), unless)
        self._shapes[(*found,), types] = shape
        return shape

    def _has_moment(self, fields: Fields, shape: Shape, received_at: datetime) -> bool:
        """Whether some of the times can be read; the one that could is tried first from now on."""
        for rule in self._definition.times:
            value = rule.value_in(fields)
            if value is None:
                continue
            try:
                settle(rule.read(value, self._definition.zone, received_at), received_at)
            except UNREADABLE:
                continue
            shape.time_name = rule.field if rule.read in ISO and not rule.more else ""
            return True
        return False
