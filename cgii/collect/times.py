"""Reads the moments that logs write: ISO 8601, epoch, syslog without year, and makers' own."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cgii.base import limits
from cgii.base.errors import Invalid

EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # a smaller one is a clock that was never set
MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
        start=1,
    )
}
SECONDS = {f":{second:02d}": timedelta(seconds=second) for second in range(60)}
UNREADABLE = (ValueError, OverflowError, OSError, TypeError)
ALWAYS = (EARLIEST, EARLIEST)
BATCHES_KEPT = 64  # of those under way at the same time
YEAR_GUESSED = "year"
ZONE_GUESSED = "zone"
AHEAD = "time ahead"
IN_FUTURE = "in the future"
FUTURE_SECONDS = 3600.0  # ahead of the receipt; clocks differ by less, zones by more
RECEIVED = "time of receipt"

Found = tuple[datetime, tuple[str, ...]]
TimeFormat = Callable[[Any, tzinfo, datetime], Found]


def zone_named(name: str) -> ZoneInfo:
    """A zone of the IANA's. Raises Invalid."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(
            "No existe la zona horaria «{name}»; use un nombre como America/La_Paz o UTC.",
            name=name[:80],
        ) from error


def automatic(value: Any, zone: tzinfo, received_at: datetime) -> Found:
    """ISO 8601 or seconds since 1970, as text or number. Raises ValueError."""
    if type(value) is str:
        if len(value) > 8 and value[4:5] == "-":
            return iso(value, zone, received_at)
        value = float(value)
    return epoch(value, zone, received_at)


def iso(value: Any, zone: tzinfo, received_at: datetime) -> Found:
    """ISO 8601; without an offset it is a local time of `zone`."""
    if type(value) is not str or len(value) > 40:
        raise ValueError("not an ISO time")
    moment = datetime.fromisoformat(value.removesuffix(" UTC"))
    if moment.tzinfo is None:
        return moment.replace(tzinfo=zone).astimezone(UTC), (ZONE_GUESSED,)
    return moment.astimezone(UTC), ()


def iso_utc(value: Any, zone: tzinfo, received_at: datetime) -> Found:
    """ISO 8601; without an offset it is UTC, because the producer says so."""
    return iso(value, UTC, received_at)[0], ()


def iso_apart(value: Any, zone: tzinfo, received_at: datetime) -> Found:
    """`2026-10-09 13:55:36.123 -04`: its offset, or the name of UTC, stands apart.

    Of any other zone's name only its people know the offset: it is taken for `zone`.
    """
    if type(value) is not str:
        raise ValueError("not an ISO time")
    moment, _, offset = value.rpartition(" ")
    if offset in ("UTC", "GMT"):
        return iso_utc(moment, zone, received_at)
    return iso(moment if offset.isalpha() else moment + offset, zone, received_at)


def iso_offset(value: Any, zone: tzinfo, received_at: datetime) -> Found:
    """ISO 8601 that says its offset; one without is refused, another field may know better."""
    found = iso(value, zone, received_at)
    if found[1]:
        raise ValueError("no offset")
    return found


def epoch(value: Any, zone: tzinfo, received_at: datetime) -> Found:
    """Seconds since 1970; a larger number is milli-, micro- or nanoseconds."""
    seconds = float(value)
    for _ in range(3):
        if abs(seconds) > 1e11:
            seconds /= 1e3
    return datetime.fromtimestamp(seconds, UTC), ()


def apache(value: Any, zone: tzinfo, received_at: datetime) -> Found:
    """`10/Oct/2026:13:55:36 -0400`, with or without a fraction of the second.

    ModSecurity 2 writes the sign of the offset twice.
    """
    if type(value) is not str or len(value) < 20:
        raise ValueError("not an Apache time")
    clock, _, offset = value[12:].partition(" ")
    if offset[:1] == "-" and offset[1:2] in ("-", "+"):
        offset = offset[1:]
    month = MONTHS.get(value[3:6], 0)
    moment = f"{value[7:11]}-{month:02d}-{value[:2]}T{clock}{offset[:5]}"
    return iso(moment, zone, received_at)


def slashes(value: Any, zone: tzinfo, received_at: datetime) -> Found:
    """`2026/10/09 13:55:36`."""
    if type(value) is not str or value[4:5] != "/":
        raise ValueError("not a date with slashes")
    return iso(value.replace("/", "-", 2), zone, received_at)


def day_first(value: Any, zone: tzinfo, received_at: datetime) -> Found:
    """`09-Oct-2026 13:55:36.123`."""
    if type(value) is not str or len(value) < 20:
        raise ValueError("not a date with its day first")
    month = MONTHS.get(value[3:6], 0)
    return iso(f"{value[7:11]}-{month:02d}-{value[:2]}T{value[12:]}", zone, received_at)


def ctime(value: Any, zone: tzinfo, received_at: datetime) -> Found:
    """`Fri Oct  9 13:55:36 2026`."""
    if type(value) is not str or len(value) != len("Fri Oct  9 13:55:36 2026"):
        raise ValueError("not a time as C writes it")
    month = MONTHS.get(value[4:7], 0)
    moment = f"{value[20:]}-{month:02d}-{int(value[8:10]):02d}T{value[11:19]}"
    return iso(moment, zone, received_at)


def syslog(value: Any, zone: tzinfo, received_at: datetime) -> Found:
    """`Oct  9 13:55:36`, with or without a year before the hour; or ISO 8601.

    Without a year it is the nearest one that does not put the moment in the future.
    """
    if type(value) is not str or len(value) < 15:
        raise ValueError("not a syslog time")
    month = MONTHS.get(value[:3])
    if month is None:
        read = day_first if value[2:3] == "-" else iso
        return read(value, zone, received_at)
    day, rest = int(value[4:6]), value[7:]
    if rest[4:5] == " ":
        moment = datetime.fromisoformat(f"{rest[:4]}-{month:02d}-{day:02d}T{rest[5:20]}")
        return moment.replace(tzinfo=zone).astimezone(UTC), (ZONE_GUESSED,)
    hour, minute, second = int(rest[:2]), int(rest[3:5]), int(rest[6:8])
    micro = int(rest[9:15].ljust(6, "0")) if rest[8:9] == "." else 0
    latest = _latest(received_at, zone)
    for year in range(latest.year, latest.year - 9, -1):  # 29 February: up to eight years back
        try:
            moment = datetime(year, month, day, hour, minute, second, micro, zone)
        except ValueError:
            if (month, day) == (2, 29):
                continue
            raise
        if moment <= latest:
            return moment.astimezone(UTC), (YEAR_GUESSED, ZONE_GUESSED)
    raise ValueError("no year fits")


@lru_cache(maxsize=BATCHES_KEPT)
def _latest(received_at: datetime, zone: tzinfo) -> datetime:
    """The latest moment that is believed, in the sender's zone; the same for a whole batch."""
    return received_at.astimezone(zone) + timedelta(seconds=limits.CLOCK_AHEAD_SECONDS_MAX)


@lru_cache(maxsize=BATCHES_KEPT)
def _hour(received_at: datetime) -> tuple[datetime, datetime]:
    """The hour that a moment lies in, from its beginning to its end."""
    start = received_at.replace(minute=0, second=0, microsecond=0)
    return start, start + timedelta(hours=1)


def by_minute(read: TimeFormat, usual: str, *, depends_on_receipt: bool) -> TimeFormat:
    """The same format, with what it makes of whole minutes remembered.

    `usual` is how long the texts are, with `:SS` where their seconds stand.
    """
    place = usual.index(":SS")
    length, behind = len(usual), place + len(":SS")

    @lru_cache(maxsize=limits.MINUTES_KNOWN_MAX)
    def minute(
        before: str, after: str, zone: tzinfo, hour: tuple[datetime, datetime]
    ) -> Found | None:
        """The beginning of a minute, if for all of it and of the hour the same holds."""
        try:
            first = read(f"{before}:00{after}", zone, hour[1])
            last = read(f"{before}:59{after}", zone, hour[0])
        except UNREADABLE:
            return None
        is_same = last[0] - first[0] == SECONDS[":59"] and first[1] == last[1]
        return first if is_same else None

    def quick(value: Any, zone: tzinfo, received_at: datetime) -> Found:
        if type(value) is str and len(value) == length:
            second = SECONDS.get(value[place:behind])
            if second is not None:
                hour = _hour(received_at) if depends_on_receipt else ALWAYS
                found = minute(value[:place], value[behind:], zone, hour)
                if found is not None:
                    return found[0] + second, found[1]
        return read(value, zone, received_at)

    return quick


FORMATS: dict[str, TimeFormat] = {
    "auto": automatic,
    "iso": iso,
    "iso_utc": iso_utc,
    "iso_offset": iso_offset,
    "iso_apart": iso_apart,
    "epoch": epoch,
    "apache": by_minute(apache, "10/Oct/2026:13:55:SS -0400", depends_on_receipt=False),
    "syslog": by_minute(syslog, "Oct  9 13:55:SS", depends_on_receipt=True),
    "slashes": slashes,
    "day_first": day_first,
    "ctime": ctime,
}


def settle(found: Found, received_at: datetime) -> Found:
    """Refuse a moment before 1980; one far ahead of the receipt becomes the receipt, and is noted.

    One that is some hours ahead is only noted: its zone may be another one than was thought.

    A sender whose clock runs ahead could otherwise push the correlation windows of all others.
    """
    moment, notes = found
    if moment < EARLIEST:
        raise ValueError("before 1980")
    if moment > received_at:
        ahead = (moment - received_at).total_seconds()
        if ahead > limits.CLOCK_AHEAD_SECONDS_MAX:
            return received_at, (*notes, AHEAD)
        if ahead > FUTURE_SECONDS:
            return moment, (*notes, IN_FUTURE)
    return found
