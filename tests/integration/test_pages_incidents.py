"""An incident's page from first response to closing: every deed, every refusal, nothing lost."""

import re
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cgii.base.clock import LA_PAZ
from cgii.model.incidents import EntityRequest, Entry, Evidence, Incident, IncidentControl
from cgii.model.people import Role
from cgii.web.pages.incident_forms import DEEDS
from tests.make import make_entity, make_incident, make_user
from tests.make_desk import enter, number_apart
from tests.make_web import Pages, make_centre, make_pages

CLASSIFIED = {
    "rsit": "malicious-code.infected-system",
    "service_impact": "unknown",
    "personal_data": "unknown",
    "tlp": "AMBER",
    "pap": "AMBER",
    "kind": "incidente",
}
ENDED = {
    "reason": "resolved",
    "note": "Se limpió el servidor.",
    "root_cause": "Contraseña débil",
    "failed_controls": ["3.1"],
    "lessons": "Segundo factor en todo acceso remoto.",
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    centre = make_centre(tmp_path_factory.mktemp("incidents"))
    number_apart(centre)
    yield make_pages(centre)
    centre.close()


@pytest.fixture
def analyst(pages: Pages) -> TestClient:
    return enter(pages)[0]


@pytest.fixture
def case(pages: Pages) -> Incident:
    with pages.centre.database.transaction() as session:
        return make_incident(session, severity="alto", received_at=pages.centre.clock())


def fresh(pages: Pages, case: Incident) -> Incident:
    with pages.centre.database.reading() as session:
        return session.get_one(Incident, case.id)


def url(case: Incident, rest: str = "") -> str:
    return f"/incidentes/{case.code}{rest}"


def soon(pages: Pages) -> str:
    """A moment of tomorrow as a browser sends it."""
    there = (pages.centre.clock() + timedelta(days=1)).astimezone(LA_PAZ)
    return f"{there:%Y-%m-%dT%H:%M}"


def test_every_section_opens(case: Incident, analyst: TestClient) -> None:
    for section in ("cronologia", "guia", "alertas", "observables", "pedidos", "evidencias",
                    "plazos", "relacionados", "todo"):  # fmt: skip
        answer = analyst.get(url(case, f"?ver={section}"))
        assert answer.status_code == 200, section
        assert case.title in answer.text
    assert analyst.get(url(case, "?ver=otra")).status_code == 404
    assert analyst.get("/incidentes/CGII-1999-000001").status_code == 404


def test_what_may_leave_the_centre_is_offered_as_a_document(
    pages: Pages, case: Incident, analyst: TestClient
) -> None:
    sheet = f"/informes/incidente/{case.code}?formato=pdf"
    assert sheet in analyst.get(url(case)).text
    assert analyst.get(f"/informes/incidente/{case.code}").status_code == 200
    with pages.centre.database.transaction() as session:
        secret = make_incident(session, tlp="RED")
    assert "/informes/incidente/" not in analyst.get(url(secret)).text


def test_every_deed_has_a_page_and_a_drawer(case: Incident, pages: Pages) -> None:
    boss, _ = enter(pages, Role.COORDINATOR)
    for name, words in DEEDS.items():
        assert words.title in boss.get(url(case, f"/{name}")).text
        panel = boss.get(url(case, f"/{name}/panel"), headers={"hx-request": "true"}).text
        assert words.title in panel
        assert "<html" not in panel


def test_taking_it_is_the_first_response(pages: Pages, case: Incident) -> None:
    analyst, user = enter(pages)
    analyst.post(url(case, "/tomar"))

    now = fresh(pages, case)
    assert now.owner_id == user.id
    assert now.acknowledged_at is not None
    analyst.post(url(case, "/devolver"))
    assert fresh(pages, case).owner_id is None


def test_classifying_computes_the_severity_and_another_one_needs_a_reason(
    pages: Pages, case: Incident, analyst: TestClient
) -> None:
    said = analyst.get(
        url(case, "/severidad?rsit=malicious-code.infected-system&personal_data=yes")
    )
    assert "Muy alto" in said.text
    assert "datos personales comprometidos" in said.text

    wrong = analyst.post(url(case, "/clasificar"), data=CLASSIFIED | {"severity": "bajo"})
    assert wrong.status_code == 422
    assert "Indique por qué cambia la severidad calculada." in wrong.text
    assert '<option value="malicious-code.infected-system" selected>' in wrong.text

    analyst.post(url(case, "/clasificar"), data=CLASSIFIED | {"personal_data": "yes"})
    now = fresh(pages, case)
    assert (now.rsit_class, now.rsit_type) == ("malicious-code", "infected-system")
    assert now.severity == "muy_alto"
    assert now.triaged_at is not None


def test_a_class_that_does_not_exist_is_refused_beside_its_field(
    case: Incident, analyst: TestClient
) -> None:
    for sent in ("", "nada", "malicious-code.phishing"):
        answer = analyst.post(url(case, "/clasificar"), data=CLASSIFIED | {"rsit": sent})
        assert answer.status_code == 422
        assert 'id="p-rsit"' in answer.text


def test_whoever_is_overtaken_sees_what_happened_and_keeps_what_they_typed(
    pages: Pages, case: Incident, analyst: TestClient
) -> None:
    form = analyst.get(url(case, "/clasificar")).text
    found = re.search(r'name="version" value="(\d+)"', form)
    assert found is not None
    other, _ = enter(pages)
    other.post(url(case, "/comentarios"), data={"text": "Llamé a la entidad"})

    typed = CLASSIFIED | {"version": found[1], "title": "Lo que yo escribí"}
    answer = analyst.post(url(case, "/clasificar"), data=typed)

    assert answer.status_code == 409
    assert "Otra persona cambió el incidente" in answer.text
    assert "Llamé a la entidad" in answer.text
    assert 'value="Lo que yo escribí"' in answer.text
    # Sent again knowingly, over the version that is now shown, it counts.
    again = re.search(r'name="version" value="(\d+)"', answer.text)
    assert again is not None
    assert analyst.post(url(case, "/clasificar"), data=typed | {"version": again[1]}).is_redirect
    assert fresh(pages, case).title == "Lo que yo escribí"


def test_in_the_drawer_a_wrong_form_comes_back_into_the_drawer(
    case: Incident, analyst: TestClient
) -> None:
    sent = {"party": "entity", "reason": ""}
    answer = analyst.post(url(case, "/esperar"), data=sent, headers={"hx-request": "true"})
    assert answer.status_code == 422
    assert 'id="drawer-title"' in answer.text
    assert "Indique qué se espera." in answer.text
    good = analyst.post(
        url(case, "/esperar"),
        data={"party": "entity", "reason": "el listado"},
        headers={"hx-request": "true"},
    )
    assert good.headers["hx-redirect"] == url(case)


def test_waiting_pauses_and_ends(pages: Pages, case: Incident, analyst: TestClient) -> None:
    analyst.post(url(case, "/esperar"), data={"party": "third_party", "reason": "el proveedor"})
    assert "Espera a un tercero" in analyst.get(url(case)).text
    analyst.post(url(case, "/seguir"))
    assert fresh(pages, case).waiting_for == ""


def test_a_stage_takes_a_moment_and_a_correction_takes_a_reason(
    pages: Pages, case: Incident, analyst: TestClient
) -> None:
    analyst.post(url(case, "/etapa"), data={"stage": "contained", "at": "2026-11-19T08:30"})
    at = fresh(pages, case).contained_at
    assert at is not None
    assert f"{at.astimezone(LA_PAZ):%Y-%m-%d %H:%M}" == "2026-11-19 08:30"

    silent = analyst.post(url(case, "/etapa"), data={"stage": "contained"})
    assert silent.status_code == 422
    assert "Para corregirla indique el motivo." in silent.text
    assert analyst.post(url(case, "/etapa"), data={"stage": ""}).status_code == 422
    future = {"stage": "recovered", "at": "2099-01-01T00:00"}
    assert "no puede estar en el futuro" in analyst.post(url(case, "/etapa"), data=future).text
    assert analyst.post(url(case, "/etapa"), data={"stage": "closed"}).status_code == 409


def test_a_comment_is_shared_only_on_purpose(
    pages: Pages, case: Incident, analyst: TestClient
) -> None:
    analyst.post(url(case, "/comentarios"), data={"text": "Para nosotros"})
    analyst.post(url(case, "/comentarios"), data={"text": "Para ustedes", "shared": "on"})
    with pages.centre.database.reading() as session:
        rows = session.scalars(
            select(Entry).where(Entry.incident_id == case.id, Entry.kind == "comment")
        ).all()
    assert {row.text: row.is_shared for row in rows} == {
        "Para nosotros": False,
        "Para ustedes": True,
    }
    private = next(row for row in rows if not row.is_shared)
    analyst.post(url(case, f"/anotaciones/{private.id}/compartir"))
    with pages.centre.database.reading() as session:
        assert session.get_one(Entry, private.id).is_shared
    empty = analyst.post(url(case, "/comentarios"), data={"text": "  "})
    assert empty.status_code == 422
    assert "Escriba el comentario." in empty.text


def test_the_timeline_narrows_to_one_kind(case: Incident, analyst: TestClient) -> None:
    analyst.post(url(case, "/comentarios"), data={"text": "Nota de turno"})
    assert "Nota de turno" in analyst.get(url(case, "?tipo=comentarios")).text
    assert "Nota de turno" not in analyst.get(url(case, "?tipo=etapas")).text
    assert "Nota de turno" in analyst.get(url(case, "?tipo=loquesea")).text


def test_an_entry_of_another_incident_is_not_reached_through_this_one(
    pages: Pages, case: Incident, analyst: TestClient
) -> None:
    with pages.centre.database.transaction() as session:
        other = make_incident(session)
        entry = Entry(incident_id=other.id, kind="comment", at=pages.centre.clock(), text="x")
        session.add(entry)
        session.flush()  # the id is wanted
        entry_id = entry.id
    assert analyst.post(url(case, f"/anotaciones/{entry_id}/compartir")).status_code == 404


def test_an_entity_is_asked_and_the_request_taken_back(
    pages: Pages, case: Incident, analyst: TestClient
) -> None:
    past = {"question": "¿Siguen los accesos?", "due_at": "2020-01-01T00:00"}
    wrong = analyst.post(url(case, "/pedir"), data=past)
    assert "El plazo debe estar en el futuro." in wrong.text
    assert "¿Siguen los accesos?</textarea>" in wrong.text

    sent = {"question": "¿Siguen los accesos?", "due_at": soon(pages)}
    assert analyst.post(url(case, "/pedir"), data=sent).is_redirect
    assert fresh(pages, case).waiting_for == "entity"
    text = analyst.get(url(case, "?ver=pedidos")).text
    assert "Esperando respuesta" in text
    with pages.centre.database.reading() as session:
        asked = session.scalar(select(EntityRequest.id).where(EntityRequest.incident_id == case.id))
    analyst.post(url(case, f"/pedidos/{asked}/retirar"), data={"reason": "Ya llegó por correo"})
    assert "Retirado" in analyst.get(url(case, "?ver=pedidos")).text
    assert fresh(pages, case).waiting_for == ""


def test_telling_the_entity_needs_an_entity_and_words(pages: Pages, analyst: TestClient) -> None:
    with pages.centre.database.transaction() as session:
        stray = make_incident(session, entity_id=None)
        code = make_entity(session).code
    answer = analyst.post(url(stray, "/notificar"), data={"text": "Se vio un acceso"})
    assert answer.status_code == 422
    assert "Se vio un acceso</textarea>" in answer.text

    assert analyst.post(url(stray, "/entidad"), data={"entity": code}).status_code == 422
    sent = {"entity": code, "reason": "Por la red de origen"}
    assert analyst.post(url(stray, "/entidad"), data=sent).is_redirect
    analyst.post(url(stray, "/notificar"), data={"text": "Se vio un acceso"})
    assert fresh(pages, stray).entity_notified_at is not None


def test_an_observable_is_added_once(pages: Pages, case: Incident, analyst: TestClient) -> None:
    sent = {"kind": "domain", "value": "malo.example"}
    analyst.post(url(case, "/observables"), data=sent)
    assert "malo.example" in analyst.get(url(case, "?ver=observables")).text
    again = analyst.post(url(case, "/observables"), data=sent)
    assert again.status_code == 409
    assert "El incidente ya tiene este dato." in again.text
    assert 'value="malo.example"' in again.text
    assert analyst.post(url(case, "/observables"), data={"kind": "x"}).status_code == 422


def test_evidence_is_kept_by_its_hash_and_comes_back_only_as_a_download(
    pages: Pages, case: Incident, analyst: TestClient
) -> None:
    content = b"<html><script>alert(1)</script>"
    file = {"file": ("../../muestra ñ.html", content, "text/html")}
    analyst.post(url(case, "/evidencias"), files=file, data={"note": "Página alterada"})
    text = analyst.get(url(case, "?ver=evidencias")).text
    assert sha256(content).hexdigest() in text
    assert "muestra ñ.html" in text
    assert "../" not in text.split("Página alterada")[0].rsplit("<article", 1)[1]

    with pages.centre.database.reading() as session:
        kept = session.scalar(select(Evidence).where(Evidence.incident_id == case.id))
    assert kept is not None
    download = analyst.get(f"/evidencias/{kept.id}")
    assert download.content == content
    assert download.headers["content-type"] == "application/octet-stream"
    assert download.headers["content-disposition"].startswith("attachment")
    assert download.headers["x-content-type-options"] == "nosniff"

    analyst.post(url(case, f"/evidencias/{kept.id}/compartir"))
    analyst.post(url(case, f"/evidencias/{kept.id}/retirar"), data={"reason": "Duplicada"})
    text = analyst.get(url(case, "?ver=evidencias")).text
    assert "Retirada" in text
    assert f'href="/evidencias/{kept.id}"' not in text


def test_evidence_without_a_file_or_without_content_is_refused(
    case: Incident, analyst: TestClient
) -> None:
    assert "Elija el archivo." in analyst.post(url(case, "/evidencias")).text
    empty = analyst.post(url(case, "/evidencias"), files={"file": ("nada.txt", b"")})
    assert empty.status_code == 422
    assert "El archivo está vacío." in empty.text


def test_a_severe_case_closes_only_with_what_it_taught(
    pages: Pages, case: Incident, analyst: TestClient
) -> None:
    analyst.post(url(case, "/clasificar"), data=CLASSIFIED)
    thin = analyst.post(url(case, "/cerrar"), data={"reason": "resolved", "note": "Listo"})
    assert thin.status_code == 422
    for words in ("Indique la causa raíz.", "Indique qué se aprendió.",
                  "Indique al menos un control que falló.", "Listo</textarea>"):  # fmt: skip
        assert words in thin.text
    assert fresh(pages, case).closed_at is None

    assert analyst.post(url(case, "/cerrar"), data=ENDED).is_redirect
    assert fresh(pages, case).close_reason == "resolved"
    page = analyst.get(url(case)).text
    assert "Contraseña débil" in page
    with pages.centre.database.reading() as session:
        named = session.scalars(
            select(IncidentControl.control).where(IncidentControl.incident_id == case.id)
        ).all()
    assert named == ["3.1"]


def test_a_closed_case_refuses_work_until_it_is_reopened_with_a_reason(
    pages: Pages, analyst: TestClient
) -> None:
    with pages.centre.database.transaction() as session:
        case = make_incident(session, closed_at=pages.centre.clock(), close_reason="no_impact")
    late = analyst.post(url(case, "/esperar"), data={"party": "entity", "reason": "algo"})
    assert late.status_code == 409
    assert "está cerrado" in late.text
    assert "algo</textarea>" in late.text
    assert analyst.post(url(case, "/reabrir"), data={"reason": ""}).status_code == 422
    analyst.post(url(case, "/reabrir"), data={"reason": "Volvió a ocurrir"})
    now = fresh(pages, case)
    assert now.closed_at is None
    assert "Reabierto 1 vez" in analyst.get(url(case)).text


def test_open_requests_stop_the_closing(pages: Pages, case: Incident, analyst: TestClient) -> None:
    analyst.post(url(case, "/clasificar"), data=CLASSIFIED)
    analyst.post(url(case, "/pedir"), data={"question": "¿Y?", "due_at": soon(pages)})
    answer = analyst.post(url(case, "/cerrar"), data=ENDED)
    assert answer.status_code == 422
    assert "Hay pedidos a la entidad sin respuesta" in answer.text


def test_only_a_coordinator_assigns(pages: Pages, case: Incident, analyst: TestClient) -> None:
    with pages.centre.database.transaction() as session:
        other = make_user(session)
    sent = {"owner": str(other.id)}
    assert analyst.get(url(case, "/asignar")).status_code == 403
    assert analyst.post(url(case, "/asignar"), data=sent).status_code == 403
    boss, _ = enter(pages, Role.COORDINATOR)
    boss.post(url(case, "/asignar"), data=sent)
    assert fresh(pages, case).owner_id == other.id
    assert boss.post(url(case, "/asignar"), data={"owner": "9" * 30}).status_code in (404, 422)


def test_who_only_reads_finds_no_deed_and_can_do_none(pages: Pages, case: Incident) -> None:
    for role in (Role.MANAGEMENT, Role.AUDITOR, Role.REVIEWER):
        reader, _ = enter(pages, role)
        text = reader.get(url(case)).text
        assert "Comentar</button>" not in text
        assert "/cerrar" not in text
        for name in ("tomar", "comentarios", "cerrar", "guia", "evidencias"):
            assert reader.post(url(case, f"/{name}")).status_code == 403


def test_an_entitys_person_is_refused_even_their_own_case(pages: Pages, case: Incident) -> None:
    with pages.centre.database.transaction() as session:
        reporter = make_user(session, Role.REPORTER, entity_id=case.entity_id)
    browser = pages.visit(reporter)
    for rest in ("", "/panel", "?ver=evidencias", "/cerrar"):
        assert browser.get(url(case, rest)).status_code == 403
    assert browser.get("/incidentes").status_code == 403
    assert browser.get(f"/api/v1/incidents/{case.code}").status_code == 403


def test_a_case_is_registered_by_hand(pages: Pages) -> None:
    analyst, user = enter(pages)
    wrong = analyst.post("/incidentes/nuevo", data={"title": "", "summary": "Llamó la MAE"})
    assert wrong.status_code == 422
    assert "Llamó la MAE</textarea>" in wrong.text
    bad = {"title": "x", "rsit": "no.existe"}
    assert analyst.post("/incidentes/nuevo", data=bad).status_code == 422
    sent = {"title": "Llamada por correo falso", "rsit": "fraud.phishing", "tlp": "GREEN"}
    where = analyst.post("/incidentes/nuevo", data=sent).headers["location"]
    with pages.centre.database.reading() as session:
        made = session.scalar(select(Incident).where(Incident.title == sent["title"]))
    assert made is not None
    assert where == f"/incidentes/{made.code}"
    assert (made.owner_id, made.rsit_type, made.tlp) == (user.id, "phishing", "GREEN")


def test_the_archive_filters_by_day_and_exports_what_it_shows(
    pages: Pages, analyst: TestClient
) -> None:
    with pages.centre.database.transaction() as session:
        make_incident(session, title="Caso de marzo",
                      received_at=pages.centre.clock().replace(month=3, day=15))  # fmt: skip
    query = "received_desde=2026-03-01&received_hasta=2026-03-31"
    assert "Caso de marzo" in analyst.get(f"/incidentes?{query}").text
    csv = analyst.get(f"/incidentes?{query}&formato=csv").content.decode("utf-8-sig")
    assert "Caso de marzo" in csv
    assert len(csv.strip().splitlines()) == 2
    assert analyst.get("/incidentes?formato=xlsx").content.startswith(b"PK")


def test_the_api_tells_the_same(case: Incident, analyst: TestClient) -> None:
    listed = analyst.get(f"/api/v1/incidents?q={case.code}").json()
    assert [row["code"] for row in listed["incidents"]] == [case.code]
    analyst.post(url(case, "/comentarios"), data={"text": "por la API"})
    one = analyst.get(f"/api/v1/incidents/{case.code}").json()
    assert one["status"] == "acknowledged"
    assert "por la API" in [entry["text"] for entry in one["timeline"]]
    gone = analyst.get("/api/v1/incidents/CGII-1999-000001")
    assert gone.status_code == 404
    assert gone.headers["content-type"] == "application/problem+json"
