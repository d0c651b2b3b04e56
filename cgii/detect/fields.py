"""How a rule's field name finds its value in an event (Sigma V10): the producer's names first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cgii.base import limits
from cgii.detect.values import MISSING, elements, text_of
from cgii.model.event import Event

Fields = Mapping[str, Any]  # values are whatever a decoder produces


def without_spaces(fields: Fields) -> Fields:
    """The same fields with spaces taken out of their names; the same mapping when none has any."""
    if " " not in "".join(fields):
        return fields
    plain = {name: value for name, value in fields.items() if " " not in name}
    for name, value in fields.items():
        plain.setdefault(name.replace(" ", ""), value)
    return plain


@dataclass(frozen=True)
class Place:
    """Where to look for a field: the rule's own name, then the names that the logsource maps to."""

    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name as the rule writes it."""
        return self.names[0]

    def find(self, fields: Fields, ecs: Fields) -> Any:
        """The value, or MISSING. `fields` has names without spaces."""
        for name in self.names:
            if name in fields:
                return fields[name]
        for name in self.names:
            if name in ecs:
                return ecs[name]
        for name in self.names:
            if "." in name:
                parts = name.split(".")[: limits.JSON_DEPTH_MAX]
                for tree in (fields, ecs):
                    value = _walk(tree, parts)
                    if value is not MISSING:
                        return value
        return MISSING

    def find_in(self, event: Event) -> Any:
        """The same for a whole event."""
        return self.find(without_spaces(event.fields), event.ecs)


def _walk(tree: Any, parts: list[str]) -> Any:
    if isinstance(tree, list):
        found = [v for v in (_walk(item, parts) for item in tree) if v is not MISSING]
        return found or MISSING
    if not isinstance(tree, Mapping):
        return MISSING
    for size in range(1, len(parts) + 1):
        head = ".".join(parts[:size])
        if head in tree:
            value = tree[head] if size == len(parts) else _walk(tree[head], parts[size:])
            if value is not MISSING:
                return value
    return MISSING


def spoken_texts(event: Event) -> list[str]:
    """Where keywords are sought: the raw record first, then every text that a field holds."""
    return texts_of_record(event.fields, event.original)


def texts_of_record(fields: Fields, original: str) -> list[str]:
    """The same for a record that is no event yet."""
    found = [original]
    for value in fields.values():
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, (dict, list, tuple)):
            found.extend(_texts_inside(value))
    return found


def _texts_inside(tree: Any) -> Iterator[str]:
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, (list, tuple)):
            waiting.extend(value)


def first_text(value: Any) -> str | None:
    """One text for a value, those of a list joined with commas; None if there is none."""
    texts = [text for text in map(text_of, elements(value)) if text is not None]
    return ",".join(texts) if texts else None
