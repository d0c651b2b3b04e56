"""The frame's own pages do what they say."""

from starlette.testclient import TestClient

from cgii.model.entities import Entity
from cgii.model.people import Role
from cgii.model.records import Sensor
from tests.make import make_entity, make_user
from tests.make_web import Pages


def browser(pages: Pages, role: Role = Role.ADMINISTRATOR) -> TestClient:
    with pages.centre.database.transaction() as session:
        user = make_user(session, role)
    return pages.visit(user)


def test_an_entity_is_registered_found_opened_and_exported(pages: Pages) -> None:
    admin = browser(pages)
    sent = {"code": "0042", "name": "Ministerio Ñandú", "acronym": "MÑ", "kind": "ministry",
            "level": "central", "networks": "200.87.1.0/24"}  # fmt: skip
    assert admin.post("/entidades/nueva", data=sent).headers["location"] == "/entidades/0042"

    assert "Ministerio Ñandú" in admin.get("/entidades?q=ñandú").text
    assert "200.87.1.0/24" in admin.get("/entidades/0042/panel").text
    assert "Ministerio Ñandú" in admin.get("/entidades?formato=csv").content.decode("utf-8-sig")
    assert admin.get("/entidades?formato=xlsx").content.startswith(b"PK")


def test_a_wrong_form_comes_back_with_what_was_typed(pages: Pages) -> None:
    answer = browser(pages).post("/entidades/nueva", data={"code": "1", "name": "A <b> & «c»"})

    assert answer.status_code == 422
    assert 'value="A &lt;b&gt; &amp; «c»"' in answer.text
    assert answer.text.count("Este dato es obligatorio.") == 6  # three fields, and above the form


def test_a_stale_form_is_a_conflict_that_shows_what_was_typed(pages: Pages) -> None:
    admin = browser(pages)
    with pages.centre.database.transaction() as session:
        entity = make_entity(session)
    sent = {"name": "Mi versión", "acronym": "X", "kind": "ministry", "level": "central"}
    first = admin.post(f"/entidades/{entity.code}/editar", data=sent | {"version": "1"})
    second = admin.post(f"/entidades/{entity.code}/editar", data=sent | {"version": "1"})

    assert (first.status_code, second.status_code) == (303, 409)
    assert "Mi versión" in second.text


def test_htmx_gets_the_content_without_the_frame(pages: Pages) -> None:
    text = browser(pages).get("/entidades", headers={"HX-Request": "true"}).text

    assert "<html" not in text
    assert 'id="list"' in text


def test_closing_an_entity_can_be_undone(pages: Pages) -> None:
    admin = browser(pages)
    with pages.centre.database.transaction() as session:
        entity = make_entity(session)
    answer = admin.post(f"/entidades/{entity.code}/cerrar")
    assert "reabrir" in answer.headers["set-cookie"]
    admin.post(f"/entidades/{entity.code}/reabrir")
    with pages.centre.database.reading() as session:
        assert session.get_one(Entity, entity.id).is_active


def test_a_new_accounts_password_works_once_and_must_be_changed(pages: Pages) -> None:
    admin = browser(pages)
    sent = {"email": "nueva@x.bo", "name": "Nueva Persona", "role": "analyst"}
    page = admin.post("/administracion/personas/nueva", data=sent).text
    password = page.split('id="secret">')[1].split("<")[0]

    person = pages.visit()
    answer = person.post("/entrar", data={"email": "nueva@x.bo", "password": password})
    assert answer.status_code == 303
    assert person.get("/").headers["location"] == "/cuenta/clave"


def test_a_sensors_token_is_shown_once_and_revoked(pages: Pages) -> None:
    admin = browser(pages)
    page = admin.post("/administracion/sensores/nuevo", data={"name": "sensor-1"}).text
    token = page.split('id="secret">')[1].split("<")[0]

    assert token.startswith("cgii_")
    assert token not in admin.get("/administracion/sensores").text
    with pages.centre.database.reading() as session:
        sensor = session.query(Sensor).one()
        assert token not in sensor.token_hash
    admin.post(f"/administracion/sensores/{sensor.id}/revocar")
    with pages.centre.database.reading() as session:
        assert session.get_one(Sensor, sensor.id).revoked_at is not None


def test_settings_are_shown_without_secrets(pages: Pages) -> None:
    text = browser(pages).get("/administracion").text

    assert "CGII_MAIL_PASSWORD" in text
    assert "sin definir" in text


def test_the_audit_chain_is_verified_on_request(pages: Pages) -> None:
    admin = browser(pages)
    admin.post("/administracion/sensores/nuevo", data={"name": "sensor-1"})

    assert "se sostiene completa" in admin.get("/administracion/auditoria/verificar").text
    assert "sensor.invited" in admin.get("/administracion/auditoria").text


def test_a_draft_is_kept_read_and_dropped(pages: Pages) -> None:
    person = browser(pages, Role.ANALYST)
    saved = person.post("/borradores/notice:new", data={"values": '{"title": "medio escrito"}'})
    assert saved.status_code == 204
    assert person.get("/borradores/notice:new").json()["values"] == {"title": "medio escrito"}

    person.post("/borradores/notice:new/descartar")
    assert person.get("/borradores/notice:new").json()["values"] == {}
    assert person.post("/borradores/x", data={"values": "[1"}).status_code == 422


def test_the_search_of_the_top_bar_finds_by_kind(pages: Pages) -> None:
    analyst = browser(pages, Role.ANALYST)
    with pages.centre.database.transaction() as session:
        make_entity(session, name="Servicio de Aguas")

    assert "Servicio de Aguas" in analyst.get("/buscar?q=aguas").text
    assert "No se encontró nada" in analyst.get("/buscar?q=zzzzz").text


def test_every_part_of_the_interface_can_be_drawn(pages: Pages) -> None:
    for accept in ("es", "en"):
        admin = browser(pages)
        admin.post("/cuenta/preferencias", data={"language": accept})
        assert admin.get("/ayuda/componentes").status_code == 200
