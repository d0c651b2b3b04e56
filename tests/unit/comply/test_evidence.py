"""Evidence proves a control while it is valid, and only that."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, InvalidForm, NotFound
from cgii.comply.evidence import (
    attach_evidence,
    evidence_of,
    is_valid,
    lacks_proof,
    withdraw_evidence,
)
from cgii.comply.plans import mark_ready, open_plan
from cgii.comply.statements import statement_of
from cgii.store.files import Stored
from tests.make import NOW
from tests.make_plans import PLANNED, make_cast, make_complete, make_valid, save

FILE = Stored("b" * 64, 2048)


def test_evidence_belongs_to_a_control_of_the_plan(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    evidence = attach_evidence(cast.officer, plan, "3.2", FILE, file_name="altas.pdf", tlp="RED")
    assert (evidence.entity_id, evidence.plan_id, evidence.control) == (
        cast.entity.id,
        plan.id,
        "3.2",
    )
    assert (evidence.sha256, evidence.size_bytes) == ("b" * 64, 2048)
    assert evidence_of(session, plan) == {"3.2": [evidence]}


def test_what_cannot_be_attached_is_said_by_field(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    with pytest.raises(InvalidForm) as caught:
        attach_evidence(
            cast.officer, plan, "3.2", FILE, file_name=" ", valid_until=NOW, tlp="WHITE"
        )
    assert set(caught.value.problems) == {"file_name", "valid_until", "tlp"}
    with pytest.raises(NotFound):
        attach_evidence(cast.officer, plan, "99.9", FILE, file_name="x.pdf")
    with pytest.raises(NotFound):
        attach_evidence(make_cast(session).officer, plan, "3.2", FILE, file_name="x.pdf")


def test_evidence_is_withdrawn_once_and_stays_in_the_record(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    evidence = attach_evidence(cast.officer, plan, "3.2", FILE, file_name="altas.pdf")
    withdraw_evidence(cast.officer, plan, evidence)
    assert evidence.withdrawn_at == NOW
    assert evidence_of(session, plan) == {}
    with pytest.raises(Conflict):
        withdraw_evidence(cast.officer, plan, evidence)


def test_evidence_of_another_plan_is_not_withdrawn_here(session: Session) -> None:
    cast, other = make_cast(session), make_cast(session)
    theirs = open_plan(other.officer, other.entity, 2026)
    evidence = attach_evidence(other.officer, theirs, "3.2", FILE, file_name="x.pdf")
    mine = open_plan(cast.officer, cast.entity, 2026)
    with pytest.raises(Conflict):
        withdraw_evidence(cast.officer, mine, evidence)
    with pytest.raises(NotFound):
        withdraw_evidence(cast.officer, theirs, evidence)
    assert evidence.withdrawn_at is None


def test_a_locked_plan_takes_and_gives_no_evidence(session: Session) -> None:
    cast = make_cast(session)
    plan = make_complete(cast)
    evidence = attach_evidence(cast.officer, plan, "3.2", FILE, file_name="altas.pdf")
    mark_ready(cast.officer, plan)
    with pytest.raises(Conflict):
        attach_evidence(cast.officer, plan, "3.2", FILE, file_name="otras.pdf")
    with pytest.raises(Conflict):
        withdraw_evidence(cast.officer, plan, evidence)


def test_a_plan_in_force_takes_fresh_evidence(session: Session) -> None:
    cast = make_cast(session)
    plan, _decision = make_valid(cast)
    attach_evidence(cast.officer, plan, "3.2", FILE, file_name="renovada.pdf")
    assert set(evidence_of(session, plan)) == {"3.2"}


@pytest.mark.parametrize(
    ("valid_until", "moment", "proven"),
    [
        (None, NOW + timedelta(days=9999), True),
        (NOW + timedelta(days=1), NOW, True),
        (NOW + timedelta(days=1), NOW + timedelta(days=1), False),
    ],
)
def test_implemented_without_valid_evidence_is_shown(
    session: Session, valid_until: datetime | None, moment: datetime, proven: bool
) -> None:
    cast = make_cast(session)
    plan = make_complete(cast)
    statement = statement_of(session, plan, "3.2")
    assert lacks_proof(statement, [], NOW)
    evidence = attach_evidence(
        cast.officer, plan, "3.2", FILE, file_name="altas.pdf", valid_until=valid_until
    )
    assert is_valid(evidence, moment) is proven
    assert lacks_proof(statement, [evidence], moment) is not proven


def test_a_planned_control_needs_no_proof_yet(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    save(cast.officer, plan, "3.2", PLANNED)
    assert not lacks_proof(statement_of(session, plan, "3.2"), [], NOW)
