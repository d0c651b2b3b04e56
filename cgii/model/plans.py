"""Institutional security plans (PISI): draft, filing, review, decision, follow-up, scores."""

from datetime import date, datetime

from sqlalchemy import Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.sealed import seal
from cgii.model.table import Code, Id, JsonDict, JsonList, LongText, Table, reference

PLAN_STATES = (
    "draft",
    "ready",  # the officer says it is complete; the MAE is asked
    "approved",  # by the MAE
    "filed",
    "in_review",
    "observed",
    "answered",
    "decided",
    "valid",
    "expired",
    "superseded",
    "revoked",
)


class Plan(Table):
    """One entity's plan for a period. Its statements are the working draft until filed."""

    __tablename__ = "plan"
    __table_args__ = (UniqueConstraint("entity_id", "year"),)

    id: Mapped[Id]
    entity_id: Mapped[int] = reference("entity.id")
    year: Mapped[int] = mapped_column(index=True)  # gestión
    framework: Mapped[Code]  # urn and version of reference/controls.yml
    state: Mapped[Code] = mapped_column(default="draft", index=True)
    scope: Mapped[LongText]
    roles: Mapped[JsonDict]  # mae, rsi, csi: name, position, cite
    risk_method: Mapped[Code] = mapped_column(default="")
    assets: Mapped[JsonList]
    risks: Mapped[JsonList]
    approval_cite: Mapped[Code] = mapped_column(default="")  # the MAE's resolution
    approved_at: Mapped[datetime | None]
    filed_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    outcome: Mapped[Code] = mapped_column(default="")
    valid_until: Mapped[date | None]
    reminded: Mapped[JsonList]  # days before the end of validity that were told already
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    entity: Mapped[Entity] = relationship()
    statements: Mapped[list["ControlStatement"]] = relationship(
        back_populates="plan", cascade="all, delete-orphan", order_by="ControlStatement.control"
    )
    submissions: Mapped[list["Submission"]] = relationship(
        back_populates="plan", order_by="Submission.number"
    )

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own name


class ControlStatement(Table):
    """What the plan says of one control: applies, how far it is, who does what until when."""

    __tablename__ = "control_statement"
    __table_args__ = (UniqueConstraint("plan_id", "control"),)

    id: Mapped[Id]
    plan_id: Mapped[int] = reference("plan.id")
    control: Mapped[Code]  # code in reference/controls.yml, such as "3.2"
    applies: Mapped[bool | None]  # None: not answered yet
    reason: Mapped[LongText]  # why it does not apply
    status: Mapped[Code] = mapped_column(default="")  # none planned partial implemented
    maturity: Mapped[int | None]  # 0–5
    target: Mapped[int | None]  # 0–5
    statement: Mapped[LongText]
    responsible: Mapped[str] = mapped_column(default="")
    due_on: Mapped[date | None]
    incident_answer: Mapped[LongText]  # what it does about incidents that named this control
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
    plan: Mapped[Plan] = relationship(back_populates="statements")

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own name


class Submission(Table):
    """A filing: immutable canonical JSON with its hash and receipt."""

    __tablename__ = "submission"
    __table_args__ = (UniqueConstraint("plan_id", "number"),)

    id: Mapped[Id]
    plan_id: Mapped[int] = reference("plan.id")
    entity_id: Mapped[int] = reference("entity.id")
    code: Mapped[Code] = mapped_column(unique=True)  # PISI-2026-000042, on the receipt
    number: Mapped[int]  # 1, 2, … of this plan
    content: Mapped[str] = mapped_column(Text)  # canonical JSON (RFC 8785)
    sha256: Mapped[Code]
    previous_sha256: Mapped[Code] = mapped_column(default="")
    filed_by_id: Mapped[int | None] = reference("person.id")
    filed_at: Mapped[datetime] = mapped_column(index=True)
    plan: Mapped[Plan] = relationship(back_populates="submissions")


class Review(Table):
    """One reviewer's reading of one submission."""

    __tablename__ = "review"
    __table_args__ = (UniqueConstraint("submission_id", "reviewer_id"),)

    id: Mapped[Id]
    submission_id: Mapped[int] = reference("submission.id")
    reviewer_id: Mapped[int] = reference("person.id")
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    note: Mapped[LongText]
    reviewer: Mapped[User] = relationship()
    findings: Mapped[list["Finding"]] = relationship(
        back_populates="review", cascade="all, delete-orphan", order_by="Finding.control"
    )


class Finding(Table):
    """A reviewer's verdict on one control: what was verified, what is observed."""

    __tablename__ = "finding"
    __table_args__ = (
        UniqueConstraint("review_id", "control"),
        Index("ix_finding_open", "closed_at"),
    )

    id: Mapped[Id]
    review_id: Mapped[int] = reference("review.id")
    control: Mapped[Code]
    verdict: Mapped[Code]  # conforms observed not_verified
    verified_status: Mapped[Code] = mapped_column(default="")
    verified_maturity: Mapped[int | None]
    note: Mapped[LongText]
    answer: Mapped[LongText]  # the entity's
    answered_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    made_at: Mapped[datetime]
    review: Mapped[Review] = relationship(back_populates="findings")


class Decision(Table):
    """The centre's numbered decision on a submission."""

    __tablename__ = "decision"

    id: Mapped[Id]
    submission_id: Mapped[int] = mapped_column(unique=True)
    plan_id: Mapped[int] = reference("plan.id")
    code: Mapped[Code] = mapped_column(unique=True)
    outcome: Mapped[Code]  # accepted with_conditions returned rejected
    reasons: Mapped[LongText]
    valid_until: Mapped[date | None]
    decided_by_id: Mapped[int | None] = reference("person.id")
    decided_at: Mapped[datetime]
    notified_at: Mapped[datetime | None]


class FollowUp(Table):
    """What an entity did in a year to carry its plan out."""

    __tablename__ = "follow_up"
    __table_args__ = (UniqueConstraint("plan_id", "year"),)

    id: Mapped[Id]
    plan_id: Mapped[int] = reference("plan.id")
    entity_id: Mapped[int] = reference("entity.id")
    year: Mapped[int]
    progress_percent: Mapped[int]
    note: Mapped[LongText]
    cite: Mapped[Code] = mapped_column(default="")
    recorded_by_id: Mapped[int | None] = reference("person.id")
    recorded_at: Mapped[datetime]


class ScoreSnapshot(Table):
    """A plan's scores as they were at filing, at decision, at follow-up; never recomputed."""

    __tablename__ = "score_snapshot"

    id: Mapped[Id]
    plan_id: Mapped[int] = reference("plan.id")
    entity_id: Mapped[int] = reference("entity.id")
    moment: Mapped[Code]  # filed decided follow_up
    taken_at: Mapped[datetime]
    scores: Mapped[JsonDict]  # coverage, strict, optimistic, verified, gap, n, by section


seal(Submission)
seal(Decision, once={"notified_at"})
