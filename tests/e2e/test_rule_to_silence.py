"""Journey 6: a rule is written, tried, saved, and alerts; then its noise is watched and hidden."""

import itertools
import re
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

from playwright.sync_api import Page, Route, expect

from tests.e2e.watching import PATIENCE_SECONDS, Visit, leave_by, picture, still
from tests.process import RunningCentre

NOISY = "203.0.113.88"
TITLE = "Ingreso de la cuenta kantuta"
YES = "Nov 20 10:00:00 srv sshd[1]: Accepted password for kantuta from 203.0.113.9 port 5 ssh2"
NO = "Nov 20 10:00:00 srv sshd[1]: Accepted password for ana from 203.0.113.9 port 5 ssh2"
DETECTION = """\
detection:
  entrada:
    result: accepted
    user: kantuta
  condition: entrada
level: high
"""


def log_in(running: RunningCentre, source: str, number: int) -> None:
    """As the server's syslog would tell it."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    text = f"Accepted password for kantuta from {source} port {41000 + number} ssh2"
    line = f"<38>1 {at} srv-web01.minpru.gob.bo sshd {7100 + number} - - {text}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(line.encode(), ("127.0.0.1", running.syslog_port))


def until(true: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Ask again until it is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"{what}: not after {seconds} s"
        time.sleep(0.5)


def test_a_rule_is_written_alerts_and_is_then_held_back(
    visit: Visit, running: RunningCentre
) -> None:
    page = visit("coordinator", "/reglas")
    picture(page, "6-reglas/01-lista")
    leave_by(page, page.get_by_role("link", name="Nueva regla"))
    _write(page)
    rule = page.url.split("?")[0]
    picture(page, "6-reglas/05-regla")

    numbers = itertools.count(1)

    def is_told(source: str) -> bool:
        page.goto(rule)
        return page.locator("#history .plain-list a", has_text=source).count() > 0

    def alerts() -> bool:
        log_in(running, NOISY, next(numbers))
        return is_told(NOISY)

    def all_are_in(source: str) -> None:
        """Lines are taken in order: with an alert of another source, all earlier ones are done."""
        log_in(running, source, next(numbers))
        until(lambda: is_told(source), f"the alert of {source}")

    until(alerts, "the new rule alerts")
    _back_test(page, rule)
    _suppress(page, rule)

    def hides() -> bool:
        log_in(running, NOISY, next(numbers))
        return _hidden(page) > 0

    until(hides, "what it watches is counted")
    picture(page, "6-reglas/09-ajustes")
    all_are_in("203.0.113.101")
    _enforce(page)
    assert _hidden(page) == 0
    until(hides, "what it hides is counted")
    all_are_in("203.0.113.102")
    alerts_before, hidden_before = _alerts(page, rule), _hidden(page)
    log_in(running, NOISY, next(numbers))
    all_are_in("203.0.113.103")
    assert _hidden(page) == hidden_before + 1
    assert _alerts(page, rule) == alerts_before + 1, "the other source's alone"


def test_an_answer_that_comes_late_does_not_hide_what_was_checked_last(visit: Visit) -> None:
    page = visit("coordinator")
    page.clock.install()
    page.goto("/reglas/nueva")
    asked: list[Route] = []

    def hold_the_first(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    page.route("**/reglas/comprobar*", hold_the_first)
    with page.expect_request("**/reglas/comprobar*"):
        page.get_by_label("No debe coincidir").fill(NO)
        page.clock.run_for(600)  # the pause after which what was typed is checked
    page.locator("#f-text").fill("title: [")
    page.clock.run_for(600)
    page.evaluate("() => 0")
    assert len(asked) == 1, "the next one waits for the answer"
    with page.expect_response(lambda answer: answer.request != asked[0].request):
        asked[0].continue_()
    still(page)
    expect(page.locator("#checked")).to_contain_text("YAML mal formado")


def _write(page: Page) -> None:
    text = page.locator("#f-text")
    begun = text.input_value()
    own = re.sub(r"(?m)^title: .*", f"title: {TITLE}", begun)
    own = re.sub(r"(?s)detection:.*", DETECTION, own).replace(
        "  - attack.t0000", "  - attack.t1078"
    )
    text.fill(own.replace("result: accepted", "result|contiene: accepted"))
    checked = page.locator("#checked")
    expect(checked).to_contain_text("modificador desconocido «contiene»")
    line = checked.locator("[data-line]").first
    expect(page.locator(".editor-lines b")).to_have_text(line.get_attribute("data-line") or "")
    picture(page, "6-reglas/02-error")
    text.fill(own)
    expect(checked).to_contain_text("Sin errores")
    page.get_by_label("Debe coincidir", exact=True).fill(NO)
    expect(checked).to_contain_text("Falla")
    page.get_by_label("Debe coincidir", exact=True).fill(YES)
    page.get_by_label("No debe coincidir").fill(NO)
    expect(checked.get_by_text("Cumple")).to_have_count(2)
    page.get_by_role("button", name="Ensayar").click()
    expect(page.locator("#tried")).not_to_contain_text("No se guarda nada")
    picture(page, "6-reglas/03-editor")
    leave_by(page, page.get_by_role("button", name="Guardar y poner en vigor"))
    expect(page.locator(".summary")).to_contain_text("Escriba el motivo")
    picture(page, "6-reglas/04-sin-motivo")
    page.get_by_label("Por qué se hace este cambio").fill("La cuenta kantuta es de respaldo.")
    leave_by(page, page.get_by_role("button", name="Guardar y poner en vigor"))
    expect(page.get_by_role("heading", level=1, name=TITLE)).to_be_visible()


def _back_test(page: Page, rule: str) -> None:
    page.goto(rule)
    leave_by(page, page.get_by_role("link", name="Probar en registros guardados"))
    picture(page, "6-reglas/06-periodo")
    leave_by(page, page.get_by_role("button", name="Probar", exact=True))

    def done() -> bool:
        page.reload()
        return page.get_by_role("heading", name="Por clave").count() > 0

    until(done, "the back-test ends")
    still(page)
    picture(page, "6-reglas/07-prueba")


def _suppress(page: Page, rule: str) -> None:
    page.goto(rule)
    leave_by(page, page.locator("#history .plain-list a", has_text=NOISY).first)
    leave_by(page, page.get_by_role("link", name="Suprimir esta clave"))
    expect(page.get_by_label("Clave")).to_have_value(re.compile(r"203\.0\.113\.88"))
    page.locator("#f-reason").fill("Es el respaldo nocturno de kantuta.")
    page.get_by_role("button", name="Ver qué habría ocultado").click()
    expect(page.locator("#preview")).to_contain_text(re.compile(r"Habría ocultado \d+ alerta"))
    picture(page, "6-reglas/08-suprimir")
    leave_by(page, page.get_by_role("button", name="Guardar"))
    expect(page.locator("#tuning")).to_contain_text("En observación")


def _hidden(page: Page) -> int:
    page.goto("/reglas/ajustes?q=kantuta")
    cell = page.locator("td.col-hidden, td[data-label='Ocultas']").first
    return int(re.sub(r"\D", "", cell.inner_text()) or 0)


def _enforce(page: Page) -> None:
    page.get_by_role("button", name="Poner en vigor").first.click()
    leave_by(page, page.locator("#confirm").get_by_role("button", name="Sí, continuar"))
    page.goto("/reglas/ajustes?q=kantuta")
    expect(page.locator("tbody tr").first).to_contain_text("En vigor")


def _alerts(page: Page, rule: str) -> int:
    page.goto(rule)
    said = page.locator("#history .figures-row .figure b").nth(1).inner_text()
    return int(re.sub(r"\D", "", said))
