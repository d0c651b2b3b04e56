"""Journey 1: six failed logins by syslog become an incident, worked until it is closed."""

import re
import socket
import time
from datetime import UTC, datetime

from playwright.sync_api import Page, expect

from tests.e2e.watching import PATIENCE_SECONDS, Visit, leave_by, picture
from tests.process import RunningCentre

ATTACKER = "203.0.113.77"


def send_failed_logins(
    running: RunningCentre, *, user: str = "root", source: str = ATTACKER
) -> None:
    """As `logger --server 127.0.0.1 --udp` would, six times."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        for number in range(6):
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            text = f"Failed password for {user} from {source} port {50000 + number} ssh2"
            line.sendto(
                f"<38>1 {at} srv-web01.minpru.gob.bo sshd {4100 + number} - - {text}".encode(),
                ("127.0.0.1", running.syslog_port),
            )


def find_on_desk(page: Page, text: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Look at the desk until a row says so."""
    deadline = time.monotonic() + seconds
    while True:
        page.goto("/mesa/nuevos")
        if page.locator("tr[data-row]", has_text=text).count():
            return
        assert time.monotonic() < deadline, f"{text} is not on the desk after {seconds} s"
        time.sleep(0.5)


def choose(page: Page, label: str, option: str) -> None:
    """Choose in a list by the words that a person reads."""
    page.get_by_label(label).first.select_option(label=option)


def test_six_failed_logins_become_a_closed_incident(visit: Visit, running: RunningCentre) -> None:
    page = visit("analyst", "/mesa/nuevos")
    picture(page, "1-registro/01-mesa-vacia")
    send_failed_logins(running)
    find_on_desk(page, "Fuerza bruta contra SSH")
    picture(page, "1-registro/02-mesa-nuevos")
    _read_why(page)
    _promote_and_classify(page)
    code = page.url.split("/")[-1].split("?")[0]
    _walk(page, code)
    _comment_and_stage(page, code)
    _close(page, code)
    page.goto("/incidentes?q=" + code)
    row = page.locator("tr[data-row]", has_text=code)
    expect(row).to_contain_text("Cerrado")
    picture(page, "1-registro/13-lista")


def _read_why(page: Page) -> None:
    page.locator("tr[data-row]", has_text="Fuerza bruta contra SSH").locator("td").nth(1).click()
    drawer = page.locator("#drawer.open")
    expect(drawer.get_by_role("heading", name="Fuerza bruta contra SSH")).to_be_visible()
    expect(drawer).to_contain_text("Por qué se disparó")
    expect(drawer).to_contain_text(ATTACKER)
    expect(drawer.locator("pre.raw").first).to_contain_text("Failed password for root")
    expect(drawer).to_contain_text(
        "Ministerio de Pruebas y Ensayos"
    )  # known by the domain of the host
    picture(page, "1-registro/03-panel")


def _promote_and_classify(page: Page) -> None:
    page.locator("#drawer.open").get_by_role("button", name="Promover a incidente").click()
    page.wait_for_url("**/incidentes/CGII-*")
    picture(page, "1-registro/04-incidente")
    take = page.locator("main").get_by_role("button", name="Tomar", exact=True)
    if take.count():
        leave_by(page, take)
    page.locator("main").get_by_role("link", name="Clasificar").first.click()
    form = page.locator("#drawer.open form")
    expect(form).to_be_visible()
    form.locator("#f-rsit").select_option("intrusion-attempts.brute-force")
    form.locator("#f-service_impact").select_option("none")
    picture(page, "1-registro/05-clasificar")
    leave_by(page, form.locator(".form-send .btn-primary"))
    expect(page).to_have_url(re.compile("/incidentes/CGII-"))
    expect(page.locator("#drawer.open")).to_have_count(0)
    expect(page.locator(".page-lead")).to_contain_text("Fuerza bruta")


def _walk(page: Page, code: str) -> None:
    page.goto(f"/incidentes/{code}?ver=guia")
    picture(page, "1-registro/06-guia-propuesta")
    leave_by(page, page.get_by_role("button", name="Iniciar").first)
    for step in range(12):
        now = page.locator(".step-now")
        if not now.count():
            break
        for group in now.locator("fieldset").all():
            group.get_by_label("No", exact=True).check()
        for field in now.locator("input[type=text]").all():
            field.fill("ninguna")
        now.locator("textarea").fill(f"Paso {step + 1} hecho por el analista.")
        if step in (0, 1):
            picture(page, f"1-registro/07-paso-{step + 1}")
        leave_by(page, now.get_by_role("button", name="Hecho, seguir"))
    expect(page.locator(".step-now")).to_have_count(0)
    expect(page.locator(".run")).to_contain_text("Terminada")
    picture(page, "1-registro/08-guia-terminada")


def _comment_and_stage(page: Page, code: str) -> None:
    page.goto(f"/incidentes/{code}")
    page.locator(".comment-box textarea").fill("Se bloqueó el origen en el cortafuegos.")
    leave_by(page, page.get_by_role("button", name="Comentar"))
    expect(page.locator(".timeline")).to_contain_text("Se bloqueó el origen")
    for stage in ("contained", "recovered", "resolved"):
        page.goto(f"/incidentes/{code}/etapa")
        if page.locator(f"#f-stage option[value={stage}]").count() == 0:
            continue  # the playbook has recorded it
        page.locator("#f-stage").select_option(stage)
        page.locator("#f-reason").fill("Según lo que informó la entidad.")
        if stage == "contained":
            picture(page, "1-registro/09-etapa")
        leave_by(page, page.locator("main form .btn-primary").last)
        expect(page).to_have_url(re.compile(rf"/incidentes/{code}(\?.*)?$"))
    picture(page, "1-registro/10-cronologia")


def _close(page: Page, code: str) -> None:
    page.goto(f"/incidentes/{code}/cerrar")
    page.locator("#f-reason").select_option(index=1)
    page.locator("#f-note").fill("Intentos sin éxito; origen bloqueado.")
    for name in ("root_cause", "lessons"):
        page.locator(f"#f-{name}").fill("El servicio estaba publicado sin restricción de origen.")
    page.locator("#f-failed_controls details").first.locator("summary").click()
    page.locator("#f-failed_controls input").first.check()
    picture(page, "1-registro/11-cerrar")
    leave_by(page, page.locator("main form .form-send .btn-primary"))
    expect(page.locator(".page-lead")).to_contain_text("Cerrado")
    picture(page, "1-registro/12-cerrado")
