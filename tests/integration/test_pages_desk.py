"""The desk: order, tabs, filters, arrivals, bulk deeds with a way back."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from sqlalchemy import event, select

from cgii.model.deadlines import Deadline
from cgii.model.incidents import Incident, Observable
from cgii.model.people import Role
from tests.make import make_entity, make_incident, make_user
from tests.make_desk import ATTACKER, enter, make_group
from tests.make_web import Pages, make_centre, make_pages

BACK = {"referer": "http://127.0.0.1:8000/mesa/todos?severity=alto&panel=%2Fx"}


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    centre = make_centre(tmp_path / "data")
    yield make_pages(centre)
    centre.close()


def owner_of(pages: Pages, code: str) -> int | None:
    with pages.centre.database.reading() as session:
        return session.scalar(select(Incident.owner_id).where(Incident.code == code))


def cases(pages: Pages, count: int, **given: object) -> list[str]:
    with pages.centre.database.transaction() as session:
        return [make_incident(session, **given).code for _ in range(count)]


def undo_of(answer_cookie: str) -> str:
    text = unquote(answer_cookie)
    return text.split('"undo": "')[1].split('"')[0]


def test_what_is_due_first_stands_first(pages: Pages) -> None:
    now = pages.centre.clock()
    with pages.centre.database.transaction() as session:
        make_incident(session, title="Sin plazo")
        make_incident(session, title="Mañana", next_due_at=now + timedelta(days=1))
        make_incident(session, title="Vencido", next_due_at=now - timedelta(days=1))
    text = enter(pages)[0].get("/mesa/todos").text

    assert text.index("Vencido") < text.index("Mañana") < text.index("Sin plazo")


def test_each_tab_shows_and_counts_its_own(pages: Pages) -> None:
    analyst, user = enter(pages)
    with pages.centre.database.transaction() as session:
        make_incident(session, title="Caso mío", owner_id=user.id)
        make_incident(session, title="Caso libre")
        other = make_user(session)
        make_incident(session, title="Caso esperando", owner_id=other.id, waiting_for="entity")
        make_incident(session, title="Caso cerrado", closed_at=pages.centre.clock())
        make_group(session, rule_title="Alerta nueva")
        make_group(session, rule_title="Alerta descartada", state="dismissed")

    def shown(url: str) -> set[str]:
        text = analyst.get(url).text
        words = ("Caso mío", "Caso libre", "Caso esperando", "Caso cerrado",
                 "Alerta nueva", "Alerta descartada")  # fmt: skip
        return {one for one in words if one in text}

    assert shown("/mesa") == {"Caso mío"}
    assert shown("/mesa/sin-responsable") == {"Caso libre"}
    assert shown("/mesa/en-espera") == {"Caso esperando"}
    assert shown("/mesa/nuevos") == {"Alerta nueva"}
    assert shown("/mesa/todos") == {"Caso mío", "Caso libre", "Caso esperando"}
    tabs = analyst.get("/mesa").text
    for label, count in (("Míos", 1), ("Sin responsable", 1), ("En espera", 1), ("Todos", 3)):
        assert f'{label}<span class="count">{count}</span>' in tabs
    assert analyst.get("/mesa/otra").status_code == 404


def test_an_empty_tab_says_what_will_appear_there(pages: Pages) -> None:
    text = enter(pages)[0].get("/mesa").text
    assert "No tiene incidentes abiertos" in text


def test_a_row_shows_severity_clock_alerts_observables_and_how_often_they_were_seen(
    pages: Pages,
) -> None:
    now = pages.centre.clock()
    with pages.centre.database.transaction() as session:
        entity = make_entity(session, acronym="MINPRUEBA")
        case = make_incident(
            session, title="Fuerza bruta", severity="critico", entity_id=entity.id,
            rsit_class="intrusion-attempts", rsit_type="brute-force",
        )  # fmt: skip
        older = make_incident(session, closed_at=now)
        for incident in (case, older):
            session.add(
                Observable(incident_id=incident.id, kind="ip", value=ATTACKER, added_at=now)
            )
        for count in (40, 2):
            make_group(session, incident_id=case.id, state="joined", alert_count=count)
        session.add(
            Deadline(
                incident_id=case.id, policy_id="x", policy={}, regime="centre",
                stage="acknowledged", party="centre", label="Primera respuesta",
                started_at=now - timedelta(hours=1), due_at=now + timedelta(hours=3), warned=[],
            )
        )  # fmt: skip
    text = enter(pages)[0].get("/mesa/todos").text

    for words in ("Crítico", "Fuerza bruta", "MINPRUEBA", "×42", ATTACKER,
                  "Visto en 1 incidente más", "<meter"):  # fmt: skip
        assert words in text, words
    assert "2 h 59 min" in text or "3 h" in text


def test_filters_stand_in_the_address_and_say_what_they_hide(pages: Pages) -> None:
    cases(pages, 3, severity="bajo")
    cases(pages, 1, severity="critico", title="El grave")
    text = enter(pages)[0].get("/mesa/todos?severity=critico").text

    assert "El grave" in text
    assert "los filtros ocultan 3" in text
    nothing = enter(pages)[0].get("/mesa/todos?severity=alto").text
    assert "Los filtros ocultan 4 filas." in nothing


def test_new_rows_wait_behind_a_count(pages: Pages) -> None:
    analyst, _ = enter(pages)
    cases(pages, 2)
    page = analyst.get("/mesa/todos?severity=medio").text
    poll = page.split('hx-get="/mesa/todos/llegados')[1].split('"')[0].replace("&amp;", "&")
    url = f"/mesa/todos/llegados{poll}"
    before = analyst.get(url)
    assert before.status_code == 200
    assert "nueva" not in before.text

    cases(pages, 1)
    cases(pages, 1, severity="critico")  # the filter hides it, so it is no news here
    assert "1 nueva — ver" in analyst.get(url).text

    with pages.centre.database.transaction() as session:
        make_group(session)
    assert "1 nueva — ver" in analyst.get("/mesa/nuevos/llegados?desde=0").text


def test_a_key_takes_a_row_and_the_toast_gives_it_back(pages: Pages) -> None:
    analyst, user = enter(pages)
    code = cases(pages, 1)[0]
    answer = analyst.post(f"/incidentes/{code}/tomar", headers={"hx-request": "true"})

    assert answer.status_code == 204
    assert owner_of(pages, code) == user.id
    undo = f"/mesa/devolver?row={code}"
    assert undo in answer.headers["hx-trigger"]
    assert analyst.post(undo, headers={"hx-request": "true"}).status_code == 204
    assert owner_of(pages, code) is None


def test_ticked_rows_are_taken_but_nobodys_case_is_snatched(pages: Pages) -> None:
    analyst, user = enter(pages)
    with pages.centre.database.transaction() as session:
        other = make_user(session)
        held = make_incident(session, owner_id=other.id)
    free = cases(pages, 2)
    answer = analyst.post("/mesa/tomar", data={"row": [*free, held.code]}, headers=BACK)

    assert answer.headers["location"] == "/mesa/todos?severity=alto&panel=%2Fx"
    assert [owner_of(pages, code) for code in free] == [user.id, user.id]
    assert owner_of(pages, held.code) == other.id
    told = unquote(answer.headers["set-cookie"])
    assert "1 ya ten" in told
    analyst.post(undo_of(answer.headers["set-cookie"]))
    assert [owner_of(pages, code) for code in free] == [None, None]


def test_a_coordinator_assigns_many_and_takes_it_back_each_to_whom_it_was(pages: Pages) -> None:
    boss, _ = enter(pages, Role.COORDINATOR)
    with pages.centre.database.transaction() as session:
        first, second = make_user(session), make_user(session)
        held = make_incident(session, owner_id=first.id).code
    free = cases(pages, 1)[0]
    answer = boss.post("/mesa/asignar", data={"row": [free, held], "owner": str(second.id)})
    assert {owner_of(pages, free), owner_of(pages, held)} == {second.id}

    boss.post(undo_of(answer.headers["set-cookie"]))
    assert owner_of(pages, free) is None
    assert owner_of(pages, held) == first.id


def test_only_coordinators_assign(pages: Pages) -> None:
    analyst, user = enter(pages)
    code = cases(pages, 1)[0]
    assert "Asignar a…" not in analyst.get("/mesa/todos").text
    sent = {"row": [code], "owner": str(user.id)}
    assert analyst.post("/mesa/asignar", data=sent).status_code == 403
    boss, _ = enter(pages, Role.COORDINATOR)
    assert "Asignar a…" in boss.get("/mesa/todos").text
    assert boss.post("/mesa/asignar", data={"row": [code], "owner": "x"}).status_code == 422
    with pages.centre.database.transaction() as session:
        reporter = make_user(session, Role.REPORTER)
    sent = {"row": [code], "owner": str(reporter.id)}
    assert boss.post("/mesa/asignar", data=sent).status_code == 422


def test_an_auditor_looks_and_changes_nothing(pages: Pages) -> None:
    auditor, _ = enter(pages, Role.AUDITOR)
    code = cases(pages, 1)[0]
    text = auditor.get("/mesa/todos").text
    assert code[5:] in text
    assert "data-action-a" not in text
    assert auditor.post("/mesa/tomar", data={"row": [code]}).status_code == 403


def test_the_desk_asks_few_questions_however_many_rows(pages: Pages) -> None:
    analyst, _ = enter(pages)
    asked: list[str] = []

    def note(*given: object) -> None:
        asked.append(str(given[2]))

    def questions() -> int:
        asked.clear()
        assert analyst.get("/mesa/todos").status_code == 200
        return len(asked)

    cases(pages, 2)
    event.listen(pages.centre.database.engine, "before_cursor_execute", note)
    few = questions()
    cases(pages, 45)
    assert questions() == few


def test_a_hostile_title_is_text(pages: Pages) -> None:
    cases(pages, 1, title="<script>alert(1)</script>")
    text = enter(pages)[0].get("/mesa/todos").text
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_the_owner_filter_knows_nobody(pages: Pages) -> None:
    analyst, user = enter(pages)
    cases(pages, 1, title="Libre")
    cases(pages, 1, title="Con dueño", owner_id=user.id)
    text = analyst.get("/mesa/todos?owner=nadie").text
    assert "Libre" in text
    assert "Con dueño" not in text
