"""Sources that fell silent, and the hours in which nobody expects to hear them."""

from datetime import datetime, time

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.base.weekly import MIDNIGHT, WeeklyTimes
from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.table import Code, Id, LongText, Table, reference


class SourceSilence(Table):
    """One time that a source of one sensor stopped or fell to a tenth, from its first hour on."""

    __tablename__ = "source_silence"
    __table_args__ = (Index("ix_source_silence_pair", "sensor_key", "source"),)

    id: Mapped[Id]
    sensor_key: Mapped[Code]  # as in SourceVolume: "sensor:7", "local"
    source: Mapped[Code]
    open_key: Mapped[str | None] = mapped_column(unique=True)  # both of them while it lasts
    state: Mapped[Code]  # stopped low
    since: Mapped[datetime]  # the first hour that was too quiet
    usual_count: Mapped[int]  # records that are usual in the hours that were judged
    seen_count: Mapped[int]  # … and those that came
    alert_id: Mapped[Code]
    opened_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    outcome: Mapped[Code] = mapped_column(default="")  # back quiet revoked forgotten


class QuietWindow(Table):
    """When silence is expected, as an operator said: once, for maintenance, or every week.

    What comes again has `days`, and no end until somebody ends it.
    """

    __tablename__ = "quiet_window"

    id: Mapped[Id]
    sensor_key: Mapped[Code] = mapped_column(default="")  # "" = every sensor, of the entity if any
    entity_id: Mapped[int | None] = reference("entity.id")
    source: Mapped[Code] = mapped_column(default="")  # "" = every source
    start_at: Mapped[datetime]
    end_at: Mapped[datetime | None] = mapped_column(index=True)  # moved forward when ended early
    days: Mapped[Code] = mapped_column(default="", server_default="")  # "" = once; base.weekly.DAYS
    opens: Mapped[time | None]
    closes: Mapped[time | None]
    reason: Mapped[LongText]
    owner_id: Mapped[int | None] = reference("person.id")
    created_at: Mapped[datetime]

    owner: Mapped[User | None] = relationship()
    entity: Mapped[Entity | None] = relationship()

    @property
    def times(self) -> WeeklyTimes | None:
        """When it comes again; None for what is once."""
        if not self.days:
            return None
        return WeeklyTimes(self.days, self.opens or MIDNIGHT, self.closes or MIDNIGHT)
