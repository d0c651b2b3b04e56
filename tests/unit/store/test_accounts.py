"""Accounts: one per mailbox, of the right side, closed at once."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cgii.base.errors import Invalid
from cgii.model.people import Role, User, WebSession
from cgii.store.accounts import UserForm, change_user, close_user, create_user, reset_password
from tests.make import NOW, make_act, make_entity, make_user


def sign_in(session: Session, user: User) -> None:
    session.add(
        WebSession(
            token_hash=str(user.id), user_id=user.id, csrf_token="x", created_at=NOW, seen_at=NOW,
            expires_at=NOW,
        )
    )  # fmt: skip


def sessions(session: Session) -> int:
    return session.scalar(select(func.count(WebSession.id))) or 0


def test_one_mailbox_has_one_account_whatever_its_spelling(session: Session) -> None:
    user = create_user(make_act(session), UserForm(" Ana@X.Bo", "Ana", Role.ANALYST), "hash")

    assert user.email == "ana@x.bo"
    assert user.must_change_password
    with pytest.raises(Invalid) as caught:
        create_user(make_act(session), UserForm("ANA@x.bo", "Ana", Role.ANALYST), "hash")
    assert caught.value.field == "email"


@pytest.mark.parametrize("email", ["ana", "ana@", "@x.bo", "a na@x.bo", "ana@x"])
def test_what_is_no_address_is_refused(session: Session, email: str) -> None:
    with pytest.raises(Invalid):
        create_user(make_act(session), UserForm(email, "Ana", Role.ANALYST), "hash")


def test_an_entitys_person_needs_an_entity_and_the_centres_has_none(session: Session) -> None:
    entity = make_entity(session)
    act = make_act(session)

    with pytest.raises(Invalid):
        create_user(act, UserForm("a@x.bo", "Ana", Role.REPORTER), "hash")
    with pytest.raises(Invalid):
        create_user(act, UserForm("a@x.bo", "Ana", Role.ANALYST, entity.code), "hash")
    user = create_user(act, UserForm("a@x.bo", "Ana", Role.REPORTER, entity.code), "hash")
    assert user.entity_id == entity.id


def test_another_function_signs_the_person_out(session: Session) -> None:
    user = make_user(session, Role.ANALYST)
    sign_in(session, user)
    change_user(make_act(session), user, UserForm(user.email, "Otro nombre", Role.ANALYST))
    assert sessions(session) == 1
    change_user(make_act(session), user, UserForm(user.email, "Otro nombre", Role.AUDITOR))
    assert sessions(session) == 0


def test_a_closed_account_is_signed_out_and_nobody_closes_their_own(session: Session) -> None:
    user, admin = make_user(session), make_user(session, Role.ADMINISTRATOR)
    sign_in(session, user)
    close_user(make_act(session, admin), user)

    assert not user.is_active
    assert sessions(session) == 0
    with pytest.raises(Invalid):
        close_user(make_act(session, admin), admin)


def test_a_temporary_password_takes_the_second_factor_away(session: Session) -> None:
    user = make_user(session, totp_secret="x")
    reset_password(make_act(session), user, "other")

    assert (user.password_hash, user.totp_secret, user.must_change_password) == ("other", "", True)
