"""Facts stand once in an incident, and hostile ones are refused."""

import pytest
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, Invalid
from cgii.respond.observables import add_observables, observe
from tests.make import make_act, make_incident
from tests.unit.respond.cases import analyst_act


def test_a_fact_is_added_once(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    observe(act, incident, "ip", " 203.0.113.9 ", note="origen")
    with pytest.raises(Conflict):
        observe(act, incident, "ip", "203.0.113.9")
    assert add_observables(act, incident, [("ip", "203.0.113.9"), ("ip", "203.0.113.10")]) == 1


@pytest.mark.parametrize(
    ("kind", "value", "tlp"),
    [("planet", "Mars", None), ("ip", " ", None), ("ip", "x" * 401, None), ("ip", "x", "PINK")],
)
def test_what_is_no_fact_is_refused(
    session: Session, kind: str, value: str, tlp: str | None
) -> None:
    with pytest.raises(Invalid):
        observe(analyst_act(session), make_incident(session), kind, value, tlp=tlp)


def test_unknown_kinds_of_a_rule_are_left_out(session: Session) -> None:
    found = [("planet", "Mars"), ("ip", ""), ("domain", "x.example"), ("domain", "x.example")]
    assert add_observables(make_act(session), make_incident(session), found) == 1
