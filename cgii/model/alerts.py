"""Alerts, the groups they fold into, and the state of correlations between batches."""

from datetime import datetime

from sqlalchemy import Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.table import Code, Id, JsonDict, JsonList, LongText, Table, reference


class AlertGroup(Table):
    """Alerts of one rule and one key, folded into one row of the desk."""

    __tablename__ = "alert_group"
    __table_args__ = (
        Index("ix_alert_group_fold", "rule_id", "key_hash", "last_at"),
        Index("ix_alert_group_state_last", "state", "last_at"),
    )

    id: Mapped[Id]
    rule_id: Mapped[Code]
    rule_title: Mapped[str]
    rule_kind: Mapped[Code]
    level: Mapped[Code]  # the rule's: informational low medium high critical
    severity: Mapped[Code] = mapped_column(index=True)  # ours: bajo medio alto muy_alto critico
    key_hash: Mapped[Code]
    key: Mapped[JsonList]  # [[field, value], …]
    key_text: Mapped[str]  # "source.ip=203.0.113.9", for search and display
    entity_id: Mapped[int | None] = reference("entity.id")
    attribution: Mapped[Code] = mapped_column(default="")  # sensor network domain; "" = unknown
    source: Mapped[Code] = mapped_column(default="")
    summary: Mapped[str] = mapped_column(default="")
    tags: Mapped[JsonList]
    rsit_class: Mapped[Code] = mapped_column(default="")
    rsit_type: Mapped[Code] = mapped_column(default="")
    observables: Mapped[JsonList]  # [[kind, value], …]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime] = mapped_column(index=True)  # the list of all alerts, newest first
    created_at: Mapped[datetime] = mapped_column(index=True)
    alert_count: Mapped[int] = mapped_column(default=0)
    event_count: Mapped[int] = mapped_column(default=0)
    state: Mapped[Code] = mapped_column(default="new")  # new taken joined dismissed
    owner_id: Mapped[int | None] = reference("person.id")
    taken_at: Mapped[datetime | None]
    incident_id: Mapped[int | None] = reference("incident.id")
    verdict: Mapped[Code] = mapped_column(default="")  # true_positive false_positive benign
    verdict_reason: Mapped[LongText]
    decided_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    entity: Mapped[Entity | None] = relationship()
    owner: Mapped[User | None] = relationship()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own name


class AlertRow(Table):
    """One raw alert; its id is deterministic, so examining a batch twice adds nothing."""

    __tablename__ = "alert"

    id: Mapped[Code] = mapped_column(primary_key=True)
    group_id: Mapped[int] = reference("alert_group.id")
    at: Mapped[datetime]
    created_at: Mapped[datetime]
    event_count: Mapped[int]
    event_ids: Mapped[JsonList]
    explanation: Mapped[JsonList]  # [[selection, field, value, wanted], …]
    summary: Mapped[str] = mapped_column(default="")


class CorrelationWindow(Table):
    """What one correlation remembers about one key between batches."""

    __tablename__ = "correlation_window"

    key_hash: Mapped[Code] = mapped_column(primary_key=True)
    rule_id: Mapped[Code] = mapped_column(index=True)
    version: Mapped[Code]  # of what the rule counts; a rule that counts otherwise begins anew
    key: Mapped[JsonList]  # [entity id, value, …]
    state: Mapped[str] = mapped_column(Text)
    last_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    due_at: Mapped[datetime | None] = mapped_column(index=True)  # when time alone decides something
    expires_at: Mapped[datetime] = mapped_column(index=True)  # from then on it cannot matter


class CorrelationLoss(Table):
    """What one correlation could not take into account, since the centre began."""

    __tablename__ = "correlation_loss"

    rule_id: Mapped[Code] = mapped_column(primary_key=True)
    late_count: Mapped[int] = mapped_column(default=0)  # events that came too late
    evicted_count: Mapped[int] = mapped_column(default=0)  # events thrown out at a limit
    missing_count: Mapped[int] = mapped_column(default=0)  # events without a group-by field
    last_at: Mapped[datetime]


class Attribution(Table):
    """An address or name whose entity nobody knows, or that two entities claim."""

    __tablename__ = "attribution"

    id: Mapped[Id]
    value: Mapped[str] = mapped_column(unique=True)
    problem: Mapped[Code]  # unknown overlap
    candidates: Mapped[JsonDict]
    seen_count: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
