"""The one path from a raw batch to its alerts: normalise, store, examine, commit."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from sqlalchemy import Row, bindparam, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cgii.base import counters, limits
from cgii.base.errors import Unavailable
from cgii.centre import Centre
from cgii.collect.inputs.follow import FORGOTTEN, Position
from cgii.collect.normalize import Normalised, normalize
from cgii.examination import Spotted, examine, matched
from cgii.model.event import Origin, Raw, Rejected
from cgii.model.records import Batch, Reject, SourceVolume
from cgii.model.records import Position as PositionRow
from cgii.model.table import UTCDateTime
from cgii.store.statements import Prepared

Result = TypeVar("Result")
TRIES = 5  # on PostgreSQL two batches may create the same key at once; the loser starts again
TABLES = Batch.metadata.tables
BATCHES, SENSORS, REJECTS = TABLES["batch"], TABLES["sensor"], TABLES["reject"]
# What every batch asks and writes, made once: as objects of the session they cost many times more.
# The last mark that begins at or before the batch, and those that begin within it.
_SAME_STREAM = "FROM batch WHERE stream = :stream AND epoch = :epoch"
MARKS = Prepared(
    text(
        f"SELECT id, seq, record_count, event_count, reject_count {_SAME_STREAM} "
        f"AND seq < :end AND seq >= coalesce((SELECT max(seq) {_SAME_STREAM} AND seq <= :first), "
        ":first) ORDER BY seq"
    )
)
_COUNTS: dict[str, Any] = {
    "record_count": bindparam("records"),
    "event_count": bindparam("events"),
    "reject_count": bindparam("rejects"),
    "received_at": bindparam("at"),
}
NEW_MARK = Prepared(insert(BATCHES).values(_COUNTS), ("stream", "epoch", "seq"))
GROWN_MARK = Prepared(update(BATCHES).where(BATCHES.c.id == bindparam("id_")).values(_COUNTS))
INNER_MARKS = Prepared(delete(BATCHES).where(BATCHES.c.id == bindparam("id_")))
COUNTED = Prepared(
    text(
        "INSERT INTO source_volume (hour, source, sensor_key, event_count, reject_count) "
        "VALUES (:hour, :source, :owner, :events, :rejects) "
        "ON CONFLICT (hour, source, sensor_key) DO UPDATE SET "
        "event_count = source_volume.event_count + excluded.event_count, "
        "reject_count = source_volume.reject_count + excluded.reject_count"
    ).bindparams(bindparam("hour", type_=UTCDateTime()))
)
HEARD = Prepared(
    update(SENSORS)
    .where(SENSORS.c.id == bindparam("id_"))
    .values(
        heard_at=bindparam("at"),
        event_count=SENSORS.c.event_count + bindparam("events"),
        reject_count=SENSORS.c.reject_count + bindparam("rejects"),
    )
)
NEW_REJECTS = insert(REJECTS)


@dataclass(frozen=True)
class Receipt:
    """What became of a batch. `repeated`: it had been committed before, nothing changed."""

    events: int
    rejects: int
    alerts: int
    repeated: bool = False


@dataclass(frozen=True)
class Before:
    """Which of a batch's records were committed before, in batches that were cut elsewhere.

    A sensor joins batches that wait, and whatever lost its answer comes again, perhaps joined with
    others: no record may be counted twice for that.
    """

    first: int  # number of the first record
    count: int
    marks: Sequence[Row[Any]]  # by number

    @staticmethod
    def of(session: Session, origin: Origin, raws: Sequence[Raw]) -> "Before":
        """As the record says now."""
        first, count = raws[0].seq if raws else 0, len(raws)
        asked = {"stream": origin.stream, "epoch": origin.epoch, "first": first}
        marks = MARKS.once(session, {**asked, "end": first + max(1, count)}).all()
        return Before(first, count, marks)

    @property
    def end(self) -> int:
        """The number after the last record's."""
        return self.first + self.count

    @property
    def has_all(self) -> bool:
        """Whether nothing of the batch is new."""
        return bool(self.marks) and not self._gaps()

    @property
    def receipt(self) -> Receipt:
        """What became of the batches that all of it was in."""
        events = sum(mark.event_count for mark in self.marks)
        rejects = sum(mark.reject_count for mark in self.marks)
        return Receipt(events, rejects, 0, repeated=True)

    def new_of(self, read: Normalised) -> tuple[int, int]:
        """How many events and rejects of the batch are new."""
        gaps = self._gaps()
        rejects = sum(1 for one in read.rejected if any(one.seq in gap for gap in gaps))
        return sum(map(len, gaps)) - rejects, rejects

    def _gaps(self) -> list[range]:
        """The numbers of the records that are new."""
        gaps, at = [], self.first
        for mark in self.marks:
            gaps.append(range(at, mark.seq))
            at = max(at, mark.seq + mark.record_count)
        return [gap for gap in (*gaps, range(at, self.end)) if gap]


def take(
    centre: Centre,
    origin: Origin,
    raws: Sequence[Raw],
    *,
    positions: Sequence[Position] = (),
    check: Callable[[Session], None] | None = None,
    enter: Callable[[Session], None] | None = None,
) -> Receipt:
    """Commit one batch; when this returns, all of it is on disk.

    `check` may refuse it before anything is done for it. `enter` writes what must hold together
    with the batch, and may refuse it, in its transaction.

    Raises Unavailable when a store does not answer: the sender keeps the batch and comes again.
    """
    started = perf_counter()
    received_at = centre.clock()
    with centre.database.reading() as session:
        if check is not None:
            check(session)
        before = Before.of(session, origin, raws)
        indicators = centre.indicators.current(session)
    if before.has_all:
        counters.BATCHES_REPEATED.inc()
        return before.receipt

    _check_room(centre)
    read = normalize(origin, raws, centre.definitions, received_at=received_at)
    centre.events.write(read.events)
    detector = centre.detector
    suspects = list(indicators.suspects(read.events))
    spotted = Spotted(detector, matched(detector, read.events), suspects)
    commit = partial(
        _commit, centre, origin, raws,
        read=read, spotted=spotted, positions=positions, received_at=received_at, enter=enter,
    )  # fmt: skip
    receipt = committed(commit, "El centro está ocupado. Reenvíe el lote.")
    counters.EVENTS_STORED.labels(origin.source).inc(receipt.events)
    for rejected in read.rejected:
        counters.EVENTS_REJECTED.labels(origin.source, rejected.reason).inc()
    counters.BATCH_SECONDS.observe(perf_counter() - started)
    return receipt


def keep_positions(session: Session, positions: Sequence[Position], at: datetime) -> None:
    """Have these places known when the transaction ends; forget those that need not be."""
    for one in positions:
        if one.offset == FORGOTTEN:
            session.execute(delete(PositionRow).where(PositionRow.stream == one.stream))
            continue
        session.merge(
            PositionRow(
                stream=one.stream, epoch=one.epoch, offset=one.offset, seq=one.seq, moved_at=at
            )
        )


def _check_room(centre: Centre) -> None:
    """Leave the last of the disk to incidents and the audit trail, which are small."""
    if centre.settings.events:  # they lie on a server that sees to its own disk
        return
    if shutil.disk_usage(centre.settings.data).free < limits.DISK_RESERVE_BYTES:
        raise Unavailable(
            "Queda muy poco espacio en disco y no se reciben registros. Libere espacio; nada de "
            "lo que esperan los sensores se pierde."
        )


def committed(commit: Callable[[], Result], busy: str) -> Result:
    """What a transaction gives; whoever loses against another one begins again, a few times.

    Raises Unavailable with the sentence `busy` when that does not end.
    """
    for _ in range(TRIES - 1):
        with suppress(IntegrityError):
            return commit()
    try:
        return commit()
    except IntegrityError as error:
        raise Unavailable(busy) from error


def volume_of(session: Session, origin: Origin, received_at: datetime) -> SourceVolume:
    """The hour's counts of a source and sender, locked; begun if there are none yet."""
    hour, owner = _volume_key(origin, received_at)
    volume = session.scalar(
        select(SourceVolume)
        .where(
            SourceVolume.hour == hour,
            SourceVolume.source == origin.source,
            SourceVolume.sensor_key == owner,
        )
        .with_for_update()
    )
    if volume is None:
        volume = SourceVolume(
            hour=hour, source=origin.source, sensor_key=owner, event_count=0, reject_count=0
        )
        session.add(volume)
    return volume


def _volume_key(origin: Origin, received_at: datetime) -> tuple[datetime, str]:
    hour = received_at.replace(minute=0, second=0, microsecond=0)
    return hour, f"sensor:{origin.sensor_id}" if origin.sensor_id else "local"


def _commit(
    centre: Centre,
    origin: Origin,
    raws: Sequence[Raw],
    *,
    read: Normalised,
    spotted: Spotted,
    positions: Sequence[Position],
    received_at: datetime,
    enter: Callable[[Session], None] | None,
) -> Receipt:
    with centre.database.transaction() as session:
        if enter is not None:
            enter(session)
            session.flush()  # what it holds back goes first: everybody locks in one order
        before = Before.of(session, origin, raws)
        if before.has_all:
            return before.receipt
        _put_mark(session, origin, before, read=read, received_at=received_at)
        via = f"sensor:{origin.sensor_id}" if origin.sensor_id else "ingest"
        alerts = examine(centre, session, spotted, via=via)
        _keep_rejects(session, origin, read.rejected, received_at)
        _count(session, origin, before.new_of(read), received_at)
        keep_positions(session, positions, received_at)
    for alert in alerts:
        counters.ALERTS_RAISED.labels(alert.rule_id).inc()
    return Receipt(len(read.events), len(read.rejected), len(alerts))


def _put_mark(
    session: Session, origin: Origin, before: Before, *, read: Normalised, received_at: datetime
) -> None:
    """Mark the batch as committed, in place of the marks of those that it has within it."""
    counts = {
        "records": before.count,
        "events": len(read.events),
        "rejects": len(read.rejected),
        "at": received_at,
    }
    same = None
    for mark in before.marks:
        if mark.seq == before.first:
            same = mark
        elif before.first < mark.seq and mark.seq + mark.record_count <= before.end:
            INNER_MARKS.once(session, {"id_": mark.id})
    if same is None:
        place = {"stream": origin.stream, "epoch": origin.epoch, "seq": before.first}
        NEW_MARK.once(session, {**place, **counts})
    else:
        GROWN_MARK.once(session, {"id_": same.id, **counts})


def _keep_rejects(
    session: Session, origin: Origin, rejected: Sequence[Rejected], received_at: datetime
) -> None:
    if not rejected:
        return
    known = set(
        session.scalars(select(Reject.id).where(Reject.id.in_([one.id for one in rejected])))
    )
    rows: dict[str, dict[str, Any]] = {}  # values of columns
    for one in rejected:
        if one.id not in known:
            rows.setdefault(one.id, _reject_row(origin, one, received_at))
    if rows:
        session.execute(NEW_REJECTS, list(rows.values()))


def _reject_row(origin: Origin, one: Rejected, received_at: datetime) -> dict[str, Any]:
    return {
        "id": one.id,
        "source": one.source,
        "stream": origin.stream,
        "epoch": origin.epoch,
        "seq": one.seq,
        "sensor_id": origin.sensor_id,
        "entity_id": origin.entity_id,
        "reason": one.reason,
        "detail": one.detail,
        "sample": _storable(one.sample),
        "peer": _storable(one.peer),
        "zone": origin.zone or None,
        "received_at": received_at,
    }


def _storable(text: str) -> str:
    # Databases take neither NUL nor half of a surrogate pair, as in a file's undecodable name.
    clean = text.encode(errors="surrogatepass").decode(errors="replace")
    return clean.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _count(session: Session, origin: Origin, new: tuple[int, int], received_at: datetime) -> None:
    hour, owner = _volume_key(origin, received_at)
    counts = {"events": new[0], "rejects": new[1]}
    COUNTED.once(session, {"hour": hour, "source": origin.source, "owner": owner, **counts})
    if origin.sensor_id is not None:
        HEARD.once(session, {"id_": origin.sensor_id, "at": received_at, **counts})
