"""Accounts of the demonstration: one for each role to sign in with, and the staff behind them."""

import random
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from cgii.demo import names
from cgii.model.entities import Entity
from cgii.model.people import Role, User

CENTRE_DOMAIN = "cgii.example"
STAFF = (
    (Role.ANALYST, "analista"),
    (Role.COORDINATOR, "coordinacion"),
    (Role.REVIEWER, "revision"),
    (Role.MANAGEMENT, "direccion"),
    (Role.ADMINISTRATOR, "administracion"),
    (Role.AUDITOR, "auditoria"),
)
HOME = (  # the people of the entity that visitors play
    (Role.REPORTER, "rsi"),
    (Role.OFFICER, "seguridad"),
    (Role.MAE, "mae"),
)
ANALYSTS = 6


@dataclass(frozen=True)
class DemoAccount:
    """An account to sign in with."""

    role: str
    email: str
    password: str


@dataclass(frozen=True)
class Staff:
    """Who acts in the demonstration's history."""

    analysts: tuple[User, ...]
    reviewers: tuple[User, ...]
    reporter: User  # of the entity that visitors play


def build_people(
    session: Session,
    random_: random.Random,
    now: datetime,
    *,
    entities: list[Entity],
    home: Entity,
    password_hash: str,
) -> Staff:
    """Add the staff, and a reporter and an officer for every entity."""

    def add(role: Role, email: str, entity: Entity | None = None) -> User:
        user = User(
            email=email,
            name=names.person(random_),
            role=role,
            entity_id=entity.id if entity else None,
            password_hash=password_hash,
            created_at=now,
        )
        session.add(user)
        return user

    staff = {role: add(role, f"{label}@{CENTRE_DOMAIN}") for role, label in STAFF}
    analysts = [staff[Role.ANALYST]]
    analysts += [
        add(Role.ANALYST, f"analista{number}@{CENTRE_DOMAIN}") for number in range(2, ANALYSTS + 1)
    ]
    reviewers = [staff[Role.REVIEWER], add(Role.REVIEWER, f"revision2@{CENTRE_DOMAIN}")]
    domain = home.domains[0].domain
    own = {role: add(role, f"{label}@{domain}", home) for role, label in HOME}
    session.flush()  # the history names people by their ids
    # Nobody signs in as these; they stand for the entities' own people.
    others = [
        {
            "email": f"rsi@{entity.domains[0].domain}",
            "name": names.person(random_),
            "role": Role.REPORTER,
            "entity_id": entity.id,
            "password_hash": "",
            "created_at": now,
        }
        for entity in entities
        if entity.id != home.id
    ]
    session.execute(insert(User), others)
    return Staff(tuple(analysts), tuple(reviewers), own[Role.REPORTER])
