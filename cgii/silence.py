"""Sources that fall silent: judges each by its usual volume, and keeps one alert per silence."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from cgii.base import counters, limits
from cgii.base.calendar import WorkingCalendar
from cgii.centre import Centre
from cgii.detect.silence import (
    HEARD,
    HOUR,
    LOCAL,
    LOW,
    RULE_ID,
    STOPPED,
    WEEK,
    Counts,
    Pair,
    Told,
    Verdict,
    Window,
    alert_id_of,
    hours_needed,
    judge,
    quiet_of,
    same_hours,
    silence_alert,
)
from cgii.detect.tuning import note_hidden
from cgii.model.records import Job, Sensor, SourceVolume
from cgii.model.silence import QuietWindow, SourceSilence
from cgii.respond.intake import fold_alerts
from cgii.respond.policies import load_policies
from cgii.store.numbering import next_number
from cgii.store.quiet import stands

JOB = "check_silence"
RECENT_WEEKS = 3  # in which a source was heard that can be missed now


@dataclass(frozen=True)
class Looked:
    """What one look changed, and how many silences last."""

    opened: int
    ended: int
    lasting: int


@dataclass(frozen=True)
class _Scene:
    """What everybody is judged by at one moment."""

    now: datetime
    sensors: Mapping[str, Sensor]  # by key
    windows: tuple[Window, ...]
    silences: Mapping[Pair, tuple[Window, ...]]  # that are not what is usual now
    awake: frozenset[datetime]
    calendar: WorkingCalendar  # the centre's; an entity's has the holidays of its department

    @property
    def hour(self) -> datetime:
        return _hour(self.now)

    def calendar_of(self, pair: Pair) -> WorkingCalendar:
        sensor = self.sensors.get(pair.sensor_key)
        entity = sensor.entity if sensor else None
        return self.calendar.of(entity.department if entity else "")

    def is_in_use(self, pair: Pair) -> bool:
        sensor = self.sensors.get(pair.sensor_key)
        return pair.sensor_key == LOCAL or (sensor is not None and sensor.revoked_at is None)

    def quiet_now(self, pair: Pair) -> list[Window]:
        """By which silence of the source is expected at this moment."""
        soon, calendar = self.now + timedelta(seconds=1), self.calendar_of(pair)
        own = (one for one in self.windows if one.concerns(pair))
        return [one for one in own if one.touches(self.now, soon, calendar)]

    def explains(self, window: Window, pair: Pair, since: datetime) -> bool:
        """Whether a window of now has to do with a silence that began then.

        What comes again every night does not explain a silence that began in the afternoon.
        """
        calendar = self.calendar_of(pair)
        return window.times is None or window.times.touches(since, since + HOUR, calendar)


def check_silence(centre: Centre) -> Looked:
    """Open, bring up to date and end silences. A second look at the same time changes nothing."""
    with centre.database.reading() as session:
        scene = _scene(centre, session)
        lasting = _open_pairs(session)
        recent = _recent_pairs(session, scene)
        quiet = recent - _speaking(session, scene, recent)
        verdicts = _verdicts(session, scene, quiet | lasting)
    touched = {
        pair for pair, found in verdicts.items() if pair in lasting or found.state in (LOW, STOPPED)
    }
    if not touched:
        return Looked(0, 0, 0)
    with centre.database.transaction() as session:
        # Two processes that look at once pass here one by one; the second finds what the first did.
        next_number(session, "silence", 0)
        scene = _scene(centre, session)
        looked, alerts = _change(session, scene, _verdicts(session, scene, touched))
        tempered = centre.tuning(session).temper(map(silence_alert, alerts), now=scene.now)
        note_hidden(session, tempered.hidden)
        act = centre.act(session, via="job")
        folded = fold_alerts(act, tempered.alerts, centre.attributor(session))
    counters.ALERTS_RAISED.labels(RULE_ID).inc(folded.alerts)
    return looked


def _scene(centre: Centre, session: Session) -> _Scene:
    now = centre.clock()  # with the lock held: whoever waited for it sees no earlier time
    sensors = session.scalars(select(Sensor).options(joinedload(Sensor.entity)))
    kept = now - (limits.SILENCE_WEEKS + 1) * WEEK
    by_key = {f"sensor:{row.id}": row for row in sensors}
    rows = session.scalars(select(QuietWindow).where(stands(kept)))
    return _Scene(
        now=now,
        sensors=by_key,
        windows=tuple(
            Window(key, row.source, row.start_at, row.end_at, row.times)
            for row in rows
            for key in _keys_of(row, by_key)
        ),
        silences=_silences(session, kept, now),
        awake=_awake(session, now),
        calendar=load_policies(centre.settings.site).calendar,
    )


def _keys_of(window: QuietWindow, sensors: Mapping[str, Sensor]) -> list[str]:
    if window.entity_id is None:
        return [window.sensor_key]
    return [key for key, row in sensors.items() if row.entity_id == window.entity_id]


def _silences(session: Session, kept: datetime, now: datetime) -> dict[Pair, tuple[Window, ...]]:
    query = select(SourceSilence).where(
        or_(SourceSilence.ended_at.is_(None), SourceSilence.ended_at > kept),
        SourceSilence.outcome != "forgotten",
    )
    found: dict[Pair, tuple[Window, ...]] = {}
    for row in session.scalars(query):
        pair = Pair(row.sensor_key, row.source)
        found[pair] = (*found.get(pair, ()), Window(*pair, row.since, row.ended_at or now))
    return found


def _awake(session: Session, now: datetime) -> frozenset[datetime]:
    """The hours in which this job was done often enough: in others the centre may have been off."""
    since = now - timedelta(hours=limits.SILENCE_LOOK_HOURS + 1)
    looks = session.scalars(
        select(Job.ended_at).where(Job.name == JOB, Job.state == "done", Job.ended_at >= since)
    )
    counts = Counter(_hour(moment) for moment in looks if moment is not None)
    return frozenset(hour for hour, n in counts.items() if n >= limits.SILENCE_LOOKS_MIN)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _open_pairs(session: Session) -> set[Pair]:
    query = select(SourceSilence.sensor_key, SourceSilence.source)
    return {Pair(*row) for row in session.execute(query.where(SourceSilence.ended_at.is_(None)))}


def _recent_pairs(session: Session, scene: _Scene) -> set[Pair]:
    """Who spoke at this time of the week lately: nobody else can be missed now."""
    day = timedelta(hours=limits.SILENCE_LOOK_HOURS)
    spans = [
        SourceVolume.hour.between(scene.hour - week * WEEK - day, scene.hour - week * WEEK)
        for week in range(1, RECENT_WEEKS + 1)
    ]
    query = select(SourceVolume.sensor_key, SourceVolume.source).where(or_(*spans)).distinct()
    return {pair for row in session.execute(query) if scene.is_in_use(pair := Pair(*row))}


def _speaking(session: Session, scene: _Scene, pairs: set[Pair]) -> set[Pair]:
    """Who is surely heard, which most are: far fewer hours say so than `judge` needs."""
    calendars = {scene.calendar_of(pair) for pair in pairs}
    found: set[Pair] = set()
    for hour in (scene.hour, scene.hour - HOUR):
        same = {one for each in calendars for one in same_hours(hour, each)}
        for pair, counts in _counts(session, pairs - found, {hour, *same}).items():
            # What is usual is one of these counts: no more than the most.
            most = max((counts.get(one, 0) for one in same), default=0)
            if counts.get(hour, 0) > limits.SILENCE_SHARE * most:
                found.add(pair)
    return found


def _verdicts(session: Session, scene: _Scene, pairs: Iterable[Pair]) -> dict[Pair, Verdict]:
    wanted = set(pairs)
    calendars = {pair: scene.calendar_of(pair) for pair in wanted}
    hours = hours_needed(scene.hour, set(calendars.values())) if wanted else set()
    counts = _counts(session, wanted, hours)
    return {
        pair: judge(
            scene.hour,
            counts.get(pair, {}),
            is_awake=scene.awake.__contains__,
            is_quiet=quiet_of(scene.windows, pair, calendars[pair]),
            was_silent=quiet_of(scene.silences.get(pair, ()), pair, calendars[pair]),
            calendar=calendars[pair],
        )
        for pair in sorted(wanted)
    }


def _counts(session: Session, pairs: set[Pair], hours: set[datetime]) -> dict[Pair, Counts]:
    found: dict[Pair, dict[datetime, int]] = {}
    total = SourceVolume.event_count + SourceVolume.reject_count  # a refused record came, too
    query = select(SourceVolume.sensor_key, SourceVolume.source, SourceVolume.hour, total)
    if len(pairs) <= limits.QUERY_VALUES_MAX // 2:
        names = tuple_(SourceVolume.sensor_key, SourceVolume.source)
        query = query.where(names.in_(sorted(pairs)))
    ordered = sorted(hours)
    for start in range(0, len(ordered), limits.QUERY_VALUES_MAX):
        part = ordered[start : start + limits.QUERY_VALUES_MAX]
        for key, source, hour, count in session.execute(query.where(SourceVolume.hour.in_(part))):
            if (pair := Pair(key, source)) in pairs:
                found.setdefault(pair, {})[hour] = count
    return dict(found)


def _change(
    session: Session, scene: _Scene, verdicts: Mapping[Pair, Verdict]
) -> tuple[Looked, list[Told]]:
    rows = session.scalars(select(SourceSilence).where(SourceSilence.ended_at.is_(None)))
    lasting = {Pair(row.sensor_key, row.source): row for row in rows}
    alerts: list[Told] = []
    opened = ended = 0
    for pair, verdict in verdicts.items():
        row = lasting.get(pair)
        if row is not None:
            outcome = _outcome(scene, pair, row, verdict)
            alerts.append(_bring_up_to_date(scene, row, verdict, outcome))
            ended += bool(outcome)
        elif _is_missed(scene, pair, verdict):
            row = _opened(scene, pair, verdict)
            session.add(row)
            alerts.append(_told(scene, row, at=scene.now))
            opened += 1
    return Looked(opened, ended, len(lasting) + opened - ended), alerts


def _is_missed(scene: _Scene, pair: Pair, verdict: Verdict) -> bool:
    silent = verdict.state in (LOW, STOPPED)
    return silent and scene.is_in_use(pair) and not scene.quiet_now(pair)


def _outcome(scene: _Scene, pair: Pair, row: SourceSilence, verdict: Verdict) -> str:
    """How a silence ends; empty while it lasts."""
    if not scene.is_in_use(pair):
        return "revoked"
    if verdict.state == HEARD:
        return "back"
    if any(scene.explains(one, pair, row.since) for one in scene.quiet_now(pair)):
        return "quiet"
    forgotten = scene.now - row.since >= timedelta(days=limits.SILENCE_FORGET_DAYS)
    return "forgotten" if forgotten else ""


def _opened(scene: _Scene, pair: Pair, verdict: Verdict) -> SourceSilence:
    return SourceSilence(
        sensor_key=pair.sensor_key,
        source=pair.source,
        open_key="/".join(pair),
        state=verdict.state,
        since=verdict.since,
        usual_count=verdict.usual,
        seen_count=verdict.seen,
        alert_id=alert_id_of(pair, scene.now),
        opened_at=scene.now,
        outcome="",
    )


def _bring_up_to_date(scene: _Scene, row: SourceSilence, verdict: Verdict, outcome: str) -> Told:
    if verdict.state in (LOW, STOPPED):
        row.state = verdict.state
        # `since` stays: it says when it began, the figures how it is now.
        row.usual_count, row.seen_count = verdict.usual, verdict.seen
    if not outcome:
        return _told(scene, row, at=max(scene.hour, row.opened_at))
    row.ended_at, row.outcome, row.open_key = scene.now, outcome, None
    return _told(scene, row, at=scene.now)


def _told(scene: _Scene, row: SourceSilence, *, at: datetime) -> Told:
    sensor = scene.sensors.get(row.sensor_key)
    return Told(
        alert_id=row.alert_id,
        pair=Pair(row.sensor_key, row.source),
        sensor_name=sensor.name if sensor else row.sensor_key,
        sensor_id=sensor.id if sensor else None,
        entity_id=sensor.entity_id if sensor else None,
        at=at,
        verdict=Verdict(row.state, row.since, row.usual_count, row.seen_count),
        outcome=row.outcome,
    )
