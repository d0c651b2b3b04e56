"""From a raw line to a decision: why an alert fired, and what an analyst makes of it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.incidents import Observable
from cgii.model.people import Role
from cgii.model.records import AuditEntry
from tests.make import make_incident
from tests.make_desk import attack, enter, make_group, number_apart
from tests.make_web import Pages, make_centre, make_pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    centre = make_centre(tmp_path_factory.mktemp("alerts"))
    number_apart(centre)
    yield make_pages(centre)
    centre.close()


@pytest.fixture
def group(pages: Pages) -> AlertGroup:
    """The group that a real burst of failed logins raises."""
    attacker = attack(pages.centre)
    with pages.centre.database.reading() as session:
        found = session.scalar(select(AlertGroup).where(AlertGroup.key_text.contains(attacker)))
        assert found is not None
        return found


@pytest.fixture
def analyst(pages: Pages) -> TestClient:
    return enter(pages)[0]


def fresh(pages: Pages, group: AlertGroup) -> AlertGroup:
    with pages.centre.database.reading() as session:
        return session.get_one(AlertGroup, group.id)


def test_the_page_says_why_it_fired_and_shows_the_raw_lines(
    pages: Pages, group: AlertGroup, analyst: TestClient
) -> None:
    text = analyst.get(f"/alertas/{group.id}").text

    assert group.rule_title in text
    assert f"/reglas/{group.rule_id}" in text
    assert "Lo que la regla pide" in text
    assert "sshd[911]: Failed password for root from 198.51.100." in text
    assert "source.ip" in text  # the normalised fields beside the line
    assert "/busqueda?q=%22198.51.100." in text


def test_the_drawer_shows_the_same_without_the_frame(
    pages: Pages, group: AlertGroup, analyst: TestClient
) -> None:
    text = analyst.get(f"/alertas/{group.id}/panel", headers={"hx-request": "true"}).text

    assert "Por qué se disparó" in text
    assert "<html" not in text


def test_an_event_that_is_no_longer_kept_is_said_not_hidden(
    pages: Pages, group: AlertGroup, analyst: TestClient
) -> None:
    with pages.centre.database.transaction() as session:
        row = session.scalars(select(AlertRow).where(AlertRow.group_id == group.id)).first()
        assert row is not None
        row.event_ids = ["0" * 32]

    assert "Evento ya no conservado" in analyst.get(f"/alertas/{group.id}").text
    assert "ya no conservado" in analyst.get(f"/alertas/{group.id}/registros/{row.id}").text


def test_who_may_not_search_reads_no_raw_line(pages: Pages, group: AlertGroup) -> None:
    admin, _ = enter(pages, Role.ADMINISTRATOR)
    with pages.centre.database.reading() as session:
        row_id = session.scalar(select(AlertRow.id).where(AlertRow.group_id == group.id))

    assert "Failed password for root from" not in admin.get(f"/alertas/{group.id}").text
    assert admin.get(f"/alertas/{group.id}/registros/{row_id}").status_code == 403


def test_a_group_is_promoted_in_one_action(
    pages: Pages, group: AlertGroup, analyst: TestClient
) -> None:
    where = analyst.post(f"/alertas/{group.id}/promover").headers["location"]

    assert where.startswith("/incidentes/CGII-")
    page = analyst.get(where).text
    assert group.rule_title in page
    assert "Primera respuesta" in page
    assert fresh(pages, group).state == "joined"
    assert where in analyst.get(f"/alertas/{group.id}").text
    # Once is enough: the second press is told where it went.
    again = analyst.post(f"/alertas/{group.id}/promover")
    assert again.status_code == 409
    assert where.rsplit("/", 1)[1] in again.text


def test_open_incidents_that_may_be_the_same_are_proposed_with_the_reason(
    pages: Pages, group: AlertGroup, analyst: TestClient
) -> None:
    with pages.centre.database.transaction() as session:
        same = make_incident(session, title="Mismo atacante")
        closed = make_incident(session, title="Caso viejo", closed_at=pages.centre.clock())
        for case in (same, closed):
            session.add(
                Observable(
                    incident_id=case.id,
                    kind="ip",
                    value=group.observables[0][1],
                    added_at=pages.centre.clock(),
                )
            )
    text = analyst.get(f"/alertas/{group.id}").text

    assert "Mismo atacante" in text
    assert f"Dirección IP {group.observables[0][1]}" in text
    assert "Caso viejo" not in text


def test_a_group_joins_the_incident_that_is_named(
    pages: Pages, group: AlertGroup, analyst: TestClient
) -> None:
    with pages.centre.database.transaction() as session:
        case = make_incident(session)
    wrong = analyst.post(f"/alertas/{group.id}/unir", data={"incident": "CGII-1999-000001"})
    assert wrong.status_code == 422
    assert "No existe el incidente CGII-1999-000001." in wrong.text
    assert 'value="CGII-1999-000001"' in wrong.text

    analyst.post(f"/alertas/{group.id}/unir", data={"incident": case.code.lower()})

    assert fresh(pages, group).incident_id == case.id
    assert group.rule_title in analyst.get(f"/incidentes/{case.code}?ver=alertas").text


def test_a_closed_incident_takes_no_more_alerts(
    pages: Pages, group: AlertGroup, analyst: TestClient
) -> None:
    with pages.centre.database.transaction() as session:
        case = make_incident(session, closed_at=pages.centre.clock())
    assert (
        analyst.post(f"/alertas/{group.id}/unir", data={"incident": case.code}).status_code == 409
    )
    assert fresh(pages, group).state == "new"


def test_a_dismissal_wants_a_verdict_and_a_reason_and_can_be_undone(
    pages: Pages, group: AlertGroup, analyst: TestClient
) -> None:
    url = f"/alertas/{group.id}/descartar"
    empty = analyst.post(url, data={"verdict": "benign", "reason": " "})
    assert empty.status_code == 422
    assert "Indique por qué se descarta." in empty.text

    analyst.post(url, data={"verdict": "benign", "reason": "Prueba acordada"})
    assert (fresh(pages, group).state, fresh(pages, group).verdict) == ("dismissed", "benign")
    assert "Prueba acordada" in analyst.get(f"/alertas/{group.id}").text

    analyst.post(f"/alertas/{group.id}/deshacer")
    assert (fresh(pages, group).state, fresh(pages, group).verdict) == ("new", "")


def test_a_key_dismisses_and_only_wants_to_be_told(
    pages: Pages, group: AlertGroup, analyst: TestClient
) -> None:
    answer = analyst.post(f"/alertas/{group.id}/falso-positivo", headers={"hx-request": "true"})

    assert answer.status_code == 204
    assert f"/alertas/deshacer?ids={group.id}" in answer.headers["hx-trigger"]
    assert fresh(pages, group).verdict == "false_positive"
    undone = analyst.post(f"/alertas/deshacer?ids={group.id}", headers={"hx-request": "true"})
    assert undone.status_code == 204
    assert fresh(pages, group).state == "new"


def test_of_two_who_take_it_one_is_told_who_has_it(
    pages: Pages, group: AlertGroup, analyst: TestClient
) -> None:
    other, _ = enter(pages)
    assert analyst.post(f"/alertas/{group.id}/tomar").status_code == 303
    late = other.post(f"/alertas/{group.id}/tomar")

    assert late.status_code == 409
    assert "ya la tomó Persona" in late.text


def test_ticked_rows_are_dismissed_and_brought_back_together(
    pages: Pages, analyst: TestClient
) -> None:
    with pages.centre.database.transaction() as session:
        groups = [make_group(session) for _ in range(3)]
    rows = [str(group.id) for group in groups]
    answer = analyst.post(
        "/alertas/descartar",
        data={"row": rows},
        headers={"referer": "http://127.0.0.1:8000/mesa/nuevos?severity=alto"},
    )
    assert answer.headers["location"] == "/mesa/nuevos?severity=alto"
    assert {fresh(pages, group).state for group in groups} == {"dismissed"}

    analyst.post(f"/alertas/deshacer?ids={','.join(rows)}")
    assert {fresh(pages, group).state for group in groups} == {"new"}


def test_ticking_nothing_is_answered_with_a_sentence(analyst: TestClient) -> None:
    for url in ("/alertas/tomar", "/alertas/descartar", "/alertas/deshacer", "/alertas/devolver"):
        answer = analyst.post(url)
        assert answer.status_code == 422
        assert "Marque al menos una fila." in answer.text
    assert analyst.post("/alertas/tomar", data={"row": "9" * 40}).status_code == 422


def test_the_list_filters_and_exports(pages: Pages, analyst: TestClient) -> None:
    with pages.centre.database.transaction() as session:
        make_group(session, rule_title="Grave", severity="critico")
        make_group(session, rule_title="=Leve", severity="bajo", last_at=pages.centre.clock())

    assert "Grave" in analyst.get("/alertas?severity=critico").text
    assert "=Leve" not in analyst.get("/alertas?severity=critico").text
    csv = analyst.get("/alertas?formato=csv").content.decode("utf-8-sig")
    assert "Grave" in csv
    assert ",=Leve" not in csv  # a spreadsheet must not read it as a formula
    assert analyst.get("/alertas?formato=xlsx").content.startswith(b"PK")


def test_the_api_tells_the_same(pages: Pages, group: AlertGroup, analyst: TestClient) -> None:
    listed = analyst.get(f"/api/v1/alerts?state=new&q={group.observables[0][1]}").json()
    assert group.id in [row["id"] for row in listed["alerts"]]
    one = analyst.get(f"/api/v1/alerts/{group.id}").json()
    assert one["alerts"][0]["event_ids"]
    assert one["observables"][0]["value"]
    assert analyst.get("/api/v1/alerts/999999").status_code == 404


def test_what_is_decided_stands_in_the_audit_trail(
    pages: Pages, group: AlertGroup, analyst: TestClient
) -> None:
    analyst.post(f"/alertas/{group.id}/promover")
    with pages.centre.database.reading() as session:
        actions = set(session.scalars(select(AuditEntry.action)))
    assert {"group.promoted", "incident.opened"} <= actions


def test_an_entity_sees_no_alert(pages: Pages, group: AlertGroup) -> None:
    reporter, _ = enter(pages, Role.REPORTER)
    for url in ("/alertas", f"/alertas/{group.id}", "/mesa", "/api/v1/alerts"):
        assert reporter.get(url).status_code == 403


def test_old_alerts_of_a_rule_that_is_gone_still_open(pages: Pages, analyst: TestClient) -> None:
    with pages.centre.database.transaction() as session:
        group = make_group(session, last_at=pages.centre.clock() - timedelta(days=500))
    text = analyst.get(f"/alertas/{group.id}").text
    assert "Ya no está en vigor" in text
    assert "Sin alertas guardadas." in text
