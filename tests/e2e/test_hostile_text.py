"""Journey 8: text that would be a script stays text wherever somebody reads it."""

import socket
import time
from datetime import UTC, datetime, timedelta
from io import BytesIO

from sqlalchemy import select

from cgii.centre import Centre
from cgii.model.alerts import AlertGroup
from cgii.model.entities import Entity
from cgii.model.incidents import Incident
from cgii.model.people import User
from cgii.respond.evidence import attach
from cgii.respond.groups import promote
from cgii.respond.notices import NoticeForm, file_notice
from cgii.respond.timeline import comment
from cgii.store.files import save
from tests.e2e.country import Country
from tests.e2e.watching import PATIENCE_SECONDS, Visit, still
from tests.process import RunningCentre

PAYLOADS = (
    "<script>window.__xss=1</script>",
    '"><img src=x onerror=window.__xss=1>',
    "'><svg onload=window.__xss=1>",
    "</textarea></script><script>window.__xss=1</script>",
    "{{constructor.constructor('window.__xss=1')()}}",
    "javascript:window.__xss=1",
)
ALL = " ".join(PAYLOADS)


def send(running: RunningCentre, lines: list[str]) -> None:
    """Lines by syslog."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        for line in lines:
            wire.sendto(line.encode(), ("127.0.0.1", running.syslog_port))


def hostile_lines() -> list[str]:
    """Failed logins whose user name is a script, and requests whose browser is one."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    lines = []
    for number in range(6):
        user = PAYLOADS[number].replace(" ", "/")
        text = f"Failed password for invalid user {user} from 198.51.100.66 port {4000 + number}"
        lines.append(f"<38>1 {at} srv-mal sshd {number} - - {text} ssh2")
        agent = PAYLOADS[number].replace('"', "'")
        clock = datetime.now(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
        asked = f'"GET /../../etc/passwd HTTP/1.1" 404 9 "-" "sqlmap {agent}"'
        web = f"198.51.100.67 - - [{clock}] {asked}"
        lines.append(f"<134>1 {at} srv-mal nginx {number} - - {web}")
    return lines


def plant(record: Centre, country: Country) -> str:
    """A notice, an entity's name, a comment and a file full of scripts; the incident's number."""
    with record.database.transaction() as session:
        reporter = session.get_one(User, country.users["other_reporter"])
        entity = session.get_one(Entity, reporter.entity_id)
        entity.name = f"Autoridad {PAYLOADS[1]}"
        entity.note = ALL
        notice = file_notice(
            record.act(session, reporter, via="web"),
            NoticeForm(
                entity_id=entity.id,
                title=f"Título {PAYLOADS[0]}",
                description=ALL,
                noticed_at=record.clock() - timedelta(hours=1),
                affected=ALL,
                contact_name=PAYLOADS[2],
                contact_phone=PAYLOADS[1],
                contact_email="a@b.bo",
                actions_taken=ALL,
                help_needed=ALL,
                observables=(("url", PAYLOADS[5]), ("file", PAYLOADS[1])),
            ),
        )
        session.flush()  # the incident's number is asked
        incident = session.get_one(Incident, notice.incident_id)
        analyst = session.get_one(User, country.users["analyst"])
        act = record.act(session, analyst, via="web")
        comment(act, incident, ALL, shared=True)
        stored = save(BytesIO(b"x"), record.files_folder)
        attach(act, stored, f"{PAYLOADS[1]}.html", incident=incident, is_shared=True)
        return incident.code


def test_scripts_in_logs_and_forms_stay_text(
    visit: Visit, record: Centre, country: Country, running: RunningCentre
) -> None:
    code = plant(record, country)
    send(running, hostile_lines())
    groups = wait_for_groups(record)
    paths = [
        f"/incidentes/{code}?ver=todo",
        f"/incidentes?panel=/incidentes/{code}/panel",
        "/incidentes?q=%3Cscript%3E",
        "/mesa/todos",
        "/mesa/nuevos",
        "/alertas",
        *[f"/alertas/{number}" for number in groups],
        "/busqueda?q=198.51.100.66",
        "/busqueda?q=srv-mal",
        "/buscar?q=%3Cscript%3Ewindow.__xss%3D1%3C/script%3E",
        "/entidades",
    ]
    for name, more in (
        ("analyst", ["/tableros/operations"]),
        ("administrator", ["/administracion/auditoria", "/administracion"]),
        ("other_reporter", ["/portal", "/portal/casos", f"/portal/casos/{code}"]),
    ):
        page = visit(name)
        for path in (paths if name == "analyst" else []) + more:
            page.goto(path)
            still(page)
            assert page.evaluate("() => typeof window.__xss") == "undefined", path
            assert page.locator("main script:not([type='application/json'])").count() == 0, path
            assert page.locator("[onerror], [onload]").count() == 0, path


def wait_for_groups(record: Centre) -> list[int]:
    """The alerts that the hostile lines raised; one of them is promoted, title and all."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with record.database.transaction() as session:
            found = session.scalars(
                select(AlertGroup).where(AlertGroup.key_text.contains("198.51.100.6"))
            ).all()
            if found:
                promote(record.act(session, via="web"), found[0])
                return [one.id for one in found]
        assert time.monotonic() < deadline, "no alert from the hostile lines"
        time.sleep(0.2)
