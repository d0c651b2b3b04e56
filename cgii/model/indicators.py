"""Lists of values that tell of an attack when an event holds one, and lists of harmless ones."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.model.table import Code, Id, JsonList, LongText, Table, reference


class IndicatorList(Table):
    """Where indicators come from, and what finding one is worth.

    The values of a warning list are known to be harmless: found on one, an address or a name
    raises no alert whatever other lists say.
    """

    __tablename__ = "indicator_list"

    id: Mapped[Id]
    name: Mapped[Code] = mapped_column(unique=True)  # part of the rule id of its alerts
    title: Mapped[str]
    origin: Mapped[LongText]  # who publishes it, with the address
    level: Mapped[Code]  # of its alerts: informational low medium high critical
    tags: Mapped[JsonList]  # of its alerts: rsit.… attack.… tlp.…
    is_warning: Mapped[bool]
    indicator_count: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class Indicator(Table):
    """One value of one list."""

    __tablename__ = "indicator"
    __table_args__ = (
        UniqueConstraint("list_id", "kind", "value"),
        Index("ix_indicator_value", "value", "kind"),
    )

    id: Mapped[Id]
    list_id: Mapped[int] = reference("indicator_list.id")
    kind: Mapped[Code]  # ip cidr domain url hash email
    value: Mapped[str]  # as events are compared with it
    note: Mapped[str] = mapped_column(default="")
    seen_at: Mapped[datetime]  # when its list last named it
    expires_at: Mapped[datetime | None] = mapped_column(index=True)
    hit_count: Mapped[int] = mapped_column(default=0)
    last_hit_at: Mapped[datetime | None]

    list: Mapped[IndicatorList] = relationship()
