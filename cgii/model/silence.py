"""Sources that fell silent, and the hours in which nobody expects to hear them."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

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
    """A time in which silence is expected, as an operator said: maintenance, a power cut."""

    __tablename__ = "quiet_window"

    id: Mapped[Id]
    sensor_key: Mapped[Code] = mapped_column(default="")  # "" = every sensor
    source: Mapped[Code] = mapped_column(default="")  # "" = every source
    start_at: Mapped[datetime]
    end_at: Mapped[datetime] = mapped_column(index=True)  # moved forward when ended early
    reason: Mapped[LongText]
    owner_id: Mapped[int | None] = reference("person.id")
    created_at: Mapped[datetime]

    owner: Mapped[User | None] = relationship()
