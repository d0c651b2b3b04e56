"""Rules held back and tried on what is stored: previews, watching, enforcing, ending, trials."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.detection import RuleTuning
from cgii.model.event import Origin, Raw
from cgii.model.people import Role
from cgii.model.records import Job
from cgii.pipeline import take
from cgii.worker import run_one
from tests.make import NOW, make_user
from tests.make_desk import make_group
from tests.make_web import Pages, make_centre, make_pages

SUDO = "cbb5c803-9850-53ec-ba7f-5ad9be3c5085"
REFUSED = (
    "Nov 20 09:{:02d}:00 {} sudo: juan : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/juan ; "
    "USER=root ; COMMAND=/bin/bash"
)
KEY = [["host.name", "srv-a"], ["user.name", "juan"]]
URL = f"/reglas/{SUDO}/ajustar"


@pytest.fixture(scope="module")
def centre_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """One centre for all tests here, with some refused sudo in its store."""
    centre = make_centre(tmp_path_factory.mktemp("tuning"))
    centre.clock = lambda: NOW
    lines = [REFUSED.format(n, host) for n, host in enumerate(["srv-a", "srv-a", "srv-b"])]
    raws = [Raw(number, line.encode()) for number, line in enumerate(lines)]
    take(centre, Origin("linux_auth", "tuning/linux_auth", "1"), raws)
    yield make_pages(centre)
    centre.close()


@pytest.fixture
def pages(centre_pages: Pages) -> Pages:
    with centre_pages.centre.database.transaction() as session:
        for table in (RuleTuning, AlertRow, AlertGroup, Job):
            for row in session.scalars(select(table)):
                session.delete(row)
            session.flush()  # groups go after the alerts that point at them
        for place, (key, count) in enumerate([(KEY, 3), ([["host.name", "srv-b"]], 2)]):
            text = ", ".join(f"{name}={value}" for name, value in key)
            group = make_group(session, rule_id=SUDO, key=key, key_text=text, alert_count=count)
            for number in range(count):
                at = NOW - timedelta(days=number)
                session.add(
                    AlertRow(
                        id=f"{place}{number}",
                        group_id=group.id,
                        at=at,
                        created_at=at,
                        event_count=1,
                        event_ids=[],
                        explanation=[],
                    )
                )
    return centre_pages


def enter(pages: Pages, role: Role = Role.COORDINATOR) -> TestClient:
    with pages.centre.database.transaction() as session:
        user = make_user(session, role, name="Rosa Mamani")
    return pages.visit(user)


def text_of(html: str) -> str:
    """What a reader sees, without the tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def suppression(**changes: str) -> dict[str, str]:
    """The form of a suppression that watches."""
    usual = {"key": "host.name=srv-a\nuser.name=juan", "until": "2026-12-20", "watching": "on"}
    return {**usual, "reason": "Respaldo nocturno", **changes}


def rows(pages: Pages) -> list[RuleTuning]:
    """All tuning, the first first."""
    with pages.centre.database.reading() as session:
        found = list(session.scalars(select(RuleTuning).order_by(RuleTuning.id)))
        session.expunge_all()
        return found


def test_the_preview_says_how_many_stored_alerts_it_would_have_hidden(pages: Pages) -> None:
    answer = enter(pages).post(f"{URL}/suprimir/previa", data=suppression())
    text = text_of(answer.text)

    assert "Habría ocultado 3 alertas de 5 que la regla dio en 30 días." in text
    assert 'href="/alertas/' in answer.text
    assert rows(pages) == []


def test_a_preview_of_what_cannot_be_read_says_why(pages: Pages) -> None:
    browser = enter(pages)
    for kind, data, said in (
        ("suprimir", {"key": "sin signo"}, "Escriba campo=valor"),
        ("suprimir", {"key": ""}, "Diga qué clave se suprime"),
        ("excluir", {"condition": "user: ["}, "La exclusión no sirve"),
    ):
        assert said in text_of(browser.post(f"{URL}/{kind}/previa", data=data).text)


def test_a_suppression_watches_first_then_holds_then_ends(pages: Pages) -> None:
    browser = enter(pages)
    assert browser.post(f"{URL}/suprimir", data=suppression()).status_code == 303
    [row] = rows(pages)
    assert (row.kind, row.key, row.is_watching) == ("suppress", KEY, True)
    assert row.until is not None
    assert row.until.isoformat() == "2026-12-21T04:00:00+00:00"  # after that day in La Paz
    page = text_of(browser.get(f"/reglas/{SUDO}").text)
    assert "En observación Supresión habría ocultado 0" in page

    assert browser.post(f"/reglas/ajustes/{row.id}/aplicar").status_code == 303
    assert rows(pages)[0].is_watching is False
    assert browser.post(f"/reglas/ajustes/{row.id}/aplicar").status_code == 409
    assert browser.post(f"/reglas/ajustes/{row.id}/terminar").status_code == 303
    assert rows(pages)[0].ended_at == NOW
    assert browser.post(f"/reglas/ajustes/{row.id}/terminar").status_code == 409
    assert browser.post("/reglas/ajustes/999999/aplicar").status_code == 404


def test_what_is_wrong_with_the_form_stands_beside_its_field(pages: Pages) -> None:
    browser = enter(pages)
    for kind, changes, said in (
        ("suprimir", {"reason": ""}, "Escriba el motivo"),
        ("suprimir", {"until": ""}, "Una supresión necesita una fecha de fin"),
        ("suprimir", {"until": "2020-01-01"}, "La fecha de fin ya pasó"),
        ("suprimir", {"until": "nunca"}, "Escriba una fecha"),
        ("suprimir", {"key": "<script>"}, "Escriba campo=valor"),
        ("nivel", {"level": "enorme"}, "no existe"),
        ("excluir", {"condition": "a: [1"}, "La exclusión no sirve"),
    ):
        answer = browser.post(f"{URL}/{kind}", data=suppression(**changes))
        assert answer.status_code == 422, kind
        assert said in text_of(answer.text)
        assert "<script>]" not in answer.text
    assert rows(pages) == []


def test_the_same_twice_is_told_and_what_was_typed_stays(pages: Pages) -> None:
    browser = enter(pages)
    browser.post(f"{URL}/apagar", data=suppression())
    answer = browser.post(f"{URL}/apagar", data=suppression(reason="de nuevo"))

    assert answer.status_code == 422
    assert "Ya hay un ajuste igual" in text_of(answer.text)
    assert ">de nuevo</textarea>" in answer.text


def test_an_alert_leads_to_a_suppression_of_its_key(pages: Pages) -> None:
    browser = enter(pages)
    with pages.centre.database.reading() as session:
        ids = list(session.scalars(select(AlertGroup.id).order_by(AlertGroup.id)))
    page = browser.get(f"/alertas/{ids[0]}").text
    link = f"{URL}/suprimir?alerta={ids[0]}"

    assert link in page
    assert "host.name=srv-a\nuser.name=juan</textarea>" in browser.get(link).text
    assert browser.get(f"{URL}/suprimir?alerta=99999").status_code == 404


def test_all_tuning_is_one_list_with_owners_and_what_was_hidden(pages: Pages) -> None:
    browser = enter(pages)
    browser.post(f"{URL}/suprimir", data=suppression())
    browser.post(f"{URL}/nivel", data=suppression(level="high", watching="", until=""))
    browser.post(f"{URL}/apagar", data=suppression(watching="", until="2026-11-22"))
    with pages.centre.database.transaction() as session:
        level = session.scalars(select(RuleTuning).where(RuleTuning.kind == "level")).one()
        level.hidden_count, level.ended_at = 214, NOW

    def shown(query: str) -> list[str]:
        text = browser.get(f"/reglas/ajustes?{query}").text
        return [text_of(row) for row in re.findall(r"<tr data-row=.*?</tr>", text, re.DOTALL)]

    assert [row.split()[0] for row in shown("")] == ["En", "En", "Terminado"]
    assert "214" in shown("estado=ended")[0]
    assert "Rosa Mamani" in shown("estado=watching")[0]
    assert "20 dic 2026" in shown("estado=watching")[0]  # the last day, as it was chosen
    assert len(shown("estado=in_force")) == len(shown("estado=ending")) == 1
    assert len(shown("tipo=suppress")) == 1
    assert len(shown("q=respaldo")) == 3
    assert shown("q=inexistente") == []
    assert browser.get("/reglas/ajustes?formato=csv").text.count("\r\n") == 4
    assert "Apagada" in text_of(browser.get("/reglas?q=cbb5c803").text)


def test_who_may_only_read_sets_nothing(pages: Pages) -> None:
    analyst = enter(pages, Role.ANALYST)

    assert analyst.get("/reglas/ajustes").status_code == 200
    assert analyst.get(f"{URL}/apagar").status_code == 403
    assert analyst.post(f"{URL}/apagar", data=suppression()).status_code == 403
    assert enter(pages, Role.REPORTER).get("/reglas/ajustes").status_code == 403
    assert enter(pages).get(f"{URL}/inventado").status_code == 404


def test_a_back_test_shows_what_the_rule_would_have_found(pages: Pages) -> None:
    browser = enter(pages, Role.ANALYST)
    asked = browser.post(
        f"/reglas/{SUDO}/historico", data={"first": "2026-11-19", "last": "2026-11-20"}
    )
    address = asked.headers["location"]
    assert "En espera de turno" in browser.get(address).text
    assert run_one(pages.centre, "test")
    text = browser.get(address).text
    words = text_of(text)

    assert "3 alertas" in words
    assert "host.name = srv-a" in words
    assert len(re.findall(r'href="/busqueda/[0-9a-f]{32}"', text)) == 3
    assert 'data-chart="backtest"' in text
    assert enter(pages, Role.ANALYST).get(address).status_code == 404  # it is another person's


def test_a_back_test_of_a_period_that_is_none_is_refused(pages: Pages) -> None:
    browser = enter(pages)
    for first, last, said in (
        ("2026-11-20", "2026-11-19", "no puede ser anterior"),
        ("", "2026-11-19", "Escriba una fecha"),
        ("2027-01-01", "2027-01-02", "todavía no empezó"),
    ):
        answer = browser.post(f"/reglas/{SUDO}/historico", data={"first": first, "last": last})
        assert answer.status_code == 422
        assert said in text_of(answer.text)
    assert browser.post("/reglas/ninguna/historico", data={}).status_code == 404
    assert browser.get("/reglas/historico/999999").status_code == 404


def test_a_text_that_is_not_saved_is_tried_on_what_is_stored(pages: Pages) -> None:
    browser = enter(pages)
    text = pages.centre.content.rules.by_id[SUDO].text.replace("title: ", "title: Ensayo de ")
    asked = browser.post("/reglas/historico", data={"text": text})
    assert run_one(pages.centre, "test")

    assert "Ensayo de" in browser.get(asked.headers["location"]).text
    refused = browser.post("/reglas/historico", data={"text": "title: x"})
    assert refused.status_code == 422
    assert "La regla no se puede usar" in text_of(refused.text)
