"""The frame around every route: limits, headers, one answer to every error, one commit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.testclient import TestClient

from cgii.base import limits
from cgii.base.errors import Conflict, Unavailable
from cgii.model.people import Draft, Role, User
from cgii.web.access import public, require
from cgii.web.answers import redirect
from cgii.web.deps import CurrentAct, CurrentUser
from cgii.web.health import problems
from tests.event_oracle import make_event
from tests.make import make_user
from tests.make_web import Pages, make_centre, make_pages
from tests.unit.cli.test_read_only import bound_by_modes

MEGABYTE = 1024 * 1024


@pytest.fixture
def admin(pages: Pages) -> User:
    with pages.centre.database.transaction() as session:
        return make_user(session, Role.ADMINISTRATOR)


def add_route(pages: Pages, endpoint: object, *, method: str = "GET", guard: object = None) -> None:
    app = pages.client.app
    assert isinstance(app, FastAPI)
    app.add_api_route("/prueba", endpoint, methods=[method], dependencies=[guard or public()])


def test_every_answer_has_the_security_headers(pages: Pages) -> None:
    for path in ("/entrar", "/no-existe", "/static/cgii.css", "/api/v1/openapi.json"):
        headers = pages.visit().get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-request-id"]


def test_a_page_is_never_kept_and_a_marked_file_is(pages: Pages) -> None:
    assert pages.visit().get("/entrar").headers["cache-control"] == "no-store"
    marked = pages.visit().get("/static/cgii.css?v=1").headers["cache-control"]
    assert "immutable" in marked
    assert pages.visit().get("/static/cgii.css").headers["cache-control"] == "no-cache"


def test_a_20_mb_field_is_answered_with_a_sentence(pages: Pages, admin: User) -> None:
    answer = pages.visit(admin).post("/cuenta/clave", data={"current": "x" * 20 * MEGABYTE})

    assert answer.status_code == 413
    assert "demasiado grande" in answer.text


def test_too_large_a_field_below_the_bodys_limit_is_answered_too(pages: Pages, admin: User) -> None:
    long = "x" * (limits.FORM_FIELD_BYTES_MAX + 1)
    for answer in (
        pages.visit(admin).post("/cuenta/clave", data={"current": long}),
        pages.visit(admin).post("/cuenta/clave", files={"current": (None, long)}),
    ):
        assert answer.status_code == 422
        assert "256 KB" in answer.text


def test_a_body_without_a_length_is_counted(pages: Pages) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(3):
            yield b"x" * MEGABYTE

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = pages.visit().post("/entrar", content=chunks(), headers=form)
    assert answer.status_code == 413


def test_the_sensors_route_takes_more_and_no_endless_body(pages: Pages) -> None:
    allowed = pages.visit().post("/api/v1/ingest", content=b"x" * 2 * MEGABYTE)
    refused = pages.visit().post("/api/v1/ingest", content=b"x" * (limits.BATCH_BYTES_MAX + 1))

    assert allowed.status_code == 401
    assert refused.status_code == 413
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_fault_of_ours_is_a_page_without_its_inside(pages: Pages) -> None:
    def broken() -> None:
        raise RuntimeError("secret detail")

    add_route(pages, broken)
    answer = pages.visit().get("/prueba")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert answer.headers["x-request-id"] in answer.text


def test_an_error_is_a_page_a_toast_or_json(pages: Pages) -> None:
    def busy() -> None:
        raise Unavailable("La base está ocupada.")

    add_route(pages, busy)
    page = pages.visit().get("/prueba")
    toast = pages.visit().get("/prueba", headers={"HX-Request": "true"})
    problem = pages.visit().get("/api/v1/nada")

    assert page.status_code == toast.status_code == 503
    assert "La base está ocupada." in page.text
    assert page.headers["retry-after"] == "5"
    assert "ocupada" in toast.headers["hx-trigger"]
    assert problem.json()["status"] == 404


def test_a_failing_commit_is_not_answered_as_success(pages: Pages, admin: User) -> None:
    def twice(request: Request, act: CurrentAct, user: CurrentUser) -> Response:
        for _ in range(2):  # the second breaks a unique constraint, and only when it is written
            act.session.add(Draft(user_id=user.id, form="x", values={}, saved_at=act.now))
        return redirect(request, "/")

    add_route(pages, twice, method="POST", guard=require("account"))
    assert pages.visit(admin).post("/prueba").status_code == 500


def test_an_error_rolls_back_what_was_done_before(pages: Pages, admin: User) -> None:
    def half(act: CurrentAct, user: CurrentUser) -> None:
        act.session.get_one(User, user.id).name = "otro"
        act.session.flush()  # it is in the database, not committed
        raise Conflict("Cambió.")

    add_route(pages, half, method="POST", guard=require("account"))
    assert pages.visit(admin).post("/prueba").status_code == 409
    with pages.centre.database.reading() as session:
        assert session.get_one(User, admin.id).name == admin.name


def test_a_get_cannot_write(pages: Pages, admin: User) -> None:
    def sneaky(act: CurrentAct, user: CurrentUser) -> dict[str, str]:
        act.session.get_one(User, user.id).name = "otro"
        return {}

    add_route(pages, sneaky, guard=require("account"))
    pages.visit(admin).get("/prueba")
    with pages.centre.database.reading() as session:
        assert session.get_one(User, admin.id).name == admin.name


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://127.0.0.1:8000"}, 303),
    ],
)
def test_another_site_cannot_make_a_browser_post(
    pages: Pages, admin: User, headers: dict[str, str], status: int
) -> None:
    answer = pages.visit(admin).post(
        "/cuenta/preferencias", data={"theme": "dark"}, headers=headers
    )
    assert answer.status_code == status


def test_a_form_needs_the_token_of_its_own_session(pages: Pages, admin: User) -> None:
    browser, other = pages.visit(admin), pages.visit(admin)
    own, foreign = browser.headers.pop("X-CSRF-Token"), other.headers["X-CSRF-Token"]

    def send(**more: str) -> int:
        return browser.post("/cuenta/preferencias", data={"theme": "dark"} | more).status_code

    assert send() == 403
    assert send(csrf=foreign) == 403
    assert send(csrf=own) == 303


def test_what_was_typed_stands_on_the_error_page_but_no_password(pages: Pages, admin: User) -> None:
    browser = pages.visit(admin)
    del browser.headers["X-CSRF-Token"]
    answer = browser.post(
        "/cuenta/clave", data={"note": "dos horas de trabajo", "password": "abc1"}
    )

    assert "dos horas de trabajo" in answer.text
    assert "abc1" not in answer.text


def test_metrics_are_for_this_machine_or_an_administrator(pages: Pages, admin: User) -> None:
    app = pages.client.app
    outside = TestClient(app, base_url="http://127.0.0.1:8000", client=("203.0.113.9", 1),
                         follow_redirects=False)  # fmt: skip

    assert outside.get("/metrics").status_code == 303
    pages.sign_in(outside, admin)
    assert "cgii_requests_total" in outside.get("/metrics").text


def test_readiness_says_what_is_missing(pages: Pages) -> None:
    assert pages.visit().get("/healthz").status_code == 200
    answer = pages.visit().get("/readyz")
    assert answer.status_code == 503  # this record was made without the migrations
    assert answer.json()["problems"] == ["database: schema is not current"]


def test_one_file_of_events_that_cannot_be_used_leaves_the_centre_ready(pages: Pages) -> None:
    (pages.centre.settings.data / "events" / "events-2026-08.sqlite").mkdir()
    assert pages.visit().get("/readyz").json()["problems"] == ["database: schema is not current"]


def test_a_file_of_this_month_that_cannot_be_written_is_told(pages: Pages) -> None:
    now = pages.centre.clock()
    folder = pages.centre.settings.data / "events"
    (folder / f"events-{now:%Y-%m}.sqlite").mkdir()
    told = pages.visit().get("/readyz")
    assert (told.status_code, told.json()["problems"][1:]) == (503, ["events: read-only"])


def test_a_read_only_file_of_this_month_is_told(pages: Pages) -> None:
    now = pages.centre.clock()
    pages.centre.events.write([make_event(1, received_at=now)])
    (pages.centre.settings.data / "events" / f"events-{now:%Y-%m}.sqlite").chmod(0o400)
    with bound_by_modes():
        assert problems(pages.centre)[1:] == ["events: read-only"]


def test_a_person_cannot_ask_without_end(
    pages: Pages, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUESTS_PER_MINUTE_MAX", 3)
    browser = pages.visit(admin)
    answers = [browser.get("/borradores/x").status_code for _ in range(8)]

    assert 429 in answers


def test_cookies_behind_tls_have_the_host_prefix(tmp_path: Path) -> None:
    centre = make_centre(tmp_path / "tls", secure_cookies=True)
    pages = make_pages(centre)
    with centre.database.transaction() as session:
        make_user(session, Role.ANALYST)
    answer = pages.visit().post("/salir")
    centre.close()

    assert answer.headers["set-cookie"].startswith("__Host-cgii=")
    assert "Secure" in answer.headers["set-cookie"]
    assert "strict-transport-security" in answer.headers
