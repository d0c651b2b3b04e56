"""Seals tables whose rows are legal acts: once written, a row is never changed nor deleted."""

from collections.abc import Collection

from sqlalchemy import event, inspect
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Mapper, ORMExecuteState, Session

from cgii.base.errors import Conflict
from cgii.model.table import Table

_sealed: dict[type[Table], frozenset[str]] = {}


def seal(table: type[Table], once: Collection[str] = ()) -> None:
    """Refuse updates and deletes of rows; a column in `once` may still be filled if it is empty."""
    _sealed[table] = frozenset(once)
    event.listen(table, "before_update", _refuse_change)
    event.listen(table, "before_delete", _refuse_delete)


def _refuse_change(_mapper: Mapper[Table], _connection: Connection, row: Table) -> None:
    for attribute in inspect(row).mapper.column_attrs:
        history = inspect(row).attrs[attribute.key].load_history()
        if not history.has_changes():
            continue
        if attribute.key not in _sealed[type(row)] or any(old is not None for old in history[2]):
            raise _refusal()


def _refuse_delete(_mapper: Mapper[Table], _connection: Connection, _row: Table) -> None:
    raise _refusal()


@event.listens_for(Session, "do_orm_execute")
def _refuse_in_bulk(state: ORMExecuteState) -> None:
    if (state.is_update or state.is_delete) and any(
        mapper.class_ in _sealed for mapper in state.all_mappers
    ):
        raise _refusal()


def _refusal() -> Conflict:
    return Conflict(
        "Una presentación o una decisión registrada no se modifica ni se borra. Registre una nueva."
    )
