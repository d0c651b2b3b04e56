"""Public entities, their networks and domains, and the persons named to duties there."""

from datetime import date, datetime

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from cgii.model.table import Code, Id, LongText, Name, Table, reference


class Entity(Table):
    """A public entity. `kind` and `level` are codes of reference/entities.yml."""

    __tablename__ = "entity"

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)  # number in the institutional classifier
    name: Mapped[Name]
    acronym: Mapped[Code] = mapped_column(index=True)
    kind: Mapped[Code] = mapped_column(index=True)  # ministry, decentralised, municipality, …
    level: Mapped[Code] = mapped_column(index=True)  # central control territorial university
    sector: Mapped[Code] = mapped_column(default="", index=True)
    department: Mapped[Code] = mapped_column(default="")
    parent_id: Mapped[int | None] = reference("entity.id")
    is_active: Mapped[bool] = mapped_column(default=True)
    on_state_network: Mapped[bool] = mapped_column(default=False)
    note: Mapped[LongText]
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    networks: Mapped[list["EntityNetwork"]] = relationship(
        back_populates="entity", cascade="all, delete-orphan"
    )
    domains: Mapped[list["EntityDomain"]] = relationship(
        back_populates="entity", cascade="all, delete-orphan"
    )
    contacts: Mapped[list["Contact"]] = relationship(
        back_populates="entity", cascade="all, delete-orphan"
    )

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own name


class EntityNetwork(Table):
    """A network in CIDR notation that an entity uses; overlaps are allowed and listed."""

    __tablename__ = "entity_network"
    __table_args__ = (UniqueConstraint("entity_id", "cidr"),)

    id: Mapped[Id]
    entity_id: Mapped[int] = reference("entity.id")
    cidr: Mapped[Code]
    note: Mapped[str] = mapped_column(default="")
    entity: Mapped[Entity] = relationship(back_populates="networks")


class EntityDomain(Table):
    """A domain that an entity owns, with everything below it."""

    __tablename__ = "entity_domain"

    id: Mapped[Id]
    entity_id: Mapped[int] = reference("entity.id")
    domain: Mapped[str] = mapped_column(unique=True)  # lower case, no trailing dot
    entity: Mapped[Entity] = relationship(back_populates="domains")


class Contact(Table):
    """A person named to a duty: MAE, RSI, CSI or TIC, by an official letter (CITE)."""

    __tablename__ = "contact"
    __table_args__ = (Index("ix_contact_entity_duty", "entity_id", "duty"),)

    id: Mapped[Id]
    entity_id: Mapped[int] = reference("entity.id")
    duty: Mapped[Code]  # mae rsi csi tic
    name: Mapped[Name]
    position: Mapped[str] = mapped_column(default="")
    email: Mapped[str] = mapped_column(default="")
    phone: Mapped[Code] = mapped_column(default="")
    cite: Mapped[Code] = mapped_column(default="")
    since: Mapped[date]
    until: Mapped[date | None]
    entity: Mapped[Entity] = relationship(back_populates="contacts")
