"""The portal in use: one notice per press, receipts that hold, requests answered, files kept."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from cgii.model.entities import Entity
from cgii.model.incidents import EntityRequest, Evidence, Incident, Notice
from cgii.model.people import Draft, Role, User
from cgii.respond.requests import ask
from cgii.respond.timeline import comment
from cgii.store.sensors import enrol_sensor
from tests.make import make_entity, make_user
from tests.make_web import Pages, make_centre, make_pages

NOTICE = {
    "title": "Correo falso pide claves",
    "description": "Llegó a toda la unidad esta mañana.",
    "noticed_at": "2024-11-20T08:30",
    "affected": "Correo institucional",
    "contact_name": "Ana Quispe",
    "contact_email": "ana@example.bo",
    "tlp": "AMBER",
    "service_impact": "unknown",
    "personal_data": "unknown",
    "request_key": "una-vez",
}
BODY = {
    "title": "Barrido de puertos",
    "description": "Desde una dirección de fuera.",
    "noticed_at": "2024-11-20T12:30:00Z",
    "affected": "Red perimetral",
    "contact_name": "Turno",
    "contact_phone": "70000000",
    "observables": [["ip", "203.0.113.9"]],
}


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    centre = make_centre(tmp_path)
    yield make_pages(centre)
    centre.close()


@pytest.fixture
def entity(pages: Pages) -> Entity:
    with pages.centre.database.transaction() as session:
        return make_entity(session)


@pytest.fixture
def reporter(pages: Pages, entity: Entity) -> User:
    with pages.centre.database.transaction() as session:
        return make_user(session, Role.REPORTER, entity_id=entity.id, email="rsi@example.bo")


@pytest.fixture
def stranger(pages: Pages) -> TestClient:
    with pages.centre.database.transaction() as session:
        user = make_user(session, Role.REPORTER)
    return pages.visit(user)


@pytest.fixture
def browser(pages: Pages, reporter: User) -> TestClient:
    return pages.visit(reporter)


def filed(browser: TestClient, **given: str) -> str:
    """File a notice; the address of its receipt."""
    answer = browser.post("/portal/reportar", data=NOTICE | given)
    assert answer.status_code == 303, answer.text[:2000]
    return str(answer.headers["location"])


def case_of(pages: Pages) -> str:
    """The code of the only case."""
    with pages.centre.database.reading() as session:
        return session.scalars(select(Incident)).one().code


def asked(pages: Pages, question: str) -> int:
    """The centre asks something about the only case; the request's id."""
    with pages.centre.database.transaction() as session:
        act = pages.centre.act(session, make_user(session, Role.ANALYST))
        incident = session.scalars(select(Incident)).one()
        return ask(act, incident, question, act.now + timedelta(days=1)).id


def count(pages: Pages, table: type) -> int:
    """How many rows a table has."""
    with pages.centre.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


# --- reporting ----------------------------------------------------------------------------------
def test_a_notice_gives_a_receipt_with_number_and_hash(pages: Pages, browser: TestClient) -> None:
    receipt = filed(browser)
    page = browser.get(receipt).text

    with pages.centre.database.reading() as session:
        notice = session.scalars(select(Notice)).one()
    assert receipt == f"/portal/constancias/{notice.code}"
    assert notice.code in page
    assert notice.content_sha256 in page
    assert "coincide con la huella" in page


def test_a_receipts_content_has_the_hash_that_it_names(browser: TestClient) -> None:
    receipt = filed(browser)

    content = browser.get(f"{receipt}/contenido")

    assert hashlib.sha256(content.content).hexdigest() in browser.get(receipt).text
    assert orjson.loads(content.content)["form"]["title"] == NOTICE["title"]


def test_a_double_click_files_one_notice(pages: Pages, browser: TestClient) -> None:
    files = {"file": ("captura.png", b"imagen", "image/png")}
    first = browser.post("/portal/reportar", data=NOTICE, files=files)
    second = browser.post("/portal/reportar", data=NOTICE, files=files)

    assert first.headers["location"] == second.headers["location"]
    assert count(pages, Notice) == count(pages, Incident) == count(pages, Evidence) == 1


def test_the_same_page_sent_again_with_another_text_asks_before_filing_twice(
    pages: Pages, browser: TestClient
) -> None:
    filed(browser)
    answer = browser.post("/portal/reportar", data=NOTICE | {"title": "Otra cosa"})

    assert answer.status_code == 409
    assert "ya fue presentado" in answer.text
    assert 'value="Otra cosa"' in answer.text
    assert 'value="una-vez"' not in answer.text  # sent again, it is a notice of its own
    assert count(pages, Notice) == 1


def test_everything_that_is_missing_is_said_at_once_and_typed_text_is_kept(
    pages: Pages, browser: TestClient
) -> None:
    answer = browser.post("/portal/reportar", data={"title": "Solo esto", "request_key": "k"})

    assert answer.status_code == 422
    for name in ("description", "noticed_at", "affected", "contact_name"):
        assert f'href="#f-{name}"' in answer.text
    assert 'value="Solo esto"' in answer.text
    assert count(pages, Notice) == 0


def test_an_empty_file_is_refused_and_nothing_is_filed(pages: Pages, browser: TestClient) -> None:
    files = {"file": ("vacio.txt", b"", "text/plain")}
    answer = browser.post("/portal/reportar", data=NOTICE, files=files)

    assert answer.status_code == 422
    assert "El archivo está vacío." in answer.text
    assert count(pages, Notice) == 0


def test_several_files_are_kept_with_their_hashes(pages: Pages, browser: TestClient) -> None:
    answer = browser.post(
        "/portal/reportar",
        data=NOTICE,
        files=[("file", ("a.txt", b"uno")), ("file", ("../b.txt", b"dos"))],
    )
    page = browser.get(answer.headers["location"]).text

    assert hashlib.sha256(b"uno").hexdigest()[:16] in page
    assert "b.txt" in page
    assert "../b.txt" not in page
    with pages.centre.database.reading() as session:
        evidence = session.scalars(select(Evidence)).first()
    assert evidence is not None
    download = browser.get(f"/evidencias/{evidence.id}")
    assert download.content == b"uno"
    assert download.headers["content-disposition"].startswith("attachment")


def test_a_filed_notice_leaves_no_draft(pages: Pages, browser: TestClient, reporter: User) -> None:
    browser.post("/borradores/notice:new", data={"values": '{"title": "a medias"}'})
    assert count(pages, Draft) == 1
    filed(browser)

    assert count(pages, Draft) == 0


def test_technical_facts_find_their_kind(pages: Pages, browser: TestClient) -> None:
    filed(browser, observables="203.0.113[.]7\nhxxp://malo.example/x\nmalo.example")

    with pages.centre.database.reading() as session:
        notice = session.scalars(select(Notice)).one()
    assert notice.content["form"]["observables"] == [
        ["ip", "203.0.113.7"],
        ["url", "http://malo.example/x"],
        ["domain", "malo.example"],
    ]


# --- following a case ---------------------------------------------------------------------------
def test_a_case_shows_what_was_shared_and_nothing_else(pages: Pages, browser: TestClient) -> None:
    filed(browser)
    with pages.centre.database.transaction() as session:
        act = pages.centre.act(session, make_user(session, Role.ANALYST))
        incident = session.scalars(select(Incident)).one()
        comment(act, incident, "Sospechamos del proveedor.", shared=False)
        comment(act, incident, "Aísle el equipo.", shared=True)

    page = browser.get(f"/portal/casos/{case_of(pages)}").text

    assert "Aísle el equipo." in page
    assert "Sospechamos" not in page


def test_a_request_waits_at_home_until_it_is_answered_with_a_file(
    pages: Pages, browser: TestClient
) -> None:
    filed(browser)
    request_id = asked(pages, "Remita el registro del correo.")
    code = case_of(pages)
    assert "Remita el registro del correo." in browser.get("/portal").text

    answer = browser.post(
        f"/portal/casos/{code}/pedidos/{request_id}",
        data={"answer": "Va adjunto."},
        files={"file": ("correo.log", b"linea", "text/plain")},
    )

    assert answer.status_code == 303
    page = browser.get(f"/portal/casos/{code}").text
    assert "Va adjunto." in page
    assert "correo.log" in page
    assert "Remita el registro" not in browser.get("/portal").text


def test_an_empty_answer_is_told_beside_its_field(pages: Pages, browser: TestClient) -> None:
    filed(browser)
    request_id = asked(pages, "¿Cuántos equipos?")

    answer = browser.post(
        f"/portal/casos/{case_of(pages)}/pedidos/{request_id}", data={"answer": "  "}
    )

    assert answer.status_code == 422
    assert "Escriba la respuesta." in answer.text


def test_an_entity_adds_to_its_case_by_itself(pages: Pages, browser: TestClient) -> None:
    filed(browser)
    url = f"/portal/casos/{case_of(pages)}"

    assert browser.post(f"{url}/aportes", data={}).status_code == 422
    assert browser.post(f"{url}/aportes", data={"text": "Volvió a pasar."}).status_code == 303
    assert "Volvió a pasar." in browser.get(url).text


def test_the_list_of_cases_is_exported(browser: TestClient) -> None:
    filed(browser)

    answer = browser.get("/portal/casos?formato=csv")

    assert NOTICE["title"] in answer.text
    assert "Nuevo" in answer.text


def test_a_second_entity_finds_none_of_it(
    pages: Pages, browser: TestClient, stranger: TestClient
) -> None:
    receipt = filed(browser)
    request_id = asked(pages, "¿Cuántos equipos?")
    browser.post(
        f"/portal/casos/{case_of(pages)}/aportes",
        data={"text": "x"},
        files={"file": ("a.txt", b"uno")},
    )
    case = f"/portal/casos/{case_of(pages)}"

    for url in (receipt, f"{receipt}/pdf", f"{receipt}/contenido", case, f"{case}/ficha"):
        assert stranger.get(url).status_code == 404, url
    assert stranger.get("/evidencias/1").status_code == 404
    for url in (f"{case}/pedidos/{request_id}", f"{case}/aportes"):
        assert stranger.post(url, data={"answer": "x", "text": "x"}).status_code == 404, url
    assert NOTICE["title"] not in stranger.get("/portal/casos").text
    with pages.centre.database.reading() as session:
        assert session.get_one(EntityRequest, request_id).answered_at is None


def test_an_entitys_sensors_are_its_own(
    pages: Pages, entity: Entity, browser: TestClient, stranger: TestClient
) -> None:
    with pages.centre.database.transaction() as session:
        enrol_sensor(pages.centre.act(session), "sensor-uno", session.get(Entity, entity.id))

    assert "sensor-uno" in browser.get("/portal/sensores").text
    assert "Nunca oído" in browser.get("/portal/sensores").text
    assert "sensor-uno" not in stranger.get("/portal/sensores").text


def test_a_new_entity_is_told_what_will_appear(browser: TestClient) -> None:
    assert "Nada pendiente" in browser.get("/portal").text
    assert "Todavía no hay casos" in browser.get("/portal/casos").text
    assert "Ningún sensor" in browser.get("/portal/sensores").text
    assert "todavía no tiene un plan" in browser.get("/portal/plan").text


# --- reporting by program -----------------------------------------------------------------------
@pytest.fixture
def token(pages: Pages, entity: Entity) -> str:
    with pages.centre.database.transaction() as session:
        act = pages.centre.act(session)
        return enrol_sensor(act, "sensor-uno", session.get(Entity, entity.id))[1]


def send(pages: Pages, token: str, body: object, key: str = "k1") -> tuple[int, dict[str, object]]:
    """POST a body with a token and a key; status and answer."""
    answer = pages.visit().post(
        "/api/v1/notices",
        content=body if isinstance(body, bytes) else orjson.dumps(body),
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": key},
    )
    return answer.status_code, orjson.loads(answer.content)


def test_a_program_reports_once_per_key(pages: Pages, entity: Entity, token: str) -> None:
    first, second = send(pages, token, BODY), send(pages, token, BODY)

    assert first[0] == second[0] == 201
    assert first[1] == second[1]
    with pages.centre.database.reading() as session:
        notice = session.scalars(select(Notice)).one()
    assert (notice.code, notice.content_sha256) == (first[1]["code"], first[1]["content_sha256"])
    assert (notice.entity_id, notice.channel) == (entity.id, "api")


def test_a_key_used_for_another_content_is_a_conflict(pages: Pages, token: str) -> None:
    send(pages, token, BODY)
    status, told = send(pages, token, BODY | {"title": "Otro"})

    assert status == 409
    assert "otro contenido" in str(told["detail"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({k: v for k, v in BODY.items() if k != "title"}, "title"),
        (BODY | {"noticed_at": "ayer"}, "noticed_at"),
        (BODY | {"tlp": "ROSA"}, "tlp"),
        (BODY | {"entity_id": 1}, "entity_id"),
        (BODY | {"observables": "x"}, "observables"),
    ],
)
def test_a_programs_mistakes_are_sentences_by_field(
    pages: Pages, token: str, body: object, field: str
) -> None:
    status, told = send(pages, token, body)

    assert status == 422
    problems = told["problems"]
    assert isinstance(problems, dict)
    assert "{" not in problems[field]
    assert count(pages, Notice) == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"title": "\\u0000"}', b""])
def test_a_body_that_is_no_notice_is_refused(pages: Pages, token: str, body: bytes) -> None:
    assert send(pages, token, body)[0] == 422


def test_a_program_needs_a_token_and_a_key(pages: Pages, token: str) -> None:
    assert send(pages, "cgii_falso", BODY)[0] == 401
    status, told = send(pages, token, BODY, key=" ")
    assert status == 422
    assert "Idempotency-Key" in str(told["detail"])


def test_a_sensor_of_the_centre_reports_for_nobody(pages: Pages) -> None:
    with pages.centre.database.transaction() as session:
        token = enrol_sensor(pages.centre.act(session), "propio", None)[1]

    assert send(pages, token, BODY)[0] == 403
