"""Statements that run for many rows, or all the time: compiled once, they cost little more.

SQLAlchemy looks at each row of a statement by itself, which costs more than the database's own
work. Here the rows come as columns, and a value that stands in all of them is made once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    ColumnElement,
    CursorResult,
    Dialect,
    Executable,
    Insert,
    String,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

Values = Sequence[Any]  # of one column, as its type takes them
Columns = Mapping[str, "Values | Same"]  # one value per row, or the same in every row


@dataclass(frozen=True)
class Same:
    """A value that stands in every row."""

    value: Any  # as the column's type takes it


NOTHING: Mapping[str, Any] = MappingProxyType({})


class Prepared:
    """A statement with named values, for any database."""

    def __init__(self, statement: Executable, names: Sequence[str] = ()) -> None:
        self._statement = statement
        self._names = tuple(names)
        self._made: dict[str, _Made] = {}  # by kind of database
        self._lock = Lock()

    def run(self, session: Session, columns: Columns) -> None:
        """Run it for all rows. What the session still holds back is not written first."""
        count = max((len(one) for one in columns.values() if not isinstance(one, Same)), default=1)
        if not count:
            return
        connection = session.connection()
        made = self._made_for(connection.dialect)
        found = [made.converted(name, columns[name], count) for name in made.order]
        rows = list(zip(*found, strict=True))
        if made.is_positional:
            connection.exec_driver_sql(made.text, rows)
        else:
            connection.exec_driver_sql(
                made.text, [dict(zip(made.order, row, strict=True)) for row in rows]
            )

    def once(self, session: Session, values: Mapping[str, Any] = NOTHING) -> CursorResult[Any]:
        """Run it with one value for each name; rows come as the driver gives them.

        So it is no way to read a date, and what the session still holds back is not written first.
        """
        connection = session.connection()
        made = self._made_for(connection.dialect)
        found = [made.one(name, values[name]) for name in made.order]
        if made.is_positional:
            return connection.exec_driver_sql(made.text, tuple(found))
        return connection.exec_driver_sql(made.text, dict(zip(made.order, found, strict=True)))

    def _made_for(self, dialect: Dialect) -> "_Made":
        with self._lock:
            made = self._made.get(dialect.name)
            if made is None:
                made = self._made[dialect.name] = _make(self._statement, self._names, dialect)
            return made


@dataclass(frozen=True)
class _Made:
    """The statement's text for one kind of database, and how each value becomes the driver's."""

    text: str
    order: Sequence[str]
    is_positional: bool
    converters: Mapping[str, Any]  # SQLAlchemy's, or None

    def one(self, name: str, value: Any) -> Any:
        convert = self.converters[name]
        return convert(value) if convert else value

    def converted(self, name: str, values: Values | Same, count: int) -> Values:
        convert = self.converters[name]
        if isinstance(values, Same):
            return [self.one(name, values.value)] * count
        if not convert:
            return values
        known: dict[int, Any] = {}  # by the value's identity: many rows share one
        for value in values:
            if id(value) not in known:
                known[id(value)] = convert(value)
        return [known[id(value)] for value in values]


def _make(statement: Executable, names: Sequence[str], dialect: Dialect) -> _Made:
    is_insert = isinstance(statement, Insert)
    made: Any = statement.compile(  # type: ignore[attr-defined]  # every kind of ours has it
        dialect=dialect, column_keys=list(names) if is_insert else None
    )
    order = list(getattr(made, "positiontup", None) or made.binds)
    converters = {name: _converter(bind.type, dialect) for name, bind in made.binds.items()}
    return _Made(str(made), order, bool(made.positional), converters)


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> Any:
    """What makes the driver's value out of the column's; None when it takes it as it is."""
    own = kind.dialect_impl(dialect)
    if isinstance(own, JSON) and dialect.name == "sqlite":  # a text there
        return _json_text
    return own.bind_processor(dialect)


def _json_text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a surrogate pair, a number that is too large
        return json.dumps(value)


def among(session: Session, column: InstrumentedAttribute[str], name: str) -> ColumnElement[bool]:
    """Whether the column's text is one of a list, which is given as the one value `name`.

    An IN has one parameter per value, and costs more than what it finds.
    """
    if session.get_bind().dialect.name == "sqlite":
        each = func.json_each(bindparam(name, type_=JSON)).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(bindparam(name, type_=ARRAY(String)))
