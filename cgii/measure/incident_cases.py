"""Which incidents count, and how they are told apart by month, age or the state of a deadline."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    SQLColumnExpression,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute

from cgii.measure.filters import Filters
from cgii.measure.metric import AnySelect
from cgii.measure.period import Bucket, Period
from cgii.model.deadlines import Deadline
from cgii.model.incidents import Incident

EXCLUDES = "Duplicados (también los unidos a otro caso), ejercicios y pruebas."

# Names of the age bands with their lower bound in days, youngest first.
AGE_BANDS = (("0-1", 0), ("1-3", 1), ("3-7", 3), ("7-30", 7), ("30-90", 30), ("90+", 90))


def counted(filters: Filters) -> list[ColumnElement[bool]]:
    """Conditions of an incident that any figure counts."""
    return [
        Incident.is_exercise.is_(False),
        # Not `IS NULL`: SQLite would take the index on this column, which selects nearly all rows.
        func.coalesce(Incident.merged_into_id, 0) == 0,
        Incident.close_reason != "duplicate",
        Incident.rsit_class != "test",
        *narrowed(filters),
    ]


def of_counted(
    column: InstrumentedAttribute[int] | InstrumentedAttribute[int | None], filters: Filters
) -> list[ColumnElement[bool]]:
    """The same conditions on a column that points at an incident.

    What does not count is rare, so leaving it out is much quicker than a join with all incidents.
    """
    left_out = or_(
        Incident.is_exercise.is_(True),
        func.coalesce(Incident.merged_into_id, 0) != 0,
        Incident.close_reason == "duplicate",
        Incident.rsit_class == "test",
    )
    found: list[ColumnElement[bool]] = [column.not_in(select(Incident.id).where(left_out))]
    if conditions := narrowed(filters):
        found.append(column.in_(select(Incident.id).where(*conditions)))
    return found


def narrowed(filters: Filters) -> list[ColumnElement[bool]]:
    """The filters as conditions on Incident; none when nothing is narrowed."""
    found = filters.by_entity(Incident.entity_id)
    for column, wanted in (
        (Incident.severity, filters.severity),
        (Incident.rsit_class, filters.rsit_class),
        (Incident.origin, filters.origin),
    ):
        if wanted:
            found.append(column == wanted)
    return found


def within(
    column: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None],
    period: Period,
) -> ColumnElement[bool]:
    """The moment lies in the period and is known as of its reading."""
    return and_(column >= period.start, column < period.end, column <= period.as_of)


def received(period: Period, filters: Filters) -> list[ColumnElement[bool]]:
    """Counted incidents received in the period."""
    return [within(Incident.received_at, period), *counted(filters)]


def bucket_of(column: SQLColumnExpression[Any], buckets: Sequence[Bucket]) -> ColumnElement[str]:
    """The key of the bucket in which the moment lies; all rows must lie in one of them."""
    branches = [(column < bucket.end, bucket.key) for bucket in buckets[:-1]]
    return case(*branches, else_=buckets[-1].key) if branches else literal(buckets[-1].key, String)


def open_at(moment: datetime, filters: Filters) -> list[ColumnElement[bool]]:
    """Counted incidents that were received and not closed at the moment."""
    return [
        Incident.received_at <= moment,
        or_(Incident.closed_at.is_(None), Incident.closed_at > moment),
        *counted(filters),
    ]


def age_band(moment: datetime) -> ColumnElement[str]:
    """The band of an open incident's age at the moment."""
    branches = [
        (Incident.received_at <= moment - timedelta(days=days), name)
        for name, days in reversed(AGE_BANDS[1:])
    ]
    return case(*branches, else_=AGE_BANDS[0][0])


def as_part(column: SQLColumnExpression[Any]) -> ColumnElement[str]:
    """A column as the name of a part; what is empty or missing is `none`."""
    text = cast(column, String)
    return case((or_(column.is_(None), text == ""), "none"), else_=text)


def joined(*pieces: SQLColumnExpression[Any] | str) -> ColumnElement[str]:
    """Pieces in one part name: `7-30:alto`."""
    text: ColumnElement[str] = literal("", String)
    for piece in pieces:
        text = text.concat(piece)
    return text


def centre_clock(stage: str) -> ColumnElement[bool]:
    """The centre's own deadline of an incident for a stage.

    A clock that ended unmet while the case lived on was replaced (the severity changed): not owed.
    """
    return and_(
        Deadline.incident_id == Incident.id,
        Deadline.stage == stage,
        Deadline.party == "centre",
        Deadline.regime == "centre",
        or_(
            Deadline.ended_at.is_(None),
            Deadline.met_at.is_not(None),
            Deadline.missed_at.is_not(None),
            Deadline.ended_at >= Incident.closed_at,
        ),
    )


def against_clock(
    stage: str, period: Period, filters: Filters, *more: ColumnElement[bool]
) -> AnySelect:
    """Incidents received in the period with `part` in_time, late, overdue, running or no_clock.

    Closing a case ends every stage, so the closing counts where the stage itself was not stamped.
    `month` and `severity` stand beside for tables.
    """
    reached = func.coalesce(getattr(Incident, f"{stage}_at"), Incident.closed_at)
    due = func.min(Deadline.due_at)
    breached = func.coalesce(func.max(Deadline.missed_at) <= period.as_of, False)
    part = case(
        (due.is_(None), "no_clock"),
        (and_(reached <= period.as_of, reached <= due, breached.is_(False)), "in_time"),
        (reached <= period.as_of, "late"),
        (breached.is_(True), "overdue"),
        (or_(due > period.as_of, func.max(Deadline.paused_at) <= period.as_of), "running"),
        else_="overdue",
    )
    return (
        select(
            Incident.id.label("id"),
            part.label("part"),
            bucket_of(Incident.received_at, period.months()).label("month"),
            Incident.severity.label("severity"),
        )
        .outerjoin(Deadline, centre_clock(stage))
        .where(*received(period, filters), *more)
        .group_by(Incident.id)
    )
