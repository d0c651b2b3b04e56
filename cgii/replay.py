"""Reads kept rejects again, once the definition of their source has been mended."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cgii.base import counters, limits
from cgii.base.ids import event_ids
from cgii.centre import Centre
from cgii.collect import rejects
from cgii.collect.definition import Definitions
from cgii.collect.normalize import Normalised, normalize
from cgii.examination import Spotted, examine, matched
from cgii.model.event import Alert, Origin, Raw
from cgii.model.records import Reject, Sensor
from cgii.pipeline import committed, volume_of

VIA = "replay"
LETTER_BYTES_MAX = 4
# Of these nothing was kept that could be read.
NOTHING_KEPT = frozenset({rejects.EMPTY, rejects.FILE_DAMAGED, rejects.TOO_LONG})


@dataclass(slots=True)
class Replay:
    """What became of the rejects of a source."""

    read: int = 0  # events now, and no longer rejects
    refused: int = 0  # still
    not_whole: int = 0  # only their beginning was kept
    alerts: int = 0
    reasons: dict[str, int] = field(default_factory=dict)  # of those still refused
    is_stopped: bool = False  # before all of them were looked at

    def sentence(self) -> str:
        """What became of them, in one Spanish sentence."""
        said = f"{self.read} leídos, {self.refused} siguen rechazados, {self.alerts} alertas."
        if self.not_whole:
            whole = "no se guardaron enteros: solo pueden volver de su origen."
            said = f"{said} {self.not_whole} {whole}"
        return f"Se detuvo antes del final: {said}" if self.is_stopped else said


def replay_rejects(
    centre: Centre,
    source: str,
    *,
    definitions: Definitions | None = None,
    reason: str = "",
    progress: Callable[[int, str], bool] = lambda _percent, _text: False,
) -> Replay:
    """Take every kept reject of a source the way of a new record; safe to stop and to repeat.

    They are read by `definitions`, or by the centre's. `progress` is told a percentage and says
    whether to stop. An event gets the identity and the moment of receipt that its record had, so
    nothing is stored twice. Raises Unavailable when a store does not answer; what was read until
    then stays.
    """
    known = definitions or centre.definitions
    told = Replay()
    wanted = select(Reject).where(Reject.source == source)
    if reason:
        wanted = wanted.where(Reject.reason == reason)
    last, done = "", 0
    with centre.database.reading() as session:
        total = session.scalars(wanted.with_only_columns(func.count())).one()
    while True:
        with centre.database.reading() as session:
            query = wanted.where(Reject.id > last).order_by(Reject.id)
            rows = list(session.scalars(query.limit(limits.REPLAY_BATCH)))
            session.expunge_all()
        if not rows:
            return told
        if progress(min(100 * done // max(total, 1), 99), f"{done} de {total} rechazos"):
            told.is_stopped = True
            return told
        last, done = rows[-1].id, done + len(rows)
        whole = [row for row in rows if _is_whole(row)]
        told.not_whole += len(rows) - len(whole)
        whole.sort(key=_origin_of)
        for (stream, epoch, sensor, entity, zone, received_at), group in groupby(whole, _origin_of):
            origin = Origin(source, stream, epoch, sensor or None, entity or None, zone=zone)
            some = list(group)
            raws = [Raw(row.seq, row.sample.encode(), row.peer) for row in some]
            read = normalize(origin, raws, known, received_at=received_at)
            _keep(centre, origin, some, read=read, told=told)


def _is_whole(row: Reject) -> bool:
    # What was cut was cut by its bytes, within a letter perhaps.
    size = len(row.sample.encode(errors="replace"))
    return (
        row.reason not in NOTHING_KEPT and size < limits.REJECT_SAMPLE_CHARS_MAX - LETTER_BYTES_MAX
    )


def _origin_of(row: Reject) -> tuple[str, str, int, int, str, datetime]:
    owner = row.sensor_id or 0, row.entity_id or 0
    return row.stream, row.epoch, *owner, row.zone or "", row.received_at


def _keep(
    centre: Centre, origin: Origin, rows: Sequence[Reject], *, read: Normalised, told: Replay
) -> None:
    """Rows of one origin, received together, and what became of them."""
    centre.events.write(read.events)
    commit = partial(_commit, centre, origin, rows, read)
    count, alerts = committed(commit, "El centro está ocupado. Repita la orden.")
    told.read += count
    told.alerts += len(alerts)
    _note_refused(read, told)
    counters.EVENTS_STORED.labels(origin.source).inc(count)
    for alert in alerts:
        counters.ALERTS_RAISED.labels(alert.rule_id).inc()


def _commit(
    centre: Centre, origin: Origin, rows: Sequence[Reject], read: Normalised
) -> tuple[int, tuple[Alert, ...]]:
    """How many became events, and their alerts."""
    id_of = event_ids(origin.stream, origin.epoch)
    with centre.database.transaction() as session:
        # Whoever reads the same ones at the same time waits here, and then finds none.
        query = select(Reject).where(Reject.id.in_([row.id for row in rows])).with_for_update()
        # Not by their own ids: an older version of the program named records otherwise.
        left = {id_of(row.seq): row for row in session.scalars(query)}
        events = [event for event in read.events if event.id in left]
        detector = centre.detector
        suspects = list(centre.indicators.current(session).suspects(events))
        spotted = Spotted(detector, matched(detector, events), suspects)
        alerts = examine(centre, session, spotted, via=VIA)
        for event in events:
            session.delete(left[event.id])
        for one in read.rejected:
            if one.id in left:
                left[one.id].reason, left[one.id].detail = one.reason, one.detail
        _move_counts(session, origin, len(events), rows[0].received_at)
    return len(events), alerts


def _note_refused(read: Normalised, told: Replay) -> None:
    told.refused += len(read.rejected)
    for one in read.rejected:
        told.reasons[one.reason] = told.reasons.get(one.reason, 0) + 1


def _move_counts(session: Session, origin: Origin, count: int, received_at: datetime) -> None:
    """They count as events of the hour in which they came."""
    if not count:
        return
    volume = volume_of(session, origin, received_at)
    sensor = (
        session.get(Sensor, origin.sensor_id, with_for_update=True) if origin.sensor_id else None
    )
    for row in (volume, sensor):
        if row is not None:
            row.event_count += count
            row.reject_count = max(row.reject_count - count, 0)
