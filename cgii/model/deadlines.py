"""Deadlines: what is due, by whom, when; met or missed once."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.model.incidents import Incident
from cgii.model.table import Code, Id, JsonDict, JsonList, Table, reference


class Deadline(Table):
    """One running, met or missed clock of an incident. The policy is frozen in it."""

    __tablename__ = "deadline"
    __table_args__ = (
        UniqueConstraint("incident_id", "policy_id"),
        Index("ix_deadline_open_due", "ended_at", "due_at"),
        # Boards read clocks from these two alone, without the frozen policies.
        Index(
            "ix_deadline_clock",
            "stage",
            "party",
            "regime",
            "incident_id",
            "due_at",
            "met_at",
            "missed_at",
            "ended_at",
            "paused_at",
            "paused_seconds",
        ),
        Index(
            "ix_deadline_outcome",
            "due_at",
            "party",
            "stage",
            "met_at",
            "missed_at",
            "ended_at",
            "paused_at",
            "incident_id",
        ),
    )

    id: Mapped[Id]
    incident_id: Mapped[int] = reference("incident.id")
    policy_id: Mapped[Code]  # of playbooks/deadlines.yml
    policy: Mapped[JsonDict]  # the policy as it stood when the clock started
    regime: Mapped[Code]  # centre bolivia nis2 chile_21663
    stage: Mapped[Code]  # of model.incidents.STAGES: what must have happened
    party: Mapped[Code]  # who owes it: centre entity third_party
    label: Mapped[str]
    is_statutory: Mapped[bool] = mapped_column(default=False)  # never pauses
    started_at: Mapped[datetime]
    due_at: Mapped[datetime]
    paused_at: Mapped[datetime | None]
    paused_seconds: Mapped[int] = mapped_column(default=0)
    warned: Mapped[JsonList]  # per cents told already
    met_at: Mapped[datetime | None]
    missed_at: Mapped[datetime | None]  # the breach: stamped once, never taken back
    ended_at: Mapped[datetime | None]  # met, or no longer owed (closed, merged)

    incident: Mapped[Incident] = relationship()
