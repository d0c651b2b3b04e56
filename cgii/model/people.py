"""People who sign in, their sessions, drafts, and the counters that slow guessing down."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.model.entities import Entity
from cgii.model.table import Code, Id, JsonDict, Name, Table, reference


class Role(StrEnum):
    """What a person may do; the table of rights is web/access.py."""

    ANALYST = "analyst"
    COORDINATOR = "coordinator"
    REVIEWER = "reviewer"
    MANAGEMENT = "management"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    REPORTER = "reporter"  # of an entity (RSI)
    OFFICER = "officer"  # of an entity: writes the plan (RSI)
    MAE = "mae"  # of an entity: approves the plan


ENTITY_ROLES = frozenset({Role.REPORTER, Role.OFFICER, Role.MAE})


class User(Table):
    """An account. An entity's people have `entity_id`, the centre's have none."""

    __tablename__ = "person"

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)  # canonical: stripped, case-folded
    name: Mapped[Name]
    role: Mapped[Code] = mapped_column(index=True)
    entity_id: Mapped[int | None] = reference("entity.id")
    password_hash: Mapped[str]  # argon2id; empty: cannot sign in with a password
    must_change_password: Mapped[bool] = mapped_column(default=False)
    totp_secret: Mapped[str] = mapped_column(default="")  # encrypted; empty: not enrolled
    totp_last_step: Mapped[int] = mapped_column(default=0)  # a code works once
    is_active: Mapped[bool] = mapped_column(default=True)
    language: Mapped[Code] = mapped_column(default="es")
    theme: Mapped[Code] = mapped_column(default="auto")  # auto light dark
    density: Mapped[Code] = mapped_column(default="dense")  # dense comfortable
    created_at: Mapped[datetime]
    last_sign_in_at: Mapped[datetime | None]
    entity: Mapped[Entity | None] = relationship()


class WebSession(Table):
    """A signed-in browser. The cookie has a secret, this row its hash; deleting signs out."""

    __tablename__ = "web_session"

    id: Mapped[Id]
    token_hash: Mapped[Code] = mapped_column(unique=True)
    user_id: Mapped[int] = reference("person.id")
    csrf_token: Mapped[Code]
    is_second_factor_done: Mapped[bool] = mapped_column(default=False)
    address: Mapped[Code] = mapped_column(default="")
    user_agent: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    user: Mapped[User] = relationship()


class Attempts(Table):
    """Counted attempts of one kind by one subject in one window: shared by all processes."""

    __tablename__ = "attempts"

    id: Mapped[Id]
    subject: Mapped[str] = mapped_column(unique=True)  # "sign-in:account:…", "sign-in:address:…"
    count: Mapped[int] = mapped_column(default=0)
    window_ends_at: Mapped[datetime] = mapped_column(index=True)


class Draft(Table):
    """What a person has typed into a form and not sent yet, so that nothing typed is lost."""

    __tablename__ = "draft"
    __table_args__ = (UniqueConstraint("user_id", "form"),)

    id: Mapped[Id]
    user_id: Mapped[int] = reference("person.id")
    form: Mapped[str]  # "notice:new", "incident:12:close"
    values: Mapped[JsonDict]
    saved_at: Mapped[datetime]
