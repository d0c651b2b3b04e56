"""Judges whether a source of a sensor is too quiet: pure, from counts per hour."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from typing import NamedTuple

from cgii.base import ids, limits
from cgii.base.calendar import WorkingCalendar
from cgii.base.clock import local, show
from cgii.base.weekly import WeeklyTimes
from cgii.model.event import Alert, MatchedField

RULE_ID = "silence.source"  # of these alerts, by which they are tuned and counted
RULE_TITLE = "Fuente en silencio"
LEVEL = "high"
TAGS = ("attack.defense-evasion", "attack.t1562.001", "rsit.availability.outage")
LOCAL = "local"
HEARD, LOW, STOPPED, UNKNOWN = "heard", "low", "stopped", "unknown"
STATE_WORDS = {LOW: "bajó a un décimo o menos", STOPPED: "dejó de llegar"}
OUTCOME_WORDS = {
    "back": "volvió a llegar",
    "quiet": "quedó dentro de una pausa anunciada",
    "revoked": "terminó: el sensor fue revocado",
    "forgotten": "lleva tanto tiempo que el silencio ya es lo habitual",
}
HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
Counts = Mapping[datetime, int]  # records by the hour in which they came; none stands for 0


class Pair(NamedTuple):
    """A source of one sender."""

    sensor_key: str
    source: str


@dataclass(frozen=True)
class Window:
    """A time in which silence is expected; an empty key or source means every one.

    With `times` it is expected at those of every week only. No `end` means that it has none yet.
    """

    sensor_key: str
    source: str
    start: datetime
    end: datetime | None
    times: WeeklyTimes | None = None

    def concerns(self, pair: Pair) -> bool:
        """Whether this source is meant, whenever."""
        return self.sensor_key in ("", pair.sensor_key) and self.source in ("", pair.source)

    def touches(self, start: datetime, end: datetime, calendar: WorkingCalendar) -> bool:
        """Whether silence is expected at any moment from `start` to before `end`."""
        first, last = max(start, self.start), end if self.end is None else min(end, self.end)
        return first < last and (self.times is None or self.times.touches(first, last, calendar))


@dataclass(frozen=True)
class Verdict:
    """`state` is HEARD, LOW, STOPPED or UNKNOWN; the figures are of the hours from `since` on."""

    state: str
    since: datetime
    usual: int = 0
    seen: int = 0


def judge(
    now_hour: datetime,
    counts: Counts,
    *,
    is_awake: Callable[[datetime], bool],
    is_quiet: Callable[[datetime], bool],
    was_silent: Callable[[datetime], bool],
    calendar: WorkingCalendar,
) -> Verdict:
    """Whether a source says less than a tenth of what it usually says in these hours of the week.

    As many whole hours are looked back over as make up limits.SILENCE_EVENTS_MIN usual records;
    if any of the latest ones, or the one that goes on, has enough, it is heard. Hours in which
    the centre was away, silence was expected, or nothing is usual yet are not judged; quiet hours
    and those in which it `was_silent` say nothing of what is usual. One that goes on and is quiet
    must have enough for those that are judged: a source that fell low is not back for the night.
    """
    first = min((hour for hour, count in counts.items() if count), default=None)
    if first is None:
        return Verdict(UNKNOWN, now_hour)

    def usual(hour: datetime) -> int | None:
        same = [
            counts.get(one, 0)
            for one in same_hours(hour, calendar)
            if one >= first and not is_quiet(one) and not was_silent(one)
        ]
        # The lower one: of as many empty weeks as full ones nobody knows which are usual.
        return median_low(same) if len(same) >= limits.SILENCE_WEEKS_MIN else None

    total = seen = 0
    so_far = counts.get(now_hour, 0)
    is_quiet_now = is_quiet(now_hour)
    if not is_quiet_now and so_far > limits.SILENCE_SHARE * (usual(now_hour) or 0):
        return Verdict(HEARD, now_hour)
    for back in range(1, limits.SILENCE_LOOK_HOURS + 1):
        hour = now_hour - back * HOUR
        wanted = None if is_quiet(hour) or not is_awake(hour) else usual(hour)
        if wanted is None:
            continue
        total, seen = total + wanted, seen + counts.get(hour, 0)
        if seen > limits.SILENCE_SHARE * total:
            return Verdict(HEARD, now_hour)
        if total >= limits.SILENCE_EVENTS_MIN:
            if is_quiet_now and so_far > limits.SILENCE_SHARE * total:
                return Verdict(HEARD, now_hour)
            return Verdict(LOW if seen + so_far else STOPPED, hour, total, seen)
    return Verdict(UNKNOWN, now_hour)


def same_hours(hour: datetime, calendar: WorkingCalendar) -> list[datetime]:
    """The hours of past weeks that say what is usual in this one: a holiday is a Sunday."""
    day = local(hour).date()
    if not calendar.is_holiday(day):
        same = [hour - week * WEEK for week in range(1, limits.SILENCE_WEEKS + 1)]
        return [one for one in same if not calendar.is_holiday(local(one).date())]
    sunday = hour - timedelta(days=day.isoweekday())
    return [sunday - week * WEEK for week in range(limits.SILENCE_WEEKS)]


def hours_needed(now_hour: datetime, calendars: Iterable[WorkingCalendar]) -> set[datetime]:
    """Every hour whose counts `judge` may ask for."""
    judged = [now_hour - back * HOUR for back in range(limits.SILENCE_LOOK_HOURS + 1)]
    same = {one for each in calendars for hour in judged for one in same_hours(hour, each)}
    return same.union(judged)


@dataclass(frozen=True)
class Told:
    """What the alert of a silence says; `ended` is an outcome once it is over."""

    alert_id: str
    pair: Pair
    sensor_name: str
    sensor_id: int | None
    entity_id: int | None
    at: datetime
    verdict: Verdict
    outcome: str = ""


def alert_id_of(pair: Pair, opened_at: datetime) -> str:
    """One for each silence: of two in the same hour a pause may have ended the first."""
    return ids.digest("silence", *pair, opened_at.isoformat())


def silence_alert(told: Told) -> Alert:
    """The alert of a silence, as it is now."""
    verdict, pair = told.verdict, told.pair
    since = f"desde el {show(verdict.since)}"
    if told.outcome:
        said = f"{OUTCOME_WORDS[told.outcome]}; faltaba {since}"
    else:
        said = (
            f"{STATE_WORDS[verdict.state]} {since}: {verdict.seen} registros donde son "
            f"habituales {verdict.usual}"
        )
    least = int(limits.SILENCE_SHARE * verdict.usual)
    return Alert(
        id=told.alert_id,
        rule_id=RULE_ID,
        rule_title=RULE_TITLE,
        rule_kind="silence",
        level=LEVEL,
        at=told.at,
        entity_id=told.entity_id,
        sensor_id=told.sensor_id,
        source=pair.source,
        key=(("sensor", told.sensor_name), ("source", pair.source)),
        event_ids=(),
        event_count=0,  # what is missing has none
        explanation=(MatchedField("volumen", "registros", str(verdict.seen), f"más de {least}"),),
        tags=TAGS,
        summary=f"{pair.source} de {told.sensor_name} {said}",
    )


def quiet_of(
    windows: Sequence[Window], pair: Pair, calendar: WorkingCalendar
) -> Callable[[datetime], bool]:
    """Whether silence of this source was expected at any moment of an hour."""
    own = [one for one in windows if one.concerns(pair)]
    return lambda hour: any(one.touches(hour, hour + HOUR, calendar) for one in own)
