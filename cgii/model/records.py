"""The centre's own records: sensors, batches, positions, rejects, jobs, audit, mail, documents."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.model.entities import Entity
from cgii.model.table import Code, Id, JsonDict, JsonList, LongText, Table, reference


class Sensor(Table):
    """A sender of batches. Its token is shown once and kept as a hash; one that signs has none."""

    __tablename__ = "sensor"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    entity_id: Mapped[int | None] = reference("entity.id")
    token_hash: Mapped[Code] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    heard_at: Mapped[datetime | None]
    event_count: Mapped[int] = mapped_column(default=0)
    reject_count: Mapped[int] = mapped_column(default=0)
    program_version: Mapped[Code] = mapped_column(default="")
    entity: Mapped[Entity | None] = relationship()


class Batch(Table):
    """The mark of a committed batch: once it is here, the same batch changes nothing."""

    __tablename__ = "batch"
    __table_args__ = (UniqueConstraint("stream", "epoch", "seq"),)

    id: Mapped[Id]
    stream: Mapped[str]
    epoch: Mapped[Code]
    seq: Mapped[int] = mapped_column(BigInteger)  # of its first record
    record_count: Mapped[int]
    event_count: Mapped[int]
    reject_count: Mapped[int]
    received_at: Mapped[datetime] = mapped_column(index=True)


class SourceVolume(Table):
    """Events and rejects of one source per sensor and hour, for boards and silence."""

    __tablename__ = "source_volume"
    __table_args__ = (UniqueConstraint("hour", "source", "sensor_key"),)

    id: Mapped[Id]
    hour: Mapped[datetime] = mapped_column(index=True)
    source: Mapped[Code]
    sensor_key: Mapped[Code]  # the stream's owner: "sensor:7", "local"
    event_count: Mapped[int] = mapped_column(default=0)
    reject_count: Mapped[int] = mapped_column(default=0)


class Position(Table):
    """How far a followed file has been committed; moved with the batch it belongs to."""

    __tablename__ = "position"

    stream: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[str]
    offset: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    moved_at: Mapped[datetime]


class Reject(Table):
    """Input that could not be read, with its reason and its beginning."""

    __tablename__ = "reject"
    __table_args__ = (Index("ix_reject_source_reason", "source", "reason"),)

    id: Mapped[Code] = mapped_column(primary_key=True)  # the id its event would have had
    source: Mapped[Code]
    stream: Mapped[str]
    epoch: Mapped[Code]
    seq: Mapped[int] = mapped_column(BigInteger)
    sensor_id: Mapped[int | None] = reference("sensor.id")
    entity_id: Mapped[int | None] = reference("entity.id")
    reason: Mapped[Code]
    detail: Mapped[LongText]
    sample: Mapped[LongText]
    peer: Mapped[str] = mapped_column(Text, default="", server_default="")  # as its Raw had it
    zone: Mapped[Code | None]  # as its Origin had it; NULL: the one of the source's definition
    received_at: Mapped[datetime] = mapped_column(index=True)


class Job(Table):
    """Work to be done after a commit. The row is the truth; a Celery message only wakes."""

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_due", "state", "run_at"),)

    id: Mapped[Id]
    name: Mapped[Code] = mapped_column(index=True)
    arguments: Mapped[JsonDict]
    state: Mapped[Code] = mapped_column(default="waiting")  # waiting leased done parked
    unique_key: Mapped[str | None] = mapped_column(unique=True)  # one such job at a time
    run_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[Code] = mapped_column(default="")
    leased_until: Mapped[datetime | None] = mapped_column(index=True)
    progress_percent: Mapped[int] = mapped_column(default=0)
    progress_text: Mapped[str] = mapped_column(default="")
    stop_asked_at: Mapped[datetime | None]
    last_error: Mapped[LongText]
    result: Mapped[JsonDict]
    created_by_id: Mapped[int | None] = reference("person.id")
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Schedule(Table):
    """A job that comes again: the row says when next, the list in jobs.py how often."""

    __tablename__ = "schedule"

    name: Mapped[Code] = mapped_column(primary_key=True)
    every_seconds: Mapped[int]
    next_at: Mapped[datetime]
    last_at: Mapped[datetime | None]


class AuditEntry(Table):
    """Who did what: append-only, each row chained to the one before by an HMAC."""

    __tablename__ = "audit_entry"

    id: Mapped[Id]
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]  # "user:12", "sensor:7", "system", "cli"
    action: Mapped[Code] = mapped_column(index=True)  # "incident.closed"
    target: Mapped[str] = mapped_column(index=True)  # "incident:CGII-2026-000042"
    entity_id: Mapped[int | None] = reference("entity.id")
    data: Mapped[str] = mapped_column(Text, default="{}")  # canonical JSON, as hashed
    previous: Mapped[Code]
    digest: Mapped[Code]


class AuditAnchor(Table):
    """The chain's head, kept apart so that cutting the end off is found."""

    __tablename__ = "audit_anchor"

    id: Mapped[int] = mapped_column(primary_key=True)  # always 1
    last_id: Mapped[int]
    count: Mapped[int]
    digest: Mapped[Code]


class Message(Table):
    """A mail to be sent once, and what became of it."""

    __tablename__ = "message"

    id: Mapped[Id]
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    incident_id: Mapped[int | None] = reference("incident.id")
    plan_id: Mapped[int | None] = reference("plan.id")
    entity_id: Mapped[int | None] = reference("entity.id")
    template: Mapped[Code]
    recipient: Mapped[str]
    subject: Mapped[str]
    body: Mapped[LongText]
    tlp: Mapped[Code] = mapped_column(default="AMBER")
    state: Mapped[Code] = mapped_column(default="waiting")  # waiting sent failed withheld
    detail: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class Document(Table):
    """A report that was produced: same inputs, same bytes."""

    __tablename__ = "document"

    id: Mapped[Id]
    report: Mapped[Code] = mapped_column(index=True)
    title: Mapped[str]
    period: Mapped[Code] = mapped_column(default="")
    format: Mapped[Code]  # html pdf xlsx
    arguments: Mapped[JsonDict]
    sha256: Mapped[Code]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    made_by_id: Mapped[int | None] = reference("person.id")
    made_at: Mapped[datetime] = mapped_column(index=True)


class SavedView(Table):
    """A person's named set of filters on a list."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("user_id", "page", "name"),)

    id: Mapped[Id]
    user_id: Mapped[int] = reference("person.id")
    page: Mapped[Code]
    name: Mapped[Code]
    query: Mapped[LongText]
    options: Mapped[JsonList]
