"""The search over raw events, as an analyst uses it."""

import csv
import io
import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.base.ids import event_id
from cgii.model.event import Event, LogSource
from cgii.model.people import Role
from cgii.model.records import AuditEntry
from cgii.store import events_files
from cgii.store.event_shapes import EventQuery, Page
from tests.make import NOW, make_entity, make_user
from tests.make_web import Pages, make_centre, make_pages

COUNT = 120
ODD = 'a"b\\c: (d) OR *'


def make_event(number: int, at: datetime, **ecs: object) -> Event:
    user = "root" if number % 4 == 0 else f"persona{number % 3}"
    return Event(
        id=event_id("test", "1", number),
        at=at,
        received_at=at + timedelta(seconds=3),
        source="linux_auth" if number % 2 else "web_access",
        logsource=LogSource("linux", "", "sshd"),
        fields={"Nombre raro": f"valor {number % 2}", "lista": [{"a": 1}, {"a": 2}]},
        ecs={"user.name": user, "source.ip": f"203.0.113.{number % 5}", "message": "m"} | ecs,
        original=f"=linea {number}",
        entity_id=1,
    )


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    centre = make_centre(tmp_path / "data")
    centre.clock = lambda: NOW
    with centre.database.transaction() as session:
        make_entity(session, id=1, acronym="MINPRU")
    events = [make_event(n, NOW - timedelta(minutes=5 * n + 1)) for n in range(COUNT)]
    events.append(make_event(900, NOW - timedelta(days=5), **{"user.name": ODD}))
    centre.events.write(events)
    yield make_pages(centre)
    centre.close()


def enter(pages: Pages, role: Role = Role.ANALYST) -> TestClient:
    with pages.centre.database.transaction() as session:
        user = make_user(session, role)
    return pages.visit(user)


def counted(text: str) -> int:
    found = re.search(r'hunt-count">([\d.]+) registro', text)
    return int(found[1].replace(".", "")) if found else 0


def test_the_newest_records_of_the_last_day_come_first(pages: Pages) -> None:
    text = enter(pages).get("/busqueda").text

    assert counted(text) == COUNT
    assert text.count("data-row=") == limits.PAGE_ROWS
    assert "MINPRU" in text
    newest, next_one = event_id("test", "1", 0), event_id("test", "1", 1)
    assert text.index(newest) < text.index(next_one)


def test_a_field_and_a_time_narrow(pages: Pages) -> None:
    browser = enter(pages)

    assert counted(browser.get("/busqueda?q=usuario:root").text) == COUNT // 4
    assert counted(browser.get("/busqueda?rango=1h").text) == 12
    assert counted(browser.get("/busqueda?rango=todo").text) == COUNT + 1


def test_events_of_clocks_that_are_far_off_have_their_year_and_are_reached(pages: Pages) -> None:
    far = [datetime(year, 1, 2, 12, tzinfo=UTC) for year in (1601, 2024, 9999)]
    pages.centre.events.write(
        [
            replace(make_event(950 + n, at, **{"event.action": "far"}), received_at=NOW)
            for n, at in enumerate(far)
        ]
    )
    browser = enter(pages)

    text = browser.get("/busqueda?rango=todo&q=event.action:far").text
    assert [day in text for day in ("2 ene 1601", "2 ene 2024", "2 ene 9999")] == [True] * 3
    text = browser.get("/busqueda?rango=todo").text
    (spec,) = map(json.loads, re.findall("data-spec='([^']*)'", text))
    assert spec["categories"][0].endswith(" 1830")
    urls = [url for url in spec["series"][0]["urls"] if url]
    assert [counted(browser.get(url).text) for url in urls] == [1, 1, COUNT + 1, 1]


def test_a_wrong_search_is_explained_beside_the_box_and_kept(pages: Pages) -> None:
    answer = enter(pages).get("/busqueda", params={"q": 'user.name:"root'})

    assert answer.status_code == 422
    assert "Falta cerrar unas comillas en la búsqueda." in answer.text
    assert 'value="user.name:&#34;root"' in answer.text
    assert 'aria-invalid="true"' in answer.text


def test_a_search_that_takes_too_long_ends_with_a_sentence(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "QUERY_SECONDS_MAX", -1)
    monkeypatch.setattr(events_files, "_OPCODES_BETWEEN_LOOKS", 100)  # here are few records
    answer = enter(pages).get("/busqueda", params={"q": "user.name:/.*o.*o.*t/"})

    assert answer.status_code in (200, 503)
    assert "tard" in answer.text


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("desde=ayer", "No se entiende la fecha «ayer» de «desde»"),
        ("hasta=2026-13-01", "No se entiende la fecha «2026-13-01» de «hasta»"),
        ("rango=2h", "No se entiende el tiempo «2h»"),
    ],
)
def test_a_time_that_cannot_be_read_is_told_and_answers_no_other(
    pages: Pages, asked: str, told: str
) -> None:
    browser = enter(pages)
    page = browser.get(f"/busqueda?{asked}")

    assert page.status_code == 422
    assert told in page.text
    assert 'aria-invalid="true" aria-describedby="hunt-problem"' in page.text
    assert "data-row=" not in page.text
    assert told in browser.get(f"/busqueda/valores?{asked}&campo=source").text
    assert browser.get(f"/busqueda/exportar?{asked}").status_code == 422
    for place in ("", "/histogram", "/values"):
        answer = browser.get(f"/api/v1/events{place}?{asked}&campo=source")
        assert answer.status_code == 422
        assert told in answer.text


def test_a_store_that_does_not_answer_is_not_the_searchers_fault(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_query: EventQuery) -> Page:
        raise Unavailable("El almacén de eventos no responde.")

    monkeypatch.setattr(pages.centre.events, "search", away)
    answer = enter(pages).get("/busqueda")

    assert answer.status_code == 503
    assert "El almacén de eventos no responde." in answer.text


def test_nothing_found_offers_more_time(pages: Pages) -> None:
    text = enter(pages).get("/busqueda?q=usuario:nadie&rango=1h").text

    assert "Ningún registro" in text
    assert "/busqueda?q=usuario%3Anadie&amp;rango=todo" in text


def test_older_pages_show_every_record_once(pages: Pages) -> None:
    browser = enter(pages)
    seen: list[str] = []
    address = "/busqueda?q=linea"
    while address:
        text = browser.get(address).text
        seen += re.findall(r'data-row="([0-9a-f]{32})"', text)
        following = re.search(r'rel="next" href="([^"]+)"', text)
        address = unescape(following[1]) if following else ""

    assert len(seen) == len(set(seen)) == COUNT + 1


def test_a_bar_of_the_histogram_leads_to_as_many_records_as_it_shows(pages: Pages) -> None:
    browser = enter(pages)
    text = browser.get("/busqueda?rango=24h").text
    spec = json.loads(re.search(r"data-spec='([^']+)'", text)[1])  # type: ignore[index]
    [series] = spec["series"]
    bars = [
        (count, url) for count, url in zip(series["values"], series["urls"], strict=True) if url
    ]

    assert sum(count for count, _ in bars) == COUNT
    for count, url in bars[:6]:
        assert counted(browser.get(url).text) == count


def test_values_lead_to_as_many_records_as_they_count(pages: Pages) -> None:
    browser = enter(pages)
    text = browser.get("/busqueda/valores?rango=24h&campo=user.name").text
    counts = [int(one) for one in re.findall(r'num quiet">(\d+)<', text)]
    links = [unescape(one) for one in re.findall(r'href="(/busqueda[^"]+)"', text)]

    assert len(links) == 2 * len(counts) == 8
    for place, count in enumerate(counts):
        assert counted(browser.get(links[2 * place]).text) == count
        assert counted(browser.get(links[2 * place + 1]).text) == COUNT - count


def test_every_value_of_a_record_can_be_searched_for(pages: Pages) -> None:
    browser = enter(pages)
    odd = event_id("test", "1", 900)
    text = browser.get(f"/busqueda/{odd}").text
    links = [unescape(one) for one in re.findall(r'href="(/busqueda\?q=[^"]+)"', text)]
    including = [link for link in links if "NOT" not in link]

    assert "a&#34;b\\c: (d) OR *" in text
    assert len(including) > 8
    for link in including:
        asked = f"/api/v1/events?{link.partition('?')[2]}&size=500"
        assert odd in {one["id"] for one in browser.get(asked).json()["events"]}, link


def test_the_drawer_adds_to_the_search_on_the_screen(pages: Pages) -> None:
    browser = enter(pages)
    screen = "http://127.0.0.1:8000/busqueda?q=usuario%3Aroot&rango=1h"
    headers = {"HX-Request": "true", "HX-Current-URL": screen}
    text = browser.get(f"/busqueda/{event_id('test', '1', 0)}/panel", headers=headers).text

    assert "/busqueda?q=usuario%3Aroot+AND+source%3A%22web_access%22&amp;rango=1h" in text


def test_a_records_number_opens_it(pages: Pages) -> None:
    browser = enter(pages)
    known = event_id("test", "1", 3)

    assert browser.get(f"/busqueda?q=_id:{known}").headers["location"] == f"/busqueda/{known}"
    assert browser.get(f"/busqueda/{'0' * 32}").status_code == 404


def test_what_was_found_is_a_file(pages: Pages) -> None:
    browser = enter(pages)
    answer = browser.get("/busqueda/exportar?q=usuario:root&rango=24h&formato=csv")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))

    assert rows[0][0] == "Fecha y hora"
    assert len(rows) == 1 + COUNT // 4
    assert {row[3] for row in rows[1:]} == {"MINPRU"}
    assert all(row[-1].startswith("'=linea") for row in rows[1:])  # no formula

    lines = browser.get("/busqueda/exportar?rango=todo&formato=jsonl").text.splitlines()
    assert len(lines) == COUNT + 1
    assert json.loads(lines[0])["event.original"] == "=linea 0"

    for form, name in (("ecs", "cgii"), ("ocsf", "class_uid")):
        answer = browser.get(f"/busqueda/exportar?rango=todo&formato={form}")
        assert all(name in json.loads(line) for line in answer.text.splitlines())
        assert answer.headers["content-disposition"].endswith(f".{form}.jsonl")


def test_a_file_has_no_more_than_its_limit(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EXPORT_ROWS_MAX", 10)
    answer = enter(pages).get("/busqueda/exportar?rango=todo&formato=jsonl")

    assert len(answer.text.splitlines()) == 10


def test_each_file_is_in_the_audit_trail(pages: Pages) -> None:
    centre = pages.centre
    with centre.database.transaction() as session:
        user = make_user(session, Role.ANALYST)
    browser = pages.visit(user)
    for address in ("q=usuario:root&rango=24h&formato=ecs", "rango=todo&formato=zzz", "q=("):
        browser.get(f"/busqueda/exportar?{address}")

    with centre.database.reading() as session:
        wanted = select(AuditEntry).where(AuditEntry.action == "events.exported")
        told = session.scalars(wanted.order_by(AuditEntry.id)).all()
        assert list(centre.trail.verify(session)) == []
    day_ago = (NOW - timedelta(days=1)).isoformat()
    rows = {"rows_max": limits.EXPORT_ROWS_MAX}
    assert [(one.actor, one.target, json.loads(one.data)) for one in told] == [
        (f"user:{user.id}", "events", data | rows)
        for data in (
            {"query": "usuario:root", "start": day_ago, "end": NOW.isoformat(), "format": "ecs"},
            {"query": "", "start": "", "end": "", "format": "csv"},
        )
    ]


def test_a_search_is_kept_for_its_person_alone(pages: Pages) -> None:
    mine, other = enter(pages), enter(pages)
    sent = {"name": "Fallos de root", "query": "q=usuario%3Aroot&rango=7d"}
    answer = mine.post("/busqueda/vistas", data=sent)

    assert answer.headers["location"] == "/busqueda?q=usuario%3Aroot&rango=7d"
    text = mine.get("/busqueda").text
    assert "Fallos de root" in text
    assert "Fallos de root" not in other.get("/busqueda").text
    [deleting] = re.findall(r'action="(/busqueda/vistas/\d+/borrar)"', text)
    assert other.post(deleting).status_code == 404
    assert mine.post(deleting).status_code == 303
    assert "Fallos de root" not in mine.get("/busqueda").text


def test_a_person_keeps_a_bounded_number_of_searches(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SAVED_VIEWS_MAX", 2)
    browser = enter(pages)
    answers = [
        browser.post("/busqueda/vistas", data={"name": name, "query": "q=x"}).status_code
        for name in ("a", "b", "b", "c")
    ]

    assert answers == [303, 303, 303, 422]


def test_programs_read_events_by_pages(pages: Pages) -> None:
    browser = enter(pages)
    first = browser.get("/api/v1/events?rango=todo&size=100").json()
    rest = browser.get(f"/api/v1/events?rango=todo&size=100&despues={first['after']}").json()
    steps = browser.get("/api/v1/events/histogram?rango=24h").json()
    values = browser.get("/api/v1/events/values?rango=24h&campo=source").json()["values"]

    assert (len(first["events"]), len(rest["events"]), rest["after"]) == (100, 21, "")
    assert steps["total"] == sum(one["count"] for one in steps["steps"]) == COUNT
    assert {one["value"]: one["count"] for one in values} == {"linux_auth": 60, "web_access": 60}
    assert browser.get("/api/v1/events?q=(").status_code == 422


@pytest.mark.parametrize("role", [Role.REPORTER, Role.OFFICER, Role.MAE, Role.MANAGEMENT])
def test_raw_records_are_for_those_who_handle_incidents(pages: Pages, role: Role) -> None:
    browser = enter(pages, role)
    for address in ("/busqueda", f"/busqueda/{event_id('test', '1', 0)}", "/api/v1/events"):
        assert browser.get(address).status_code == 403


def test_a_month_that_was_set_aside_is_told(pages: Pages) -> None:
    events = pages.centre.settings.data / "events"
    (events / "events-2026-05.sqlite").write_bytes(b"this is no database" * 500)
    browser = enter(pages)
    said = "Faltan los eventos de 2026-05: su archivo está dañado y se apartó como events-2026-05."
    assert said in browser.get("/busqueda?rango=todo").text
    assert said not in browser.get("/busqueda?rango=1h").text
    for address in ("events", "events/histogram", "events/values"):
        path = f"/api/v1/{address}?campo=source&rango"
        assert browser.get(f"{path}=todo").json()["warnings"][0].startswith(said)
        assert browser.get(f"{path}=1h").json()["warnings"] == []


def test_damaged_records_are_counted_on_their_page(pages: Pages) -> None:
    (file,) = (pages.centre.settings.data / "events").glob(f"events-{NOW:%Y-%m}.sqlite")
    db = sqlite3.connect(file)
    db.execute("UPDATE document SET body = x'00' WHERE number = (SELECT max(number) FROM document)")
    db.commit()
    db.close()
    browser = enter(pages)
    said = "1 registro de esta página está dañado y no se muestra."
    assert said in browser.get("/busqueda?rango=todo").text
    assert browser.get("/api/v1/events?rango=todo").json()["warnings"] == [said]
