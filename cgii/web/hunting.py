"""The search over raw events as its page needs it: the URL read, conditions to add, lines."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.datastructures import QueryParams

from cgii.base import limits
from cgii.base.clock import LA_PAZ, MONTHS, local
from cgii.base.errors import Invalid
from cgii.model.event import Event
from cgii.model.people import ENTITY_ROLES, User
from cgii.store.event_shapes import Bucket, EventQuery, Gap
from cgii.store.query_fields import TIMES
from cgii.web.language import gettext, ngettext

PLACE = "/busqueda"
OWN_RANGE = "propio"
# Code in the URL → how far back; None is all that is stored.
RANGES: Mapping[str, timedelta | None] = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "todo": None,
}
DEFAULT_RANGE, WIDE_RANGE = "24h", "30d"
# As many steps as make each of them a round length of time.
STEPS = {"15m": 60, "1h": 60, "24h": 48, "7d": 56, "30d": 60}
TOP_FIELDS = ("source", "event.action", "source.ip", "user.name", "host.name")
YEARS = range(1600, 2200)  # of times that are asked for; a clock that is far off may have others
YEAR = timedelta(days=365)
EVENT_ID = re.compile(r'_id:"?([0-9a-f]{32})"?')
PLAIN_NAME = re.compile(r"[^\w.@-]")


@dataclass(frozen=True)
class Hunt:
    """What the URL asks for."""

    text: str
    range: str  # a code of RANGES, or OWN_RANGE
    start: datetime | None
    end: datetime | None
    after: str = ""
    wrong: Mapping[str, str] = field(default_factory=dict)  # what of the time cannot be read

    def url(self, path: str = PLACE, **changes: object) -> str:
        """This search at an address, some of it changed; the page of results is not kept."""
        return f"{path}?{urlencode(self.params | {k: str(v) for k, v in changes.items()})}"

    @property
    def params(self) -> dict[str, str]:
        """Its part of the query string."""
        params = {"q": self.text, "rango": self.range}
        if self.range == OWN_RANGE:
            given = (("desde", self.start), ("hasta", self.end))
            params |= {name: moment_text(moment) for name, moment in given if moment}
        return {**params, **self.wrong}

    def including(self, field: str, value: str) -> str:
        """The address of the same search with one more condition."""
        return self.url(q=joined(self.text, condition(field, value)))

    def excluding(self, field: str, value: str) -> str:
        """The address of the same search without what has this value."""
        return self.url(q=joined(self.text, f"NOT {condition(field, value)}"))

    def query(self, user: User, size: int = limits.PAGE_ROWS) -> EventQuery:
        """As the store is asked, with the guard of the person's entity.

        Raises Invalid for a time that cannot be read: an answer for another would mislead.
        """
        if self.wrong:
            raise _unreadable(*next(iter(self.wrong.items())))
        own = frozenset({user.entity_id}) if user.entity_id else frozenset[int]()
        guard = own if user.role in ENTITY_ROLES else None
        return EventQuery(self.text, self.start, self.end, guard, size, self.after)


def read_hunt(given: QueryParams, *, now: datetime) -> Hunt:
    """What the URL asks for; its `query` raises Invalid if its time cannot be read."""
    text = given.get("q", "").replace("\0", "").strip()
    after = given.get("despues", "")[: limits.NAME_CHARS_MAX]
    ends = {name: sent for name in ("desde", "hasta") if (sent := given.get(name, "").strip())}
    code = given.get("rango", "")
    if ends:
        read = {name: read_moment(sent) for name, sent in ends.items()}
        wrong = {name: ends[name] for name, moment in read.items() if moment is None}
        return Hunt(text, OWN_RANGE, read.get("desde"), read.get("hasta"), after, wrong)
    wrong = {"rango": code} if code and code not in RANGES else {}
    if code not in RANGES:  # a link from elsewhere that names what it looks for looks further back
        code = WIDE_RANGE if text else DEFAULT_RANGE
    back = RANGES[code]
    start, end = (None, None) if back is None else (now - back, now)
    return Hunt(text, code, start, end, after, wrong)


def _unreadable(name: str, text: str) -> Invalid:
    if name == "rango":
        return Invalid(
            "No se entiende el tiempo «{text}»; elija uno de {known}, o fechas.",
            field=name,
            text=text[:40],
            known=", ".join(RANGES),
        )
    return Invalid(
        "No se entiende la fecha «{text}» de «{name}»; escriba una como 2026-11-22T10:05, de los "
        "años 1600 a 2199.",
        field=name,
        text=text[:40],
        name=name,
    )


def read_moment(text: str) -> datetime | None:
    """A moment as a browser's field or a chart's link writes it, in La Paz."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.year not in YEARS:
        return None
    return (moment.replace(tzinfo=LA_PAZ) if moment.tzinfo is None else moment).astimezone(UTC)


def moment_text(moment: datetime) -> str:
    """The same moment as `read_moment` reads it, to the millisecond."""
    return local(moment).replace(tzinfo=None).isoformat(timespec="milliseconds")


def range_choices() -> list[tuple[str, str]]:
    """Ranges of time: code and words."""
    return [
        ("15m", gettext("Últimos 15 minutos")),
        ("1h", gettext("Última hora")),
        ("24h", gettext("Últimas 24 horas")),
        ("7d", gettext("Últimos 7 días")),
        ("30d", gettext("Últimos 30 días")),
        ("todo", gettext("Todo lo guardado")),
    ]


def warnings(gaps: Iterable[Gap], unreadable: int = 0) -> list[str]:
    """What is missing in an answer, one sentence each."""
    told = ngettext(
        "{count} registro de esta página está dañado y no se muestra.",
        "{count} registros de esta página están dañados y no se muestran.",
        unreadable,
    )
    damaged = [told.format(count=unreadable)] if unreadable else []
    missing = gettext(
        "Faltan los eventos de {month}: su archivo está dañado y se apartó como {name}."
    )
    return damaged + [missing.format(month=gap.month, name=gap.file) for gap in gaps]


def condition(field: str, value: str) -> str:
    """A field and its value as the search language writes them."""
    name = PLAIN_NAME.sub(lambda found: "\\" + found[0], field)
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}:"{quoted}"'


def joined(text: str, more: str) -> str:
    """A search with one more condition."""
    if not text:
        return more
    return f"({text}) AND {more}" if re.search(r"\bOR\b", text) else f"{text} AND {more}"


@dataclass(frozen=True)
class Fact:
    """One value of an event: its field, as text, and whether a search may ask for it."""

    field: str
    value: str
    can_pivot: bool


@dataclass(frozen=True)
class Facts:
    """All that an event says, in the groups in which it is shown."""

    own: tuple[Fact, ...]
    ecs: tuple[Fact, ...]
    fields: tuple[Fact, ...]


def facts_of(event: Event) -> Facts:
    """Every field of an event, each value on its own."""
    own = {
        "source": event.source,
        "logsource.product": event.logsource.product,
        "logsource.category": event.logsource.category,
        "logsource.service": event.logsource.service,
        "entity_id": event.entity_id,
        "sensor_id": event.sensor_id,
    }
    given = {name: value for name, value in own.items() if value not in ("", None)}
    return Facts(_facts(given), _facts(event.ecs), _facts(event.fields))


def _facts(tree: Mapping[str, Any]) -> tuple[Fact, ...]:
    found = []
    for name, value in _flat(tree, ""):
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        may = bool(text) and len(text) <= limits.PIVOT_CHARS_MAX and name not in TIMES
        found.append(Fact(name, text, may and not isinstance(value, dict | list)))
    return tuple(sorted(found, key=lambda one: one.field.casefold()))


def _flat(value: object, name: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and value:
        for inner in value:
            yield from _flat(inner, name)
    elif value is not None and value != []:
        yield name, value


@dataclass(frozen=True)
class Line:
    """An event as a row of the table."""

    event: Event
    day: str
    clock: str
    host: str
    user: str
    source_ip: str
    destination_ip: str
    message: str


def line_of(event: Event, now: datetime) -> Line:
    """The columns of an event; the year stands there if it is not this one."""
    at = local(event.at)
    year = "" if at.year == local(now).year else f" {at.year}"
    return Line(
        event,
        day=f"{at.day} {MONTHS[at.month - 1]}{year}",
        clock=f"{at:%H:%M:%S}" + (f".{at.microsecond // 1000:03d}" if at.microsecond else ""),
        host=_first(event.ecs.get("host.name")),
        user=_first(event.ecs.get("user.name")),
        source_ip=_first(event.ecs.get("source.ip")),
        destination_ip=_first(event.ecs.get("destination.ip")),
        message=_first(event.ecs.get("message")) or event.original,
    )


def _first(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    return "" if value is None else str(value)


def histogram_spec(hunt: Hunt, buckets: tuple[Bucket, ...]) -> dict[str, Any]:
    """Events over time as static/js/charts.js draws them; a bar narrows the time to itself."""
    if not any(bucket.count for bucket in buckets):
        return {"categories": []}
    step = buckets[1].start - buckets[0].start if len(buckets) > 1 else timedelta(minutes=1)
    whole = step * len(buckets)
    starts = [bucket.start for bucket in buckets]
    # Open ends stay open: a store may have put what is far from all others into the outer bars.
    lows = [starts[0] if hunt.start else None, *starts[1:]]
    highs = [*starts[1:], starts[-1] + step if hunt.end else None]
    return {
        "kind": "column",
        "unit": "count",
        "categories": [_axis_text(start, step, whole) for start in starts],
        "series": [
            {
                "name": gettext("Eventos"),
                "color": "--chart-main",
                "values": [bucket.count for bucket in buckets],
                "urls": [
                    _narrowed(hunt, low, high) if bucket.count else ""
                    for bucket, low, high in zip(buckets, lows, highs, strict=True)
                ],
            }
        ],
    }


def _narrowed(hunt: Hunt, start: datetime | None, end: datetime | None) -> str:
    """The address of the same search in these times; empty if no address can have them."""
    if start is None and end is None:
        return hunt.url()
    if any(one is not None and local(one).year not in YEARS for one in (start, end)):
        return ""
    return replace(hunt, range=OWN_RANGE, start=start, end=end).url()


def _axis_text(moment: datetime, step: timedelta, whole: timedelta) -> str:
    at = local(moment)
    if whole >= YEAR:
        return f"{at.day} {MONTHS[at.month - 1]} {at.year}"
    if step >= timedelta(days=1):
        return f"{at.day} {MONTHS[at.month - 1]}"
    clock = f"{at:%H:%M:%S}" if step < timedelta(minutes=1) else f"{at:%H:%M}"
    return clock if whole <= timedelta(days=1) else f"{at.day} {MONTHS[at.month - 1]} {clock}"
