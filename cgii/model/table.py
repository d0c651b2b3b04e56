"""The base of every table, and column types that behave alike on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UTCDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC. SQLite would give back a naive one, so both ways are checked."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """On its way into the database: a moment without a zone is our own mistake."""
        if value is None:
            return None
        assert value.tzinfo is not None, "a moment without a zone reached the database"
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """On its way out: SQLite has forgotten the zone, which is always UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite makes a row id of INTEGER only, PostgreSQL should have 64 bits.
BigId = BigInteger().with_variant(Integer, "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")

Id = Annotated[int, mapped_column(BigId, primary_key=True, autoincrement=True)]
Name = Annotated[str, mapped_column(String(200))]
Code = Annotated[str, mapped_column(String(80))]
LongText = Annotated[str, mapped_column(Text, default="")]
JsonDict = Annotated[dict[str, Any], mapped_column(Json, default=dict)]
JsonList = Annotated[list[Any], mapped_column(Json, default=list)]


class Table(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: UTCDateTime(), str: String(400)}  # noqa: RUF012 - SQLAlchemy's own name


def reference(target: str, **options: Any) -> Any:  # SQLAlchemy types this as Any too
    """A column that points at another table's id, indexed: `reference("entity.id")`."""
    return mapped_column(BigId, ForeignKey(target), index=True, **options)
