"""Runs of playbooks and their steps; the playbook's text is frozen in the run."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.model.table import Code, Id, JsonDict, LongText, Table, reference


class Run(Table):
    """One playbook walked for one incident."""

    __tablename__ = "run"

    id: Mapped[Id]
    incident_id: Mapped[int] = reference("incident.id")
    playbook_id: Mapped[Code]  # CACAO id: playbook--<uuid>
    playbook_name: Mapped[str]
    playbook: Mapped[JsonDict]  # the CACAO document as it stood
    state: Mapped[Code] = mapped_column(
        default="running", index=True
    )  # running done failed stopped
    variables: Mapped[JsonDict]
    reason: Mapped[LongText]  # why it failed or was stopped
    started_by_id: Mapped[int | None] = reference("person.id")
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    steps: Mapped[list["Step"]] = relationship(
        back_populates="run", order_by="Step.id", cascade="all, delete-orphan"
    )

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own name


class Step(Table):
    """One step reached in a run. A finished step is never repeated."""

    __tablename__ = "step"
    __table_args__ = (UniqueConstraint("run_id", "step_id", "visit"),)

    id: Mapped[Id]
    run_id: Mapped[int] = reference("run.id")
    step_id: Mapped[Code]  # CACAO id: action--<uuid>
    visit: Mapped[int] = mapped_column(default=1)  # a loop comes by again
    kind: Mapped[Code]  # start end action if-condition
    name: Mapped[str] = mapped_column(default="")
    instruction: Mapped[LongText]  # what the person is asked to do
    state: Mapped[Code] = mapped_column(default="waiting")  # waiting done failed
    outcome: Mapped[LongText]  # what the person wrote, or which branch was true
    owner_id: Mapped[int | None] = reference("person.id")
    started_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by_id: Mapped[int | None] = reference("person.id")
    run: Mapped[Run] = relationship(back_populates="steps")
