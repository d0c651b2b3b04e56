"""Notices from entities, incidents, and all that gathers around an incident."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.table import Code, Id, JsonDict, JsonList, LongText, Table, reference

# The stages of an incident in their usual order; each is a column `<stage>_at` of Incident.
STAGES = (
    "occurred",
    "detected",
    "aware",
    "received",
    "acknowledged",
    "triaged",
    "assigned",
    "entity_notified",
    "entity_answered",
    "contained",
    "eradicated",
    "recovered",
    "resolved",
    "closed",
)
SEVERITIES = ("bajo", "medio", "alto", "muy_alto", "critico")  # in rising order
TLPS = ("CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED")  # in rising order of secrecy
CLOSE_REASONS = (
    "resolved",
    "no_impact",
    "false_positive",
    "duplicate",
    "out_of_scope",
    "no_answer",
)


class Numbering(Table):
    """The last number given in a year for a kind of document; the row's lock makes it gapless."""

    __tablename__ = "numbering"

    kind: Mapped[Code] = mapped_column(primary_key=True)  # incident notice submission decision
    year: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)


class Notice(Table):
    """What an entity told us. `content` is frozen as filed; its hash stands on the receipt."""

    __tablename__ = "notice"

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    entity_id: Mapped[int] = reference("entity.id")
    reporter_id: Mapped[int | None] = reference("person.id")
    channel: Mapped[Code] = mapped_column(default="portal")  # portal api mail phone
    title: Mapped[str]
    content: Mapped[JsonDict]  # the form as filed: fields of respond/intake.py NoticeForm
    content_sha256: Mapped[Code]
    tlp: Mapped[Code] = mapped_column(default="AMBER")
    occurred_at: Mapped[datetime | None]
    noticed_at: Mapped[datetime | None]
    received_at: Mapped[datetime] = mapped_column(index=True)
    incident_id: Mapped[int | None] = reference("incident.id")
    request_key: Mapped[str | None] = mapped_column(unique=True)  # the sender's, for one filing

    entity: Mapped[Entity] = relationship()
    reporter: Mapped[User | None] = relationship()


class Incident(Table):
    """A case. Stages are stamped once; `version` finds two people changing it at once."""

    __tablename__ = "incident"
    __table_args__ = (
        Index("ix_incident_open_due", "closed_at", "next_due_at"),
        Index("ix_incident_class_received", "rsit_class", "received_at"),
        # Boards read a year of cases from this index alone, without the wide rows.
        Index(
            "ix_incident_measure",
            "received_at",
            "is_exercise",
            "merged_into_id",
            "close_reason",
            "rsit_class",
            "kind",
            "severity",
            "origin",
            "entity_id",
            "acknowledged_at",
            "contained_at",
            "resolved_at",
            "closed_at",
            "detected_at",
            "reopened_count",
        ),
        UniqueConstraint("year", "number"),
    )

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    year: Mapped[int]
    number: Mapped[int]
    title: Mapped[str]
    summary: Mapped[LongText]
    entity_id: Mapped[int | None] = reference("entity.id")
    origin: Mapped[Code]  # alert notice manual
    kind: Mapped[Code] = mapped_column(default="incidente")  # incidente vulnerabilidad evento
    rsit_class: Mapped[Code] = mapped_column(default="")
    rsit_type: Mapped[Code] = mapped_column(default="")
    taxonomy_version: Mapped[int] = mapped_column(default=0)
    severity: Mapped[Code] = mapped_column(default="medio", index=True)
    severity_facts: Mapped[JsonDict]
    severity_reason: Mapped[LongText]  # why a person set it otherwise
    tlp: Mapped[Code] = mapped_column(default="AMBER")
    pap: Mapped[Code] = mapped_column(default="AMBER")
    owner_id: Mapped[int | None] = reference("person.id")
    waiting_for: Mapped[Code] = mapped_column(default="")  # "" entity third_party
    is_exercise: Mapped[bool] = mapped_column(default=False)
    merged_into_id: Mapped[int | None] = reference("incident.id")
    reopened_count: Mapped[int] = mapped_column(default=0)
    next_due_at: Mapped[datetime | None]  # of the centre's earliest open deadline: desk order

    occurred_at: Mapped[datetime | None]
    detected_at: Mapped[datetime | None]
    aware_at: Mapped[datetime | None]
    received_at: Mapped[datetime] = mapped_column(index=True)
    acknowledged_at: Mapped[datetime | None]
    triaged_at: Mapped[datetime | None]
    assigned_at: Mapped[datetime | None]
    entity_notified_at: Mapped[datetime | None]
    entity_answered_at: Mapped[datetime | None]
    contained_at: Mapped[datetime | None]
    eradicated_at: Mapped[datetime | None]
    recovered_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]

    close_reason: Mapped[Code] = mapped_column(default="")
    close_note: Mapped[LongText]
    root_cause: Mapped[LongText]
    lessons: Mapped[LongText]
    failed_controls: Mapped[JsonList]  # codes of reference/controls.yml
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    entity: Mapped[Entity | None] = relationship()
    owner: Mapped[User | None] = relationship()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own name


class Entry(Table):
    """A line of an incident's timeline: typed, append-only, shared with the entity on purpose."""

    __tablename__ = "entry"
    __table_args__ = (Index("ix_entry_incident_at", "incident_id", "at"),)

    id: Mapped[Id]
    incident_id: Mapped[int] = reference("incident.id")
    kind: Mapped[Code]  # stage comment classified severity owner request answer evidence mail …
    at: Mapped[datetime]
    author_id: Mapped[int | None] = reference("person.id")  # None: the system
    text: Mapped[LongText]
    data: Mapped[JsonDict]
    is_shared: Mapped[bool] = mapped_column(default=False)
    author: Mapped[User | None] = relationship()


class EntityRequest(Table):
    """Something the centre asks of an entity, with a due date; answered in the portal."""

    __tablename__ = "entity_request"

    id: Mapped[Id]
    incident_id: Mapped[int] = reference("incident.id")
    entity_id: Mapped[int] = reference("entity.id")
    question: Mapped[LongText]
    asked_by_id: Mapped[int | None] = reference("person.id")
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime] = mapped_column(index=True)
    answer: Mapped[LongText]
    answered_by_id: Mapped[int | None] = reference("person.id")
    answered_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    incident: Mapped[Incident] = relationship()


class Observable(Table):
    """A technical fact of an incident: address, domain, hash, URL, mail, account."""

    __tablename__ = "observable"
    __table_args__ = (
        UniqueConstraint("incident_id", "kind", "value"),
        Index("ix_observable_value", "value"),
    )

    id: Mapped[Id]
    incident_id: Mapped[int] = reference("incident.id")
    kind: Mapped[Code]  # ip domain url hash mail user host file
    value: Mapped[str]
    tlp: Mapped[Code] = mapped_column(default="AMBER")
    note: Mapped[str] = mapped_column(default="")
    added_at: Mapped[datetime]


class Evidence(Table):
    """A file kept under its SHA-256, belonging to an incident, a notice or a plan's control."""

    __tablename__ = "evidence"

    id: Mapped[Id]
    entity_id: Mapped[int | None] = reference("entity.id")  # whose it is; None: the centre's
    incident_id: Mapped[int | None] = reference("incident.id")
    notice_id: Mapped[int | None] = reference("notice.id")
    request_id: Mapped[int | None] = reference("entity_request.id")
    plan_id: Mapped[int | None] = reference("plan.id")
    control: Mapped[Code] = mapped_column(default="")  # of the plan
    sha256: Mapped[Code] = mapped_column(index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    file_name: Mapped[str]  # text only, never a path
    note: Mapped[str] = mapped_column(default="")
    tlp: Mapped[Code] = mapped_column(default="AMBER")
    is_shared: Mapped[bool] = mapped_column(default=False)  # with the entity
    valid_until: Mapped[datetime | None]
    added_by_id: Mapped[int | None] = reference("person.id")
    added_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class IncidentControl(Table):
    """A control that an incident showed to have failed: the entity's next plan must answer it."""

    __tablename__ = "incident_control"
    __table_args__ = (UniqueConstraint("incident_id", "control"),)

    id: Mapped[Id]
    incident_id: Mapped[int] = reference("incident.id")
    entity_id: Mapped[int] = reference("entity.id")
    control: Mapped[Code] = mapped_column(index=True)
    named_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(default="")
