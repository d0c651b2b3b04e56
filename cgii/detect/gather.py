"""Turns matches into what correlations look at: for each window the events that belong to it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cgii.base import limits
from cgii.base.ids import digest
from cgii.detect.alerts import Match
from cgii.detect.fields import Fields, Place, first_text, without_spaces
from cgii.detect.hits import Hit, micros
from cgii.detect.rules import CorrelationRule
from cgii.detect.terms import NUMERIC, VALUED, Number
from cgii.detect.values import number_of
from cgii.detect.windows import Episode, WindowKey

WHOLE_MAX = 2**62  # larger numbers are kept as floats: JSON has no larger ones
JOINT = "\x1f"  # between the values of several fields


@dataclass(frozen=True)
class Gathered:
    """What a batch brings to which windows, and how many events had no key or no value."""

    hits: dict[WindowKey, list[Hit]] = field(default_factory=dict)
    missing: Counter[str] = field(default_factory=Counter)  # rule id → events
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Feed:
    """What one correlation takes from one of the rules that it counts."""

    rule_id: str
    version: str
    mask: int
    keys: tuple[str, ...]  # fields, as the counted rule's events name them
    values: tuple[str, ...]
    is_number: bool


class _Texts:
    """The values of one event's fields as text, each looked up once."""

    __slots__ = ("_ecs", "_fields", "_keys", "_known", "_places")

    def __init__(self, places: dict[str, Place], fields: Fields, ecs: Fields) -> None:
        self._places = places
        self._fields = fields
        self._ecs = ecs
        self._known: dict[str, str | None] = {}
        self._keys: dict[tuple[str, ...], tuple[str, ...] | None] = {}

    def key(self, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """The texts of these fields, or None when one has none; most feeds ask for the same."""
        try:
            return self._keys[names]
        except KeyError:
            found = [text for name in names if (text := self.get(name)) is not None]
            key = self._keys[names] = tuple(found) if len(found) == len(names) else None
            return key

    def get(self, name: str) -> str | None:
        try:
            return self._known[name]
        except KeyError:
            value = self._places[name].find(self._fields, self._ecs)
            text = value if isinstance(value, str) else first_text(value)
            if text is not None and len(text) > limits.KEY_CHARS_MAX:
                text = text[: limits.KEY_CHARS_MAX]
            self._known[name] = text
            return text


class Gatherer:
    """Knows which correlation counts which rule, by which fields."""

    def __init__(self, correlations: Iterable[CorrelationRule]) -> None:
        self._feeds: dict[str, list[_Feed]] = defaultdict(list)
        self._places: dict[str, Place] = {}
        for correlation in correlations:
            for rule_id in correlation.rule_ids:
                feed = _feed(correlation, rule_id)
                self._feeds[rule_id].append(feed)
                for name in (*feed.keys, *feed.values):
                    self._places[name] = Place((name,))

    def gather(self, matches: Iterable[Match]) -> Gathered:
        """The hits of matches, which come event by event."""
        found: dict[WindowKey, list[Hit]] = {}
        missing: Counter[str] = Counter()
        newest: datetime | None = None
        last_event: object = None
        plain: dict[int, Hit] = {}  # of the event, for the feeds that take no value, by mask
        for match in matches:
            feeds = self._feeds.get(match.rule.id)
            if feeds is None:
                continue
            event = match.event
            if event is not last_event:
                last_event = event
                at = micros(event.at)
                newest = event.at if newest is None else max(newest, event.at)
                texts = _Texts(self._places, without_spaces(event.fields), event.ecs)
                plain.clear()
            for feed in feeds:
                key = texts.key(feed.keys)
                value = _value(feed, texts) if feed.values else None
                if key is None or (feed.values and value is None):
                    missing[feed.rule_id] += 1
                    continue
                hit = None if feed.values else plain.get(feed.mask)
                if hit is None:
                    hit = Hit(at, event.id, event.source, event.sensor_id, feed.mask, value)
                    if not feed.values:
                        plain[feed.mask] = hit
                window = WindowKey(feed.rule_id, event.entity_id, key, feed.version)
                known = found.get(window)
                if known is None:
                    found[window] = [hit]
                else:
                    known.append(hit)
        return Gathered(found, missing, newest)

    def follow(
        self, rule: CorrelationRule, key: WindowKey, episode: Episode, name: str
    ) -> Iterable[tuple[WindowKey, Hit]]:
        """The hits that a result of a correlation is for those that count it (C10).

        It stands at the alert's time, and its only fields are the group-by values.
        """
        fields = dict(zip(rule.window_fields, key.values, strict=True))
        for feed in self._feeds.get(rule.id, ()):
            texts = _Texts(self._places, fields, {})
            value = _value(feed, texts) if feed.values else None
            if feed.values and value is None:
                continue
            hit = Hit(
                episode.at,
                name,
                episode.source,
                episode.sensor_id,
                feed.mask,
                value,
                episode.trigger,
            )
            yield _outer(feed, key, fields), hit

    def outer_keys(self, rule: CorrelationRule, key: WindowKey) -> list[WindowKey]:
        """The windows that a result of this window would go to."""
        fields = dict(zip(rule.window_fields, key.values, strict=True))
        return [_outer(feed, key, fields) for feed in self._feeds.get(rule.id, ())]


def _outer(feed: _Feed, key: WindowKey, fields: Mapping[str, str]) -> WindowKey:
    values = tuple([fields[name] for name in feed.keys])
    return WindowKey(feed.rule_id, key.entity_id, values, feed.version)


def _feed(correlation: CorrelationRule, rule_id: str) -> _Feed:
    return _Feed(
        correlation.id,
        correlation.version,
        correlation.mask_of(rule_id),
        tuple(correlation.field_of(rule_id, name) for name in correlation.window_fields),
        tuple(correlation.field_of(rule_id, name) for name in correlation.value_fields)
        if correlation.terms.kind in VALUED
        else (),
        correlation.terms.kind in NUMERIC,
    )


def _value(feed: _Feed, texts: _Texts) -> str | Number | None:
    found = [texts.get(name) for name in feed.values]
    parts = [text for text in found if text is not None]
    if len(parts) < len(found):
        return None
    if feed.is_number:
        return _number(parts[0])
    text = JOINT.join(parts)
    if len(text) <= limits.CORRELATED_CHARS_MAX:
        return text
    return f"{text[: limits.CORRELATED_CHARS_MAX - 17]}…{digest(text)[:16]}"


def _number(text: str) -> Number | None:
    number = number_of(text.strip())
    if number is None or number != number or number in (float("inf"), float("-inf")):
        return None
    return float(number) if isinstance(number, int) and abs(number) > WHOLE_MAX else number
