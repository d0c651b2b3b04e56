"""What the desk works on: groups of alerts, a centre with one attack in its logs."""

import itertools
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from cgii.base.clock import local
from cgii.centre import Centre
from cgii.model.alerts import AlertGroup
from cgii.model.event import Origin, Raw
from cgii.model.incidents import Numbering
from cgii.model.people import Role, User
from cgii.pipeline import take
from tests.make import NOW, make_user
from tests.make_web import Pages

ATTACKER = "203.0.113.9"
_numbers = itertools.count(1)


def number_apart(centre: Centre) -> None:
    """Let cases that are really opened have other numbers than those that builders make up."""
    year = local(centre.clock()).year
    with centre.database.transaction() as session:
        session.add(Numbering(kind="incident", year=year, last=900_000))


def make_group(session: Session, **given: Any) -> AlertGroup:
    """A new group of alerts of a rule of its own."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "rule_id": f"regla-{number}",
        "rule_title": f"Regla de prueba {number}",
        "rule_kind": "sigma",
        "level": "high",
        "severity": "alto",
        "key_hash": f"{number:032x}",
        "key": [["source.ip", ATTACKER]],
        "key_text": f"source.ip={ATTACKER}",
        "tags": [],
        "observables": [["ip", ATTACKER]],
        "first_at": NOW,
        "last_at": NOW,
        "created_at": NOW,
        "alert_count": 1,
        "event_count": 1,
    }
    group = AlertGroup(**values | given)
    session.add(group)
    session.flush()  # callers want the id
    return group


def enter(pages: Pages, role: Role = Role.ANALYST) -> tuple[TestClient, User]:
    """A browser of a person of this role, and the person."""
    with pages.centre.database.transaction() as session:
        user = make_user(session, role)
    return pages.visit(user), user


def attack(centre: Centre) -> str:
    """Put a burst of failed SSH logins through the real pipeline; the attacker's address."""
    number = next(_numbers)
    attacker = f"198.51.100.{number}"
    begin = local(centre.clock() - timedelta(minutes=5))
    lines = [
        f"{begin + timedelta(seconds=place):%b %d %H:%M:%S} srv-web01 sshd[911]: "
        f"Failed password for root from {attacker} port {4000 + place} ssh2"
        for place in range(12)
    ]
    origin = Origin("linux_auth", "test/linux_auth", str(number))
    take(centre, origin, [Raw(place, line.encode()) for place, line in enumerate(lines)])
    return attacker
