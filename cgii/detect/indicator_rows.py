"""Finds indicators in a batch: the tables built from the record, and what it confirms."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, tuple_, update
from sqlalchemy.orm import Session, contains_eager

from cgii.base import counters, limits
from cgii.detect.indicators import Finding, Indicators, IndicatorTable, Suspect
from cgii.model.indicators import Indicator, IndicatorList
from cgii.store.statements import Prepared

REVISION = Prepared(
    select(IndicatorList.id, IndicatorList.updated_at, IndicatorList.indicator_count).order_by(
        IndicatorList.id
    )
)


def indicators_revision(session: Session) -> str:
    """Changes whenever `load_indicators` would build something else."""
    return ";".join("/".join(map(str, row)) for row in REVISION.once(session).all())


def load_indicators(session: Session, *, now: datetime) -> Indicators:
    """The tables of all lists in use; a million values take a few seconds."""
    revision = indicators_revision(session)
    wanted = load_table(session, now=now, is_warning=False)
    return Indicators(wanted, load_table(session, now=now, is_warning=True), revision)


def load_table(session: Session, *, now: datetime, is_warning: bool) -> IndicatorTable:
    """The values of all lists of one sort that are in use."""
    query = (
        select(Indicator.kind, Indicator.value)
        .join(IndicatorList)
        .where(
            IndicatorList.retired_at.is_(None),
            IndicatorList.is_warning.is_(is_warning),
            valid_at(now - timedelta(days=limits.INDICATOR_LATE_DAYS)),
        )
        .execution_options(yield_per=limits.INDICATOR_ROWS_AT_ONCE)
    )
    return IndicatorTable((kind, value) for kind, value in session.execute(query))


def valid_at(moment: datetime) -> ColumnElement[bool]:
    """Rows that have not expired at the moment."""
    return or_(Indicator.expires_at.is_(None), Indicator.expires_at > moment)


def rows_of(session: Session, pairs: Iterable[tuple[str, str]]) -> list[Indicator]:
    """The rows, with their lists, of these kinds and values, in lists that are in use."""
    wanted = sorted(set(pairs))
    found: list[Indicator] = []
    step = limits.QUERY_VALUES_MAX // 2  # two values each
    for start in range(0, len(wanted), step):
        query = (
            select(Indicator)
            .join(IndicatorList)
            .options(contains_eager(Indicator.list))
            .where(
                tuple_(Indicator.kind, Indicator.value).in_(wanted[start : start + step]),
                IndicatorList.retired_at.is_(None),
            )
        )
        found += session.scalars(query)
    return found


def confirm(session: Session, suspects: Sequence[Suspect], *, now: datetime) -> list[Finding]:
    """Which suspects are indicators in force at the time of their event, and not harmless.

    Counts the hit on the indicator's row, inside the caller's transaction.
    """
    if not suspects:
        return []
    pairs = [pair for one in suspects for pair in (*one.indicators, *one.warnings)]
    by_pair: dict[tuple[str, str], list[Indicator]] = {}
    for row in rows_of(session, pairs):
        by_pair.setdefault((row.kind, row.value), []).append(row)
    found: dict[tuple[str, str], Finding] = {}
    hits: dict[int, int] = {}
    for suspect in suspects:
        rows = [row for pair in suspect.warnings for row in by_pair.get(pair, ())]
        if any(row.list.is_warning for row in rows):
            counters.INDICATORS_WARNED.inc()
            continue
        for pair in suspect.indicators:
            for row in by_pair.get(pair, ()):
                expired = row.expires_at is not None and row.expires_at <= suspect.event.at
                if row.list.is_warning or expired:
                    continue
                # The same value in two fields of one event is one finding.
                key = (suspect.event.id, f"{row.id}")
                if key not in found and len(found) < limits.INDICATOR_FINDINGS_MAX:
                    found[key] = _finding(suspect, row)
                    hits[row.id] = hits.get(row.id, 0) + 1
    for row_id, count in sorted(hits.items()):
        session.execute(
            update(Indicator)
            .where(Indicator.id == row_id)
            .values(hit_count=Indicator.hit_count + count, last_hit_at=now)
            .execution_options(synchronize_session=False)
        )
    return list(found.values())


def _finding(suspect: Suspect, row: Indicator) -> Finding:
    return Finding(
        suspect=suspect,
        list_name=row.list.name,
        list_title=row.list.title,
        level=row.list.level,
        tags=tuple(row.list.tags),
        kind=row.kind,
        value=row.value,
        note=row.note,
        expires_at=row.expires_at,
    )
