"""Registering entities: what is wrong is told at its field, what changes is audited."""

from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, Invalid
from cgii.model.entities import Entity
from cgii.model.records import AuditEntry
from cgii.store.entities import (
    ContactForm,
    EntityForm,
    change_entity,
    name_contact,
    register_entity,
)
from tests.make import make_act, make_entity

FORM = EntityForm(
    name="Ministerio de Prueba",
    acronym="MP",
    kind="ministry",
    level="central",
    networks="200.87.10.7/24 Sede central\n\n2001:db8::/32",
    domains="Prueba.GOB.bo. www.prueba.gob.bo",
)


def form(**changes: object) -> EntityForm:
    return EntityForm(**{**FORM.__dict__, **changes})  # type: ignore[arg-type]


def test_networks_and_domains_are_stored_in_one_spelling(session: Session) -> None:
    entity = register_entity(make_act(session), "0042", FORM)

    assert [(row.cidr, row.note) for row in entity.networks] == [
        ("200.87.10.0/24", "Sede central"),
        ("2001:db8::/32", ""),
    ]
    assert [row.domain for row in entity.domains] == ["prueba.gob.bo", "www.prueba.gob.bo"]
    assert session.scalars(select(AuditEntry.action)).all() == ["entity.registered"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("networks", "300.1.2.3/24"),
        ("domains", "no es dominio"),
        ("domains", "-x.bo"),
        ("kind", "castillo"),
        ("department", "Lima"),
    ],
)
def test_what_is_wrong_is_told_at_its_field(session: Session, field: str, value: str) -> None:
    with pytest.raises(Invalid) as caught:
        register_entity(make_act(session), "0042", form(**{field: value}))
    assert caught.value.field == field


def test_a_code_is_given_once(session: Session) -> None:
    register_entity(make_act(session), "0042", FORM)
    with pytest.raises(Invalid) as caught:
        register_entity(make_act(session), "0042", form(domains=""))
    assert caught.value.field == "code"


def test_a_domain_has_one_owner(session: Session) -> None:
    register_entity(make_act(session), "0042", FORM)
    with pytest.raises(Invalid) as caught:
        register_entity(make_act(session), "0043", FORM)
    assert "Ministerio de Prueba" in str(caught.value)


def test_an_older_form_does_not_overwrite_a_newer_entity(session: Session) -> None:
    entity = register_entity(make_act(session), "0042", FORM)
    session.flush()  # the version is given on writing
    seen = entity.version
    change_entity(make_act(session), entity, form(name="Primero"), version=seen)
    session.flush()  # as above

    with pytest.raises(Conflict):
        change_entity(make_act(session), entity, form(name="Segundo"), version=seen)
    assert entity.name == "Primero"


def test_a_network_that_stays_keeps_its_row(session: Session) -> None:
    entity = register_entity(make_act(session), "0042", FORM)
    session.flush()  # so that the rows have ids
    before = entity.networks[0].id
    change_entity(
        make_act(session), entity, form(networks="200.87.10.0/24 Otra sede"), version=entity.version
    )
    session.flush()  # what left is deleted

    assert [(row.id, row.note) for row in entity.networks] == [(before, "Otra sede")]


def test_a_new_person_in_a_duty_ends_the_earlier_one(session: Session) -> None:
    entity: Entity = make_entity(session)
    act = make_act(session)
    first = name_contact(act, entity, ContactForm("rsi", "Ana", date(2025, 1, 1)))
    name_contact(act, entity, ContactForm("rsi", "Luis", date(2026, 1, 1)))

    assert first.until == date(2026, 1, 1)
    assert [row.name for row in entity.contacts if row.until is None] == ["Luis"]
