"""Rules, sources and sensors: what is in force, what is refused, and what a record comes to."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cgii.model.event import Origin, Raw
from cgii.model.people import Role
from cgii.model.records import Reject, Sensor, SourceVolume
from cgii.pipeline import take
from tests.make import NOW, make_entity, make_user
from tests.make_measures import make_group
from tests.make_web import Pages, make_centre, make_pages

SUDO = "cbb5c803-9850-53ec-ba7f-5ad9be3c5085"
REFUSED = (
    "Nov 20 10:00:00 srv sudo: juan : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/juan ; "
    "USER=root ; COMMAND=/bin/bash"
)
ALLOWED = "Nov 20 10:00:00 srv sudo: ana : TTY=pts/0 ; PWD=/home/ana ; USER=root ; COMMAND=/bin/ls"
ACCESS = '203.0.113.7 - - [20/Nov/2026:09:00:00 -0400] "GET /x.php?id=1 HTTP/1.1" 200 512 "-" "a"'


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    site = tmp_path / "site"
    (site / "rules" / "sigma").mkdir(parents=True)
    (site / "rules" / "sigma" / "rota.yml").write_text("title: Rota\nlogsource:\n  product: x\n")
    centre = make_centre(tmp_path / "data", site=site)
    centre.clock = lambda: NOW
    yield make_pages(centre)
    centre.close()


def enter(pages: Pages, role: Role = Role.ANALYST) -> TestClient:
    with pages.centre.database.transaction() as session:
        user = make_user(session, role)
    return pages.visit(user)


def text_of(html: str) -> str:
    """What a reader sees, without the tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html.replace("<wbr>", ""))).split())


def test_every_rule_in_force_is_listed_and_every_refused_file_with_its_line(pages: Pages) -> None:
    browser = enter(pages)
    rules = pages.centre.content.rules
    shown: set[str] = set()
    for page in range(1, 2 + len(rules.all) // 50):
        text = browser.get(f"/reglas?pagina={page}").text
        shown.update(re.findall(r'data-row="([^"]+)"', text))
    refused = browser.get("/reglas/rechazadas").text

    assert len(shown) == len(rules.all) > 30
    assert re.search(r"rules/sigma/rota\.yml:\d+</code>", refused)
    assert "no es una regla Sigma" in refused
    assert str(pages.centre.settings.site) not in refused


def test_precision_comes_from_verdicts(pages: Pages) -> None:
    with pages.centre.database.transaction() as session:
        lately = {"created_at": NOW - timedelta(days=2)}
        make_group(session, SUDO, verdict="true_positive", alert_count=3, **lately)
        make_group(session, SUDO, verdict="false_positive", alert_count=1, **lately)
        make_group(session, SUDO, alert_count=1, **lately)
        make_group(session, SUDO, verdict="false_positive", created_at=NOW - timedelta(days=40))
    browser = enter(pages)
    [row] = re.findall(rf'<tr data-row="{SUDO}".*?</tr>', browser.get("/reglas").text, re.DOTALL)
    page = text_of(browser.get(f"/reglas/{SUDO}").text)

    assert "50 % n=2" in text_of(row)
    assert "3 grupos 5 alertas 50 % precisión, n = 2" in page


def test_rules_are_found_by_level_tactic_and_words(pages: Pages) -> None:
    browser = enter(pages)

    def shown(query: str) -> set[str]:
        return set(re.findall(r'data-row="([^"]+)"', browser.get(f"/reglas?{query}").text))

    counting = {rule.id for rule in pages.centre.content.rules.correlations}
    assert SUDO in shown("nivel=low&tactica=privilege-escalation")
    assert SUDO in shown("q=t1548.003+sudo")
    assert SUDO in shown("tecnica=T1548&origen=program")
    assert SUDO in shown("tecnica=T1548.003")
    assert SUDO in shown("q=Sudo+Caching")  # the name of its technique
    assert shown("tipo=correlation") <= counting
    assert shown("nivel=inventado") == shown("")
    assert shown("q=zzzz") == shown("origen=here") == set()


def test_the_list_is_sorted_by_what_its_head_says(pages: Pages) -> None:
    browser = enter(pages)
    titles = re.findall(
        r'<a title="([^"]+)" href="/reglas/', browser.get("/reglas?orden=title").text
    )

    assert titles == sorted(titles, key=str.casefold)
    assert len(titles) == 50


def test_noisy_rules_are_those_with_alerts_and_say_what_was_decided(pages: Pages) -> None:
    with pages.centre.database.transaction() as session:
        lately = {"created_at": NOW - timedelta(days=2)}
        make_group(session, SUDO, verdict="true_positive", alert_count=3, **lately)
        make_group(session, SUDO, verdict="benign", alert_count=4, **lately)
        make_group(session, SUDO, verdict="false_positive", alert_count=2, **lately)
    text = enter(pages).get("/reglas/ruidosas").text
    [row] = re.findall(r'<tr data-row="([^"]+)".*?</tr>', text, re.DOTALL)

    assert row == SUDO
    assert "9 3 33 % n=3" in text_of(text)
    assert "1 ataque, 1 falso positivo, 1 benigno" in text


def test_the_matrix_leads_from_a_technique_to_its_rules(pages: Pages) -> None:
    browser = enter(pages)
    text = browser.get("/reglas/attack").text
    links = re.findall(r'href="(/reglas\?tactica=[^"]+tecnica=T1548)"', text)

    assert "Escalada de privilegios" in text_of(text)
    assert "Abuse Elevation Control Mechanism" in text
    assert any(SUDO in browser.get(unescape(link)).text for link in links)


def test_a_rule_says_in_words_what_it_means(pages: Pages) -> None:
    text = text_of(enter(pages).get(f"/reglas/{SUDO}").text)

    assert "En registros de linux" in text
    assert "event.outcome es failure" in text


def test_the_list_is_a_file(pages: Pages) -> None:
    lines = enter(pages).get("/reglas?formato=csv&tipo=correlation").text.splitlines()

    assert lines[0].startswith("\ufeffRegla,Id,Nivel")
    assert len(lines) == 1 + len(pages.centre.content.rules.correlations)


def test_every_rules_page_opens_and_its_examples_hold(pages: Pages) -> None:
    # A record dated days ahead of the clock is not believed: examples are of the past.
    pages.centre.clock = lambda: NOW + timedelta(days=30)
    browser = enter(pages)
    rules = pages.centre.content.rules
    for rule in (*rules.single[::9], *rules.correlations):  # tests/content runs all examples
        answer = browser.get(f"/reglas/{rule.id}")
        assert answer.status_code == 200
        assert "<span>Cumple</span>" in answer.text or rule.id in rules.silent, rule.title
        assert "<span>Falla</span>" not in answer.text, rule.title


def test_a_record_that_matches_says_why(pages: Pages) -> None:
    sent = {"record": REFUSED, "source": "auto"}
    text = text_of(enter(pages).post(f"/reglas/{SUDO}/probar", data=sent).text)

    assert "Coincide . Lo leyó la fuente linux_auth" in text
    assert "selection event.outcome 'failure' failure" in text


def test_a_record_that_does_not_match_says_what_is_missing(pages: Pages) -> None:
    sent = {"record": ALLOWED, "source": "linux_auth"}
    answer = enter(pages).post(f"/reglas/{SUDO}/probar", data=sent)
    text = text_of(answer.text)

    assert "No coincide" in text
    assert "selection event.outcome 'failure' success" in text
    assert "USER=root ; COMMAND=/bin/ls" in text  # what was pasted is kept


def test_a_record_of_another_kind_of_source_is_said_to_be_so(pages: Pages) -> None:
    sent = {"record": ACCESS, "source": "web_access"}
    text = text_of(enter(pages).post(f"/reglas/{SUDO}/probar", data=sent).text)

    assert "El registro es de otra clase de fuente." in text


def test_a_correlation_is_tried_on_the_rules_that_it_counts(pages: Pages) -> None:
    rules = pages.centre.content.rules.correlations
    counting = next(rule for rule in rules if SUDO in rule.rule_ids)
    sent = {"record": REFUSED, "source": "auto"}
    text = text_of(enter(pages).post(f"/reglas/{counting.id}/probar", data=sent).text)

    assert "Coincide : sudo negado" in text


def test_nothing_pasted_is_asked_for(pages: Pages) -> None:
    answer = enter(pages).post(f"/reglas/{SUDO}/probar", data={"record": " "})

    assert answer.status_code == 422
    assert "Este dato es obligatorio." in answer.text


def test_auditors_read_rules_and_try_none(pages: Pages) -> None:
    auditor = enter(pages, Role.AUDITOR)

    assert "Probar con registros" not in auditor.get(f"/reglas/{SUDO}").text
    assert auditor.post(f"/reglas/{SUDO}/probar", data={"record": REFUSED}).status_code == 403
    assert enter(pages, Role.REPORTER).get("/reglas").status_code == 403


def test_trying_stores_nothing(pages: Pages) -> None:
    browser = enter(pages)
    browser.post(f"/reglas/{SUDO}/probar", data={"record": REFUSED})
    browser.post("/fuentes/web_access/probar", data={"record": ACCESS})

    assert pages.centre.events.stats().events == 0


def test_a_pasted_line_shows_the_event_it_becomes(pages: Pages) -> None:
    answer = enter(pages).post("/fuentes/web_access/probar", data={"record": ACCESS})
    text = text_of(answer.text)

    assert "La fuente web_access lo lee: ocurrió el 20 nov 2026, 09:00." in text
    assert "source.ip 203.0.113.7" in text
    assert "sc-status 200" in text


def test_a_pasted_line_that_is_refused_says_why(pages: Pages) -> None:
    answer = enter(pages).post("/fuentes/web_access/probar", data={"record": "basura"})

    assert "Ningún patrón de la fuente lo reconoce" in answer.text
    assert ">basura</textarea>" in answer.text


def test_pasted_lines_are_read_one_by_one(pages: Pages) -> None:
    sent = {
        "record": f"{ACCESS}\r\n\r\nbasura\r\n{ACCESS.replace('203.0.113.7', '203.0.113.8')}\r\n"
    }
    text = text_of(enter(pages).post("/fuentes/web_access/probar", data=sent).text)

    assert "Leídos: 2 de 3 registros." in text
    assert "source.ip 203.0.113.7" in text
    assert "source.ip 203.0.113.8" in text
    assert "Ningún patrón de la fuente lo reconoce" in text


def test_two_pasted_syslog_lines_are_two_events(pages: Pages) -> None:
    sent = {"record": f"{REFUSED}\n{ALLOWED}"}
    text = text_of(enter(pages).post("/fuentes/linux_auth/probar", data=sent).text)

    assert "Leídos: 2 de 2 registros." in text
    assert "event.outcome failure" in text
    assert "event.outcome success" in text


def test_pasted_records_of_many_lines_are_cut_as_in_a_file(pages: Pages) -> None:
    browser = enter(pages)
    heading = "#Fields: date time c-ip cs-uri-stem sc-status"
    access = "2026-11-20 14:00:01 203.0.113.7 /a.aspx 200"
    iis = f"{heading}\n{access}\n{access}"
    traced = "2026-11-20 10:00:00 -04 ERROR\n  detalle"
    events = json.dumps(
        [{"event_type": "alert", "timestamp": "2026-11-20T14:00:00Z"}] * 2, indent=1
    )
    for source, record, count in (
        ("microsoft_iis", iis, 2),
        ("microsoft_iis", heading, 0),
        ("postgresql", traced, None),
        ("suricata_eve", events, 2),
    ):
        text = text_of(browser.post(f"/fuentes/{source}/probar", data={"record": record}).text)
        assert ("Leídos:" in text) == (count == 2), (source, text)


def test_a_rule_is_tried_on_each_pasted_line(pages: Pages) -> None:
    sent = {"record": f"{ALLOWED}\n{REFUSED}\n{ACCESS}", "source": "auto"}
    text = text_of(enter(pages).post(f"/reglas/{SUDO}/probar", data=sent).text)

    assert "No coincide" in text
    assert "La fuente syslog lo rechaza" in text  # each line is recognised by itself
    assert "Coincide . Lo leyó la fuente linux_auth" in text


def test_of_too_many_pasted_lines_the_first_are_shown(pages: Pages) -> None:
    sent = {"record": "\n".join([ACCESS] * 60)}
    text = text_of(enter(pages).post("/fuentes/web_access/probar", data=sent).text)

    assert "Leídos: 50 de 60 registros. Se miran solo los primeros 50." in text


def test_refused_records_are_grouped_by_reason_with_samples(pages: Pages) -> None:
    lines = [b"basura uno", b"basura dos", ACCESS.encode()]
    origin = Origin("web_access", "local/web_access", "1")
    take(pages.centre, origin, [Raw(n, line) for n, line in enumerate(lines)])
    with pages.centre.database.reading() as session:
        assert session.query(Reject).count() == 2
    browser = enter(pages)
    text = text_of(browser.get("/fuentes/web_access").text)

    assert "Ningún patrón de la fuente lo reconoce 2" in text
    assert "basura uno" in text
    assert "1 eventos en 24 h 2 rechazos en 24 h" in text
    [row] = re.findall(
        r'<tr data-row="web_access".*?</tr>', browser.get("/fuentes").text, re.DOTALL
    )
    assert "66,7 %" in text_of(row)


def test_a_source_that_nobody_defined_is_shown_as_such(pages: Pages) -> None:
    with pages.centre.database.transaction() as session:
        session.add(SourceVolume(hour=NOW, source="rara", sensor_key="sensor:1", reject_count=4))
    browser = enter(pages)

    assert "Sin definición" in browser.get("/fuentes").text
    assert "Nadie escribió todavía" in browser.get("/fuentes/rara").text
    assert browser.get("/fuentes/ninguna").status_code == 404


def add_sensors(pages: Pages) -> None:
    with pages.centre.database.transaction() as session:
        entity = make_entity(session, acronym="MINPRU")
        for number, hours in enumerate((1, 30, None), start=1):
            heard = None if hours is None else NOW - timedelta(hours=hours)
            session.add(
                Sensor(
                    id=number,
                    name=f"sensor-{number}",
                    entity_id=entity.id,
                    token_hash=str(number),
                    created_at=NOW - timedelta(days=90),
                    heard_at=heard,
                )
            )
        volume = {"source": "linux_auth", "sensor_key": "sensor:1"}
        session.add(SourceVolume(hour=NOW - timedelta(hours=2), event_count=1200, **volume))
        session.add(SourceVolume(hour=NOW - timedelta(hours=40), event_count=9, **volume))


def test_silent_sensors_stand_out(pages: Pages) -> None:
    add_sensors(pages)
    text = enter(pages).get("/sensores").text
    rows = {
        name: text_of(row)
        for name, row in re.findall(r'<tr data-row="(\d)"(.*?)</tr>', text, re.DOTALL)
    }

    assert "2 sensores no se oyen desde hace más de un día" in text
    assert "Se lo oye" in rows["1"]
    assert "1.200" in rows["1"]
    assert "En silencio" in rows["2"]
    assert "Nunca se lo oyó" in rows["3"]


def test_only_the_silent_are_shown_when_asked(pages: Pages) -> None:
    add_sensors(pages)
    text = enter(pages).get("/sensores?callado=si").text

    assert set(re.findall(r'<tr data-row="(\d)"', text)) == {"2", "3"}


def test_an_entity_sees_its_own_sensors_only(pages: Pages) -> None:
    add_sensors(pages)
    reporter = enter(pages, Role.REPORTER)  # of another entity

    assert "sensor-1" not in reporter.get("/sensores").text
    assert reporter.get("/sensores/1").status_code == 404
    assert reporter.get("/sensores/1/panel").status_code == 404


def test_a_sensors_page_and_drawer_tell_its_delay(pages: Pages) -> None:
    add_sensors(pages)
    line = f"{NOW - timedelta(minutes=10):%Y-%m-%dT%H:%M:%S}Z srv sshd[1]: Failed password for root"
    origin = Origin("linux_auth", "sensor:1/linux_auth", "1", sensor_id=1, entity_id=1)
    take(pages.centre, origin, [Raw(1, f"{line} from 203.0.113.9 port 5 ssh2".encode())])
    browser = enter(pages)

    for address in ("/sensores/1", "/sensores/1/panel"):
        assert "10 min demora habitual" in text_of(browser.get(address).text)


def test_a_long_field_name_breaks_after_its_dots_only(pages: Pages) -> None:
    html = enter(pages).post("/fuentes/web_access/probar", data={"record": ACCESS}).text

    assert '<th scope="row">http.<wbr>response.<wbr>status_<wbr>code</th>' in html
