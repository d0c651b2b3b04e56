"""Keeps correlation windows in the data base, inside the caller's transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Update, bindparam, delete, func, insert, select, text, tuple_, update
from sqlalchemy.orm import Session

from cgii.base import counters, limits
from cgii.detect.examine import Losses
from cgii.detect.hits import moment_of
from cgii.detect.windows import Window, WindowKey
from cgii.model.alerts import CorrelationWindow
from cgii.model.table import UTCDateTime
from cgii.store.statements import Columns, Prepared, Same, among

HOUR = timedelta(hours=1)
One = TypeVar("One")
Dates = tuple[datetime | None, datetime]  # when due, when it expires


def _update(*names: str) -> Update:
    return (
        update(CorrelationWindow)
        .where(CorrelationWindow.key_hash == bindparam("hash_"))
        .values({name: bindparam(f"{name}_") for name in names})
    )


IDENTITY = ("key_hash", "rule_id", "version", "key")
STATE = ("state", "last_at", "updated_at")
DATES = ("due_at", "expires_at")
INSERT = Prepared(insert(CorrelationWindow), (*IDENTITY, *STATE, *DATES))
UPDATE_STATE, UPDATE_ALL = Prepared(_update(*STATE)), Prepared(_update(*STATE, *DATES))


LOST = text(
    "INSERT INTO correlation_loss (rule_id, late_count, evicted_count, missing_count, last_at) "
    "VALUES (:rule_id, :late, :evicted, :missing, :at) "
    "ON CONFLICT (rule_id) DO UPDATE SET "
    "late_count = correlation_loss.late_count + excluded.late_count, "
    "evicted_count = correlation_loss.evicted_count + excluded.evicted_count, "
    "missing_count = correlation_loss.missing_count + excluded.missing_count, "
    "last_at = excluded.last_at"
).bindparams(bindparam("at", type_=UTCDateTime()))
LOADED = (
    CorrelationWindow.key_hash,
    CorrelationWindow.state,
    CorrelationWindow.due_at,
    CorrelationWindow.expires_at,
)
_Saved = tuple[str, WindowKey, str, datetime, Dates]  # the key's hash first


def load_windows(session: Session, keys: Iterable[WindowKey]) -> dict[WindowKey, Window]:
    """The windows that exist, locked until the transaction ends where the data base can.

    One that another version of the program wrote begins anew.
    """
    by_hash = {key.hash: key for key in keys}
    found: dict[WindowKey, Window] = {}
    if not by_hash:
        return found
    query = (
        select(*LOADED)
        .where(among(session, CorrelationWindow.key_hash, "hashes"))
        # Everybody locks in one order, so that nobody waits in a circle.
        .order_by(CorrelationWindow.key_hash)
        .with_for_update()
    )
    for key_hash, state, due_at, expires_at in session.execute(query, {"hashes": list(by_hash)}):
        try:
            window = Window.from_json(state)
        except (ValueError, KeyError, TypeError):
            window = Window(is_stored=True)
        window.dates = (due_at, expires_at)
        found[by_hash[key_hash]] = window
    return found


def save_windows(
    session: Session,
    windows: Mapping[WindowKey, Window],
    *,
    now: datetime,
    keep_seconds: Mapping[str, int],
) -> None:
    """Write the windows that changed. `keep_seconds`, by rule, is how long one may still matter."""
    fresh: list[_Saved] = []
    moved: list[_Saved] = []
    grown: list[_Saved] = []
    ends = _Ends(now, keep_seconds)
    for key, window in windows.items():
        last_at = window.last_at or now
        due_at = None if window.due is None else moment_of(window.due)
        dates = (due_at, ends.of(key.rule_id, last_at))
        saved = (key.hash, key, window.to_json(), last_at, dates)
        if not window.is_stored:
            fresh.append(saved)
        elif dates == window.dates:
            grown.append(saved)
        else:
            moved.append(saved)
        window.is_stored, window.dates = True, dates
    if fresh:
        _insert(session, fresh, now)
    for statement, rows in ((UPDATE_STATE, grown), (UPDATE_ALL, moved)):
        if rows:
            _move(session, statement, rows, now)


def _insert(session: Session, rows: list[_Saved], now: datetime) -> None:
    rows.sort()  # by the hash, the order in which everybody locks
    hashes, keys, states, last, dates = zip(*rows, strict=True)
    # Several rules count by the same values: what is the same object is converted once.
    shared: dict[tuple[int | None, tuple[str, ...]], list[str | int | None]] = {}
    INSERT.run(
        session,
        {
            "key_hash": hashes,
            "rule_id": [key.rule_id for key in keys],
            "version": [key.version for key in keys],
            "key": [
                shared.setdefault((key.entity_id, key.values), [key.entity_id, *key.values])
                for key in keys
            ],
            "state": states,
            "last_at": last,
            "updated_at": Same(now),
            "due_at": [due_at for due_at, _ in dates],
            "expires_at": [expires_at for _, expires_at in dates],
        },
    )


def _move(session: Session, statement: Prepared, rows: list[_Saved], now: datetime) -> None:
    hashes, _, states, last, dates = zip(*rows, strict=True)
    columns: Columns = {
        "hash_": hashes,
        "state_": states,
        "last_at_": last,
        "updated_at_": Same(now),
        "due_at_": [due_at for due_at, _ in dates],
        "expires_at_": [expires_at for _, expires_at in dates],
    }
    statement.run(session, columns)


class _Ends:
    """When windows can no longer matter: at a full hour, so that the date seldom changes."""

    def __init__(self, now: datetime, keep_seconds: Mapping[str, int]) -> None:
        self._now = now
        self._seconds = keep_seconds
        self._known: dict[str, datetime] = {}  # by rule, of windows whose last event is past

    def of(self, rule_id: str, last_at: datetime) -> datetime:
        """When a window of the rule ends that has its last event then."""
        if last_at > self._now:
            return _full_hour(last_at + self._keep(rule_id))
        known = self._known.get(rule_id)
        if known is None:
            known = self._known[rule_id] = _full_hour(self._now + self._keep(rule_id))
        return known

    def _keep(self, rule_id: str) -> timedelta:
        return timedelta(seconds=self._seconds.get(rule_id, limits.TIMESPAN_SECONDS_MAX))


def _full_hour(moment: datetime) -> datetime:
    """The next one: a date that seldom changes costs little to keep."""
    return moment.replace(minute=0, second=0, microsecond=0) + HOUR


def due_windows(
    session: Session, *, now: datetime, waits: Mapping[tuple[str, str], int], limit: int
) -> list[WindowKey]:
    """Keys of windows whose end is past by their rule's wait, and to which nothing came for long.

    `waits` gives the seconds by id and version of the rule: how much later than its events a
    correlation may decide. Nobody decides the windows of a rule that counts otherwise now.
    """
    quiet = now - timedelta(seconds=limits.LATE_TOLERANCE_SECONDS)
    found: list[WindowKey] = []
    for seconds in sorted(set(waits.values())):
        rules = sorted(rule for rule, wait in waits.items() if wait == seconds)
        for part in _parts(rules):
            query = (
                select(CorrelationWindow)
                .where(
                    tuple_(CorrelationWindow.rule_id, CorrelationWindow.version).in_(part),
                    CorrelationWindow.due_at <= now - timedelta(seconds=seconds),
                    CorrelationWindow.updated_at <= quiet,
                )
                .order_by(CorrelationWindow.due_at, CorrelationWindow.key_hash)
                .limit(limit - len(found))
            )
            for row in session.scalars(query):
                entity_id, *values = row.key
                found.append(WindowKey(row.rule_id, entity_id, tuple(values), row.version))
            if len(found) >= limit:
                return found
    return found


def note_losses(session: Session, losses: Losses, *, now: datetime) -> None:
    """Add what could not be taken into account to each rule's figures."""
    rule_ids = sorted({*losses.late, *losses.evicted, *losses.missing})  # locked in one order
    rows = [
        {
            "rule_id": rule_id,
            "late": losses.late[rule_id],
            "evicted": losses.evicted[rule_id],
            "missing": losses.missing[rule_id],
            "at": now,
        }
        for rule_id in rule_ids
    ]
    if rows:
        session.execute(LOST, rows)


def prune_windows(session: Session, *, now: datetime, most: int = limits.PRUNE_ROWS) -> int:
    """Delete the windows that can no longer matter; answers how many.

    At most so many at a time, because ingest waits for the transaction. When no such one is left
    and a rule still has more than limits.WINDOW_KEYS_MAX, those changed longest ago go too and are
    counted.
    """
    name, is_old = CorrelationWindow.key_hash, CorrelationWindow.expires_at < now
    old = session.scalars(select(name).where(is_old).limit(most)).all()
    # Asked again: another process may have moved one's end meanwhile.
    deleted = sum(
        _count(session.execute(delete(CorrelationWindow).where(name.in_(part), is_old)))
        for part in _parts(old)
    )
    if len(old) == most:
        return deleted
    crowded = session.execute(
        select(CorrelationWindow.rule_id, func.count())
        .group_by(CorrelationWindow.rule_id)
        .having(func.count() > limits.WINDOW_KEYS_MAX)
    ).all()
    losses = Losses()
    for rule_id, count in crowded:
        gone = _delete_surplus(session, rule_id, count - limits.WINDOW_KEYS_MAX)
        losses.evicted[rule_id] += gone
        deleted += gone
    note_losses(session, losses, now=now)
    return deleted


def _delete_surplus(session: Session, rule_id: str, surplus: int) -> int:
    oldest = (
        select(CorrelationWindow.key_hash)
        .where(CorrelationWindow.rule_id == rule_id)
        .order_by(CorrelationWindow.updated_at, CorrelationWindow.key_hash)
        .limit(surplus)
    )
    deleted = _count(
        session.execute(
            delete(CorrelationWindow).where(CorrelationWindow.key_hash.in_(oldest)),
            execution_options={"synchronize_session": False},
        )
    )
    counters.WINDOWS_EVICTED.labels(rule=rule_id).inc(deleted)
    return deleted


def _count(result: object) -> int:
    return int(getattr(result, "rowcount", 0) or 0)


def _parts(values: Sequence[One]) -> Iterator[Sequence[One]]:
    for start in range(0, len(values), limits.QUERY_VALUES_MAX):
        yield values[start : start + limits.QUERY_VALUES_MAX]
