"""The state of one correlation for one key, as a value and as text."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from cgii.base import ids, limits
from cgii.detect.hits import Hit, moment_of
from cgii.detect.tallies import Tally

VERSION = 2


class _Key(NamedTuple):
    rule_id: str
    entity_id: int | None
    values: tuple[str, ...]
    version: str = ""  # CorrelationRule.version: a rule that counts otherwise begins anew


class WindowKey(_Key):
    """Whose window it is: the correlation, the entity of the events, the group-by values."""

    _hash: str | None = None  # it is asked for when a window is loaded, and when it is saved

    @property
    def hash(self) -> str:
        """The key's name in the data base."""
        known = self._hash
        if known is None:
            beginning = _beginning(self.rule_id, self.version, self.entity_id)
            known = self._hash = ids.digest_packed(beginning + ids.packed(*self.values))
        return known


@lru_cache(maxsize=limits.WINDOW_NAMES_KEPT_MAX)
def _beginning(rule_id: str, version: str, entity_id: int | None) -> bytes:
    return ids.packed("window", rule_id, version, "" if entity_id is None else str(entity_id))


@dataclass(frozen=True, slots=True)
class Episode:
    """What one alert tells: when it began, its last moment, how many events it has."""

    began: int
    last: int  # of one that is decided at the end of its window: that end
    count: int
    samples: tuple[str, ...]  # event ids, newest last
    source: str
    sensor_id: int | None
    figure: float | None = None  # what was measured at the last moment
    values: tuple[str, ...] = ()  # the first distinct values, where values are counted
    mask: int = 1  # the rules that took part
    at: int = 0  # the alert's time
    trigger: str = ""  # the record that made the condition true
    is_named: bool = False  # whether its first value belongs to its name, as of a first_seen


@dataclass(slots=True)
class Memory:
    """What a first_seen knows of the time before `Window.base`."""

    start: int  # since when it has been learning
    last: int  # the newest event
    seen: dict[str, int]  # value → when it was last seen


@dataclass(slots=True)
class Tip:
    """What follows from a window's hits and saves computing it again; never written down."""

    known: set[str]  # event ids
    tally: Tally | None = None
    first: int = 0  # index of the oldest hit that the tally holds
    at: int | None = None  # the last point
    current: Episode | None = None  # the episode that goes on at the last point
    episodes: list[Episode] = field(default_factory=list)  # since `base`, the open one included


@dataclass(slots=True)
class Window:
    """What is kept between batches. Whoever adds events to it changes it in place."""

    until: int | None = None  # earlier events are late
    base: int | None = None  # what lies before is final and only known by `open` or `memory`
    hits: list[Hit] = field(default_factory=list)  # in order, of those still needed
    open: Episode | None = None  # the episode that goes on at `base`
    opened: int | None = None  # when the window began, once its first hits had to be dropped
    dropped: int = 0  # so many of them
    memory: Memory | None = None
    due: int | None = None  # once no earlier event can come, there is something to decide
    tip: Tip | None = field(default=None, compare=False, repr=False)
    is_stored: bool = field(default=False, compare=False)
    # When its row says that it is due and that it expires: indexes cost more than the row itself.
    dates: tuple[datetime | None, datetime] | None = field(default=None, compare=False)

    @property
    def last_at(self) -> datetime | None:
        """The time of the newest event."""
        if self.hits:
            return moment_of(self.hits[-1].at)
        return moment_of(self.memory.last) if self.memory else None

    def to_json(self) -> str:
        """The window as text."""
        kept: dict[str, object] = {"v": VERSION, "until": self.until}
        if self.hits:
            at, names, sources, sensors, masks, values, records = zip(*self.hits, strict=True)
            origins = list(dict.fromkeys(zip(sources, sensors, strict=True)))
            kept["at"], kept["id"], kept["from"] = at, names, origins
            if len(origins) > 1:
                number = {origin: place for place, origin in enumerate(origins)}
                kept["o"] = [number[one] for one in zip(sources, sensors, strict=True)]
            if masks.count(1) < len(masks):
                kept["m"] = masks
            if values.count(None) < len(values):
                kept["x"] = values
            if any(records):
                kept["r"] = records
        if self.base:
            kept["base"] = self.base
        if self.opened:
            kept["opened"] = self.opened
        if self.dropped:
            kept["dropped"] = self.dropped
        if self.due:
            kept["due"] = self.due
        if self.open:
            kept["open"] = [getattr(self.open, name) for name in Episode.__slots__]
        if self.memory:
            kept["memory"] = [self.memory.start, self.memory.last, self.memory.seen]
        return orjson.dumps(kept).decode()

    @classmethod
    def from_json(cls, text: str) -> "Window":
        """The window that `to_json` wrote; ValueError when it is of another version."""
        data = orjson.loads(text)
        version = data.get("v") if isinstance(data, dict) else None
        if version != VERSION:
            raise ValueError(f"a window of version {version}")
        found = cls(data["until"], data.get("base"), is_stored=True)
        found.opened, found.dropped = data.get("opened"), data.get("dropped", 0)
        found.due = data.get("due")
        if at := data.get("at"):
            size = len(at)
            origins = data["from"]
            places = [origins[place] for place in data.get("o") or [0] * size]
            columns = (
                at,
                data["id"],
                [source for source, _ in places],
                [sensor for _, sensor in places],
                data.get("m") or [1] * size,
                data.get("x") or [None] * size,
                data.get("r") or [""] * size,
            )
            found.hits = list(map(Hit._make, zip(*columns, strict=True)))
        if episode := data.get("open"):
            found.open = _episode(*episode)
        if memory := data.get("memory"):
            found.memory = Memory(*memory)
        return found


def _episode(
    began: int,
    last: int,
    count: int,
    samples: list[str],
    *rest: Any,  # as JSON has them
) -> Episode:
    source, sensor, figure, values, *others = rest
    return Episode(
        began, last, count, tuple(samples), source, sensor, figure, tuple(values), *others
    )


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of adding events to a window: what became of its episodes."""

    changed: tuple[Episode, ...] = ()  # new, or with other figures than before
    opened: tuple[Episode, ...] = ()  # those of them that were not told before
    withdrawn: tuple[Episode, ...] = ()  # told before, and no longer true
    late: int = 0
    evicted: int = 0
    is_changed: bool = False  # whether the window has to be kept anew


STILL, MOVED = Step(), Step(is_changed=True)  # what most events lead to
