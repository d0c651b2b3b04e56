"""Plain builders with good defaults: each adds a row and gives it back, flushed."""

import itertools
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from cgii.base.ids import incident_code
from cgii.model.entities import Entity
from cgii.model.incidents import Incident
from cgii.model.people import ENTITY_ROLES, Role, User
from cgii.model.table import Table
from cgii.store.act import Act
from cgii.store.audit import AuditTrail

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)  # a Friday, 10:00 in La Paz
_numbers = itertools.count(1)


Row = TypeVar("Row", bound=Table)


def _add(session: Session, row: Row) -> Row:
    session.add(row)
    session.flush()  # callers want the id
    return row


def make_entity(session: Session, **given: Any) -> Entity:
    """A ministry of the central level unless told otherwise."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "code": f"{number:04d}",
        "name": f"Ministerio de Pruebas {number}",
        "acronym": f"MP{number}",
        "kind": "ministry",
        "level": "central",
        "created_at": NOW,
    }
    return _add(session, Entity(**values | given))


def make_user(session: Session, role: Role = Role.ANALYST, **given: Any) -> User:
    """A person of that role; an entity's person gets an entity of their own unless given."""
    number = next(_numbers)
    if role in ENTITY_ROLES and "entity_id" not in given:
        given["entity_id"] = make_entity(session).id
    values: dict[str, Any] = {
        "email": f"persona{number}@example.bo",
        "name": f"Persona {number}",
        "role": role,
        "password_hash": "",
        "created_at": NOW,
    }
    return _add(session, User(**values | given))


def make_incident(session: Session, **given: Any) -> Incident:
    """An open incident of medium severity, received at NOW."""
    number = next(_numbers)
    if "entity_id" not in given:
        given["entity_id"] = make_entity(session).id
    values: dict[str, Any] = {
        "code": incident_code(2026, number),
        "year": 2026,
        "number": number,
        "title": f"Incidente de prueba {number}",
        "origin": "manual",
        "severity": "medio",
        "severity_facts": {},
        "failed_controls": [],
        "received_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return _add(session, Incident(**values | given))


def make_act(session: Session, user: User | None = None, **given: Any) -> Act:
    """A deed at NOW with a trail of its own key."""
    values: dict[str, Any] = {"now": NOW, "trail": AuditTrail(b"tests"), "user": user}
    return Act(session, **values | given)
