"""What a metric is: one definition, one formula, its figure, and the rows behind each number."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from cgii.measure.filters import Filters
from cgii.measure.period import Period

Unit = Literal["percent", "seconds", "count"]
Subject = Literal["incident", "deadline", "alert", "volume", "sensor", "entity", "plan"]


@dataclass(frozen=True)
class Cell:
    """A number and the part that opens its rows; an empty part opens nothing."""

    value: float | None
    part: str = ""


@dataclass(frozen=True)
class Column:
    """A column of numbers. `colour` is a name of charts.COLOURS."""

    key: str
    label: str
    unit: Unit = "count"
    colour: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a table: a month, a class, an entity."""

    key: str
    label: str
    cells: tuple[Cell, ...]
    colour: str = ""


@dataclass(frozen=True)
class Table:
    """Numbers by row and column; `n` is how many cases stand behind all of it."""

    head: str  # what the rows are: "Mes"
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    n: int
    notes: tuple[str, ...] = ()
    target: float | None = None


@dataclass(frozen=True)
class Figure:
    """One number with its n, its target and the same number one period earlier."""

    value: float | None
    n: int
    part: str = ""
    target: float | None = None
    previous: float | None = None
    previous_n: int = 0
    table: Table | None = None
    notes: tuple[str, ...] = ()

    def against(self, earlier: "Figure") -> "Figure":
        """The same figure with the earlier one beside it."""
        return replace(self, previous=earlier.value, previous_n=earlier.n)


# SQLAlchemy types a query by its columns; these have `id`, `part` and what a metric needs.
AnySelect = Select[*tuple[Any, ...]]
Value = TypeVar("Value")
Compute = Callable[[Session, Period, Filters], Figure | Table]
Cases = Callable[[Period, Filters], AnySelect]  # columns `id` and `part`


@dataclass(frozen=True)
class Metric:
    """A measured quantity. `groups` names parts that are made of others, for the rows behind."""

    id: str
    title: str
    unit: Unit
    definition: str
    formula: str
    excludes: str
    subject: Subject
    compute: Compute
    cases: Cases
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


METRICS: dict[str, Metric] = {}  # filled while the modules named in catalogue.py are imported


def metric(
    *,
    id: str,
    title: str,
    unit: Unit,
    definition: str,
    formula: str,
    excludes: str,
    subject: Subject,
    cases: Cases,
    groups: Mapping[str, tuple[str, ...]] | None = None,
) -> Callable[[Compute], Compute]:
    """Register the function below as the one way to compute this metric."""

    def register(compute: Compute) -> Compute:
        assert id not in METRICS, f"two metrics are called {id}"
        METRICS[id] = Metric(
            id, title, unit, definition, formula, excludes, subject, compute, cases, groups or {}
        )
        return compute

    return register


@contextmanager
def remembering(session: Session) -> Iterator[None]:
    """While a board is filled, what several metrics need is read once."""
    session.info["measured"] = {}
    try:
        yield
    finally:
        del session.info["measured"]


def remembered(session: Session, key: Hashable, read: Callable[[], Value]) -> Value:
    """What `read` gives, read once per filling of a board."""
    memory: dict[Hashable, Value] | None = session.info.get("measured")
    if memory is None:
        return read()
    if key not in memory:
        memory[key] = read()
    return memory[key]


def count_parts(session: Session, cases: AnySelect) -> dict[str, int]:
    """How many cases each part has."""
    table = cases.subquery()
    query = select(table.c.part, func.count()).group_by(table.c.part)
    return {str(row.part): row[1] for row in session.execute(query)}


def case_ids(chosen: Metric, period: Period, filters: Filters, part: str) -> Select[tuple[int]]:
    """The ids of `chosen.subject` behind one part, the same rows that its number counts.

    A part is a plain name, one of the metric's groups, or a pattern with `*`: `7-30:*`.
    """
    table = chosen.cases(period, filters).subquery()
    query = select(table.c.id).where(table.c.id.is_not(None))
    if part in chosen.groups:
        return query.where(table.c.part.in_(chosen.groups[part]))
    if "*" in part:
        escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return query.where(table.c.part.like(escaped.replace("*", "%"), escape="\\"))
    return query.where(table.c.part == part)


def share(part: int, whole: int) -> float | None:
    """Per cent; None when there is nothing to divide by."""
    return 100 * part / whole if whole else None
