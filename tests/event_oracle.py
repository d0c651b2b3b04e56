"""A slow, plain reading of what a search means, to hold every event store against; and events."""

import ipaddress
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import isfinite
from typing import Any

from cgii.base.ids import event_id
from cgii.model.event import Event, LogSource
from cgii.store import query_tree as tree
from cgii.store.query_fields import ADDRESSES
from cgii.store.words import fold, words

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make_event(seq: int, **given: Any) -> Event:
    """An event that happened `seq` seconds after noon and came a second later."""
    at = given.pop("at", NOON + timedelta(seconds=seq))
    defaults: dict[str, Any] = {
        "id": event_id("test", "1", seq),
        "at": at,
        "received_at": at + timedelta(seconds=1),
        "source": "linux_auth",
        "logsource": LogSource("linux", "", "auth"),
        "fields": {},
        "ecs": {},
        "original": f"line {seq}",
        "entity_id": 1,
        "sensor_id": 7,
    }
    return Event(**{**defaults, **given})


def meets(event: Event, node: tree.Node) -> bool:
    """Whether an event is what the search means."""
    match node:
        case tree.Everything():
            return True
        case tree.And(parts):
            return all(meets(event, part) for part in parts)
        case tree.Or(parts):
            return any(meets(event, part) for part in parts)
        case tree.Not(part):
            return not meets(event, part)
        case tree.Words(wanted, open_end):
            return any(_has_phrase(text, wanted, open_end) for text in _texts(event))
        case tree.WordLike(pieces):
            pattern = _pattern(pieces)
            return any(pattern.fullmatch(w) for text in _texts(event) for w in words(text))
        case tree.Says(field, wanted, open_end):
            return any(_has_phrase(_text(v), wanted, open_end) for v in _values(event, field))
        case _:
            return any(_fits(value, node) for value in _values(event, node.field))


def _fits(value: Any, leaf: Any) -> bool:
    text = fold(_text(value))
    if leaf.field in ADDRESSES and ":" in text and _address(text):
        text = str(_address(text))
    match leaf:
        case tree.Exists():
            return True
        case tree.Equals(_, wanted):
            return text == wanted
        case tree.Like(_, pieces):
            return _pattern(pieces).fullmatch(text) is not None
        case tree.Regex(_, pattern):
            return re.fullmatch(pattern, _text(value), re.IGNORECASE | re.DOTALL) is not None
        case tree.Within(_, first, last):
            address, bounds = _address(text), ipaddress.ip_address(first)
            between = ipaddress.summarize_address_range(bounds, ipaddress.ip_address(last))
            return address is not None and any(address in network for network in between)
        case tree.During(_, start, end):
            millisecond = (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
            return (start is None or start <= millisecond) and (end is None or millisecond < end)
        case tree.Range():
            return _in_range(text, leaf)
    raise AssertionError(leaf)


def _in_range(text: str, leaf: tree.Range) -> bool:
    bounds = [bound for bound in (leaf.low, leaf.high) if bound is not None]
    convert: Any = str
    if all(_is_number(bound) for bound in bounds):
        if not _is_number(text):
            return False
        convert = Fraction
    value = convert(text)
    if leaf.low is not None and not (
        value >= convert(leaf.low) if leaf.low_counts else value > convert(leaf.low)
    ):
        return False
    if leaf.high is None:
        return True
    return bool(value <= convert(leaf.high) if leaf.high_counts else value < convert(leaf.high))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", text) is not None


def _address(text: str) -> Any:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _pattern(pieces: tree.Pieces) -> re.Pattern[str]:
    signs = {tree.Wild.ANY: ".*", tree.Wild.ONE: "."}
    parts = [re.escape(p) if isinstance(p, str) else signs[p] for p in pieces]
    return re.compile("".join(parts), re.DOTALL)


def _has_phrase(text: str, wanted: tuple[str, ...], open_end: bool) -> bool:
    spelled = words(text)
    for begin in range(len(spelled) - len(wanted) + 1):
        part = spelled[begin : begin + len(wanted)]
        if part == wanted:
            return True
        if open_end and part[:-1] == wanted[:-1] and part[-1].startswith(wanted[-1]):
            return True
    return False


def _texts(event: Event) -> list[str]:
    marked_up = re.match(r"\s*(\{|<[a-z?!])", event.original, re.IGNORECASE)
    texts = [] if marked_up and event.fields else [event.original]
    return texts + [_text(value) for value in _flat([event.fields, event.ecs])]


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _flat(inner)]
    if isinstance(value, list | tuple):
        return [leaf for inner in value for leaf in _flat(inner)]
    is_none = value is None or (isinstance(value, float) and not isfinite(value))
    return [] if is_none else [value]


def _values(event: Event, name: str) -> list[Any]:
    own = {
        "source": event.source,
        "entity_id": event.entity_id,
        "sensor_id": event.sensor_id,
        "logsource.product": event.logsource.product,
        "logsource.category": event.logsource.category,
        "logsource.service": event.logsource.service,
        "event.original": event.original,
        "@timestamp": event.at,
        "event.ingested": event.received_at,
    }
    if name in own:
        return _flat(own[name])
    return _reach(event.ecs, name.split(".")) or _reach(event.fields, name.split("."))


def _reach(value: Any, steps: list[str]) -> list[Any]:
    """All that the dotted name leads to, whichever of its dots are part of a key."""
    if not steps:
        return _flat(value)
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _reach(inner, steps)]
    if not isinstance(value, dict):
        return []
    whole = ".".join(steps)
    if whole in value:
        return _flat(value[whole])
    found = []
    for size in range(1, len(steps)):
        key = ".".join(steps[:size])
        if key in value:
            found += _reach(value[key], steps[size:])
    return found
