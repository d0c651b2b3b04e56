"""Signing in: told apart by nobody, slowed down, ended everywhere."""

from datetime import timedelta

import pyotp
import time_machine
from sqlalchemy import select
from starlette.testclient import TestClient

from cgii.base import clock, limits
from cgii.model.people import Role, User, WebSession
from cgii.web.passwords import hash_password, seal
from tests.make import make_user
from tests.make_web import Pages

PASSWORD = "tres llamas cruzan el salar"
HASH = hash_password(PASSWORD)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def person(pages: Pages, **given: object) -> User:
    with pages.centre.database.transaction() as session:
        return make_user(session, Role.ANALYST, password_hash=HASH, **given)


def enter(browser: TestClient, email: str, password: str = PASSWORD) -> int:
    return browser.post("/entrar", data={"email": email, "password": password}).status_code


def test_the_right_password_opens_a_session(pages: Pages) -> None:
    user = person(pages)
    browser = pages.visit()

    assert enter(browser, f"  {user.email.upper()} ") == 303
    assert browser.get("/cuenta").status_code == 200
    set_cookie = pages.visit().post("/entrar", data={"email": user.email, "password": PASSWORD})
    cookie = set_cookie.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_unknown_wrong_and_closed_accounts_are_answered_alike(pages: Pages) -> None:
    user = person(pages)
    closed = person(pages, is_active=False)
    answers = []
    for email, password in (
        (user.email, "otra cosa"),
        ("nadie@example.bo", PASSWORD),
        (closed.email, PASSWORD),
    ):
        answer = pages.visit().post("/entrar", data={"email": email, "password": password})
        answers.append((answer.status_code, answer.text.replace(email, "")))

    assert answers[0] == answers[1] == answers[2]
    assert "no son correctos" in answers[0][1]


def test_guessing_is_slowed_down_per_account_whatever_its_spelling(pages: Pages) -> None:
    user = person(pages)
    for number in range(limits.SIGN_IN_TRIES_MAX):
        email = user.email.upper() if number % 2 else f" {user.email}"
        assert enter(pages.visit(), email, "mal") == 422

    assert enter(pages.visit(), user.email) == 403  # even with the right password
    with time_machine.travel(clock.now() + timedelta(seconds=limits.SIGN_IN_WINDOW_SECONDS + 60)):
        assert enter(pages.visit(), user.email) == 303


def test_success_takes_back_its_own_attempt_of_a_shared_address(pages: Pages) -> None:
    users = [person(pages) for _ in range(limits.SIGN_IN_TRIES_MAX + 2)]

    assert {enter(pages.visit(), user.email) for user in users} == {303}


def test_the_session_is_new_at_sign_in(pages: Pages) -> None:
    user = person(pages)
    browser = pages.visit()
    browser.cookies.set("cgii", "planted")
    enter(browser, user.email)

    assert "planted" not in [cookie.value for cookie in browser.cookies.jar if cookie.domain]
    attacker = pages.visit()
    attacker.cookies.set("cgii", "planted")
    assert attacker.get("/cuenta").status_code == 303


def test_with_a_second_factor_the_password_alone_opens_nothing(pages: Pages) -> None:
    user = person(pages, totp_secret=seal(pages.centre.secret, SECRET))
    browser = pages.visit()
    enter(browser, user.email)

    assert browser.get("/cuenta").headers["location"].startswith("/entrar")
    assert "Código de verificación" in browser.get("/entrar").text
    assert browser.post("/entrar/codigo", data={"code": "000000"}).status_code == 422
    code = pyotp.TOTP(SECRET).at(clock.now())
    assert browser.post("/entrar/codigo", data={"code": code}).status_code == 303
    assert browser.get("/cuenta").status_code == 200

    again = pages.visit()
    enter(again, user.email)
    assert again.post("/entrar/codigo", data={"code": code}).status_code == 422


def test_codes_cannot_be_tried_without_end(pages: Pages) -> None:
    user = person(pages, totp_secret=seal(pages.centre.secret, SECRET))
    browser = pages.visit()
    enter(browser, user.email)
    for _ in range(limits.SIGN_IN_TRIES_MAX):
        browser.post("/entrar/codigo", data={"code": "000000"})

    code = pyotp.TOTP(SECRET).at(clock.now())
    assert browser.post("/entrar/codigo", data={"code": code}).status_code == 403


def test_a_session_ends_when_idle_and_when_old(pages: Pages) -> None:
    user = person(pages)
    browser = pages.visit()
    enter(browser, user.email)
    idle = timedelta(hours=limits.SESSION_IDLE_HOURS_MAX, minutes=1)

    with time_machine.travel(clock.now() + idle):
        assert browser.get("/cuenta").status_code == 303
    with time_machine.travel(clock.now() + timedelta(hours=limits.SESSION_HOURS_MAX, minutes=1)):
        assert browser.get("/cuenta").status_code == 303


def test_leaving_ends_the_session_on_the_server(pages: Pages) -> None:
    user = person(pages)
    browser = pages.visit()
    enter(browser, user.email)
    kept = dict(browser.cookies)
    browser.post("/salir")

    thief = pages.visit()
    thief.cookies.update(kept)
    assert thief.get("/cuenta").status_code == 303


def test_a_changed_password_ends_all_other_sessions(pages: Pages) -> None:
    user = person(pages)
    elsewhere, here = pages.visit(user), pages.visit(user)
    new = "el condor pasa por la ventana"
    answer = here.post(
        "/cuenta/clave", data={"current": PASSWORD, "password": new, "repeated": new}
    )

    assert answer.status_code == 303
    assert here.get("/cuenta").status_code == 200
    assert elsewhere.get("/cuenta").status_code == 303
    assert enter(pages.visit(), user.email, new) == 303


def test_a_temporary_password_opens_nothing_but_its_change(pages: Pages) -> None:
    browser = pages.visit(person(pages, must_change_password=True))

    assert browser.get("/").headers["location"] == "/cuenta/clave"
    assert browser.get("/entidades").status_code == 403
    assert browser.get("/cuenta/clave").status_code == 200


def test_a_closed_account_is_out_at_once(pages: Pages) -> None:
    user = person(pages)
    browser = pages.visit(user)
    assert browser.get("/cuenta").status_code == 200
    with pages.centre.database.transaction() as session:
        session.get_one(User, user.id).is_active = False

    assert browser.get("/cuenta").status_code == 303


def test_a_second_factor_is_enrolled_with_its_first_code(pages: Pages) -> None:
    user = person(pages)
    browser, elsewhere = pages.visit(user), pages.visit(user)
    page = browser.get("/cuenta/segundo-factor").text
    sealed = page.split('name="sealed" value="')[1].split('"')[0]
    grouped = page.split('class="secret">')[1].split("<")[0]

    assert "data:image/svg+xml" in page
    wrong = browser.post("/cuenta/segundo-factor", data={"sealed": sealed, "code": "000000"})
    assert wrong.status_code == 422
    code = pyotp.TOTP(grouped.replace(" ", "")).at(clock.now())
    right = browser.post("/cuenta/segundo-factor", data={"sealed": sealed, "code": code})
    assert right.status_code == 303
    assert browser.get("/cuenta").status_code == 200
    assert elsewhere.get("/cuenta").status_code == 303


def test_nobody_is_sent_to_another_site_after_signing_in(pages: Pages) -> None:
    user = person(pages)
    for bad in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"):
        answer = pages.visit().post(
            "/entrar", data={"email": user.email, "password": PASSWORD, "volver": bad}
        )
        assert answer.headers["location"] == "/entrar"


def test_the_token_is_stored_as_a_hash(pages: Pages) -> None:
    user = person(pages)
    browser = pages.visit()
    enter(browser, user.email)

    with pages.centre.database.reading() as session:
        row = session.scalars(select(WebSession)).one()
        assert browser.cookies["cgii"] not in (row.token_hash, row.csrf_token)
