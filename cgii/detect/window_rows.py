"""Keeps correlation windows in the data base, inside the caller's transaction."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Update, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from cgii.base import counters, limits
from cgii.detect.examine import Losses
from cgii.detect.hits import moment_of
from cgii.detect.windows import Window, WindowKey
from cgii.model.alerts import CorrelationLoss, CorrelationWindow

HOUR = timedelta(hours=1)
One = TypeVar("One")


def _update(*names: str) -> Update:
    return (
        update(CorrelationWindow)
        .where(CorrelationWindow.key_hash == bindparam("hash_"))
        .values({name: bindparam(f"{name}_") for name in names})
    )


STATE = ("state", "last_at", "updated_at")
DATES = ("due_at", "expires_at")
UPDATE_STATE, UPDATE_ALL = _update(*STATE), _update(*STATE, *DATES)


def load_windows(session: Session, keys: Iterable[WindowKey]) -> dict[WindowKey, Window]:
    """The windows that exist, locked until the transaction ends where the data base can.

    One that another version of the program wrote begins anew.
    """
    by_hash = {key.hash: key for key in keys}
    found: dict[WindowKey, Window] = {}
    # Everybody locks in one order, so that nobody waits in a circle.
    for part in _parts(sorted(by_hash)):
        query = (
            select(
                CorrelationWindow.key_hash,
                CorrelationWindow.state,
                CorrelationWindow.due_at,
                CorrelationWindow.expires_at,
            )
            .where(CorrelationWindow.key_hash.in_(part))
            .order_by(CorrelationWindow.key_hash)
            .with_for_update()
        )
        for key_hash, state, due_at, expires_at in session.execute(query):
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
    fresh: list[dict[str, Any]] = []  # values of columns
    moved: list[dict[str, Any]] = []
    grown: list[dict[str, Any]] = []
    for key, window in windows.items():
        last_at = window.last_at or now
        keep = timedelta(seconds=keep_seconds.get(key.rule_id, limits.TIMESPAN_SECONDS_MAX))
        due_at = None if window.due is None else moment_of(window.due)
        dates = (due_at, _full_hour(max(last_at, now) + keep))
        row = {"state": window.to_json(), "last_at": last_at, "updated_at": now}
        if not window.is_stored:
            names = {"key_hash": key.hash, "rule_id": key.rule_id, "version": key.version}
            row |= dict(zip(DATES, dates, strict=True))
            fresh.append({**row, **names, "key": [key.entity_id, *key.values]})
        elif dates == window.dates:
            grown.append({f"{name}_": value for name, value in row.items()} | {"hash_": key.hash})
        else:
            row |= dict(zip(DATES, dates, strict=True))
            moved.append({f"{name}_": value for name, value in row.items()} | {"hash_": key.hash})
        window.is_stored, window.dates = True, dates
    connection = session.connection()
    if fresh:
        fresh.sort(key=lambda row: str(row["key_hash"]))
        connection.execute(insert(CorrelationWindow), fresh)
    for statement, rows in ((UPDATE_STATE, grown), (UPDATE_ALL, moved)):
        if rows:
            connection.execute(statement, rows)


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
    rule_ids = sorted({*losses.late, *losses.evicted, *losses.missing})
    for rule_id in rule_ids:
        row = session.get(CorrelationLoss, rule_id, with_for_update=True)
        if row is None:
            row = CorrelationLoss(
                rule_id=rule_id, late_count=0, evicted_count=0, missing_count=0, last_at=now
            )
            session.add(row)
        row.late_count += losses.late[rule_id]
        row.evicted_count += losses.evicted[rule_id]
        row.missing_count += losses.missing[rule_id]
        row.last_at = now


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
