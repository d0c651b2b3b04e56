"""Letters about a plan go to its entity, say what they are about, and fill their templates."""

from datetime import date

import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from sqlalchemy.orm import Session

from cgii.base.content import shipped
from cgii.base.errors import NotFound
from cgii.comply.decisions import DecisionForm, decide, notify_decision
from cgii.comply.letters import EVENTS, Letter, notify, plan_letter
from cgii.model.entities import Contact
from tests.make import make_user
from tests.make_plans import make_cast, make_filed, make_read, make_valid

URL = "https://cgii.example.bo/"
TEMPLATES = shipped("playbooks") / "messages"


def fill(letter: Letter) -> str:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    source = (TEMPLATES / letter.template).read_text(encoding="utf-8")
    return environment.from_string(source).render(letter.facts)


@pytest.mark.parametrize("event", EVENTS)
def test_every_letter_fills_its_template(session: Session, event: str) -> None:
    plan, decision = make_valid(make_cast(session))
    detail = {
        "plan_filed": plan.submissions[0].code,
        "plan_observed": plan.submissions[0].code,
        "plan_decided": decision.code,
        "plan_expiring": "30",
    }[event]
    letter = plan_letter(session, plan.id, event, detail=detail, public_url=URL)
    text = fill(letter)
    assert text.startswith("PISI 2026: ")
    assert plan.entity.name in text
    assert f"https://cgii.example.bo/planes/{plan.id}" in text
    assert letter.dedupe_key == f"plan:{plan.id}:{event}:{detail}"


def test_a_decision_is_told_with_its_reasons_and_validity(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    make_read(cast, submission)
    form = DecisionForm("with_conditions", "Registrar bajas en 90 días.", date(2027, 6, 30))
    decision = decide(cast.reviewer, submission, form)
    notify_decision(cast.reviewer, decision)
    text = fill(
        plan_letter(
            session, submission.plan_id, "plan_decided", detail=decision.code, public_url=URL
        )
    )
    assert "Aceptado con condiciones" in text
    assert "Registrar bajas en 90 días." in text
    assert "30 jun 2027" in text
    assert submission.sha256 in text


def test_a_rejection_shows_no_validity(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    make_read(cast, submission)
    decision = decide(cast.reviewer, submission, DecisionForm("rejected", "Es copia."))
    letter = plan_letter(
        session, submission.plan_id, "plan_decided", detail=decision.code, public_url=URL
    )
    assert "Vigente hasta" not in fill(letter)


def test_letters_go_to_the_entitys_present_people_only(session: Session) -> None:
    cast, other = make_cast(session), make_cast(session)
    assert cast.officer.user is not None
    assert cast.mae.user is not None
    for email, duty, until in (
        ("RSI@entidad.example.bo ", "rsi", None),
        ("antes@entidad.example.bo", "rsi", date(2026, 1, 1)),
        ("", "mae", None),
        ("tic@entidad.example.bo", "tic", None),
    ):
        session.add(
            Contact(
                entity_id=cast.entity.id,
                duty=duty,
                name="Persona",
                email=email,
                since=date(2025, 1, 1),
                until=until,
            )
        )
    make_user(session, cast.officer.user.role, entity_id=cast.entity.id, is_active=False)
    submission = make_filed(cast)
    letter = plan_letter(
        session, submission.plan_id, "plan_filed", detail=submission.code, public_url=URL
    )
    assert set(letter.recipients) == {
        "rsi@entidad.example.bo",
        cast.officer.user.email,
        cast.mae.user.email,
    }
    assert letter.entity_id != other.entity.id


def test_a_letter_about_no_plan_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        plan_letter(session, 404, "plan_filed", detail="", public_url=URL)


def test_an_unknown_event_is_our_own_mistake(session: Session) -> None:
    cast = make_cast(session)
    plan = make_filed(cast).plan
    with pytest.raises(AssertionError):
        notify(cast.reviewer, plan, "plan_lost", detail="")
