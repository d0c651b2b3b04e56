"""The desk by keyboard; themes that stay; drafts that survive; two people at the same form."""

import re
from datetime import datetime, timedelta

from playwright.sync_api import Page, Route, expect

from tests.e2e.country import PASSWORD, Country
from tests.e2e.watching import Visit, leave_by, picture, still


def test_a_person_signs_in_by_the_page(visit: Visit) -> None:
    page = visit("", "/mesa")
    expect(page).to_have_url(re.compile("/entrar"))
    picture(page, "6-teclado/01-entrar")
    page.get_by_label("Correo").fill("analyst@cgii.example")
    page.get_by_label("Contraseña").fill("otra cosa")
    leave_by(page, page.get_by_role("button", name="Ingresar"))
    expect(page.locator(".summary")).to_be_visible()
    picture(page, "6-teclado/02-clave-equivocada")
    page.get_by_label("Contraseña").fill(PASSWORD)
    leave_by(page, page.get_by_role("button", name="Ingresar"))
    expect(page).to_have_url(re.compile("/mesa"))


def test_the_desk_is_worked_by_keyboard(visit: Visit) -> None:
    page = visit("analyst2")
    page.clock.install()
    page.goto("/mesa/todos")
    rows = page.locator("tr[data-row]")
    rows.first.wait_for()
    page.keyboard.press("j")
    expect(rows.nth(0)).to_have_class(re.compile("here"))
    page.keyboard.press("j")
    expect(rows.nth(1)).to_have_class(re.compile("here"))
    page.keyboard.press("k")
    expect(rows.nth(0)).to_have_class(re.compile("here"))
    page.keyboard.press("Enter")
    drawer = page.locator("#drawer.open")
    expect(drawer.locator("#drawer-title")).to_be_visible()
    expect(page).to_have_url(re.compile("panel="))
    picture(page, "6-teclado/03-panel")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    inside = "() => document.querySelector('tr.here').contains(document.activeElement)"
    assert page.evaluate(inside), "the focus goes back to the row"
    page.keyboard.press("/")
    expect(page.locator("#top-search")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    keys = page.locator("dialog#keys[open]")
    expect(keys).to_be_visible()
    picture(page, "6-teclado/04-ayuda")
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    page.clock.pause_at(datetime.now() + timedelta(minutes=1))  # the second key is never late
    page.keyboard.press("g")
    page.keyboard.press("i")
    expect(page).to_have_url(re.compile("/incidentes"))


def test_the_key_a_takes_the_row(visit: Visit, country: Country) -> None:
    code = country.codes["incident3"]
    page = visit("analyst2", f"/mesa/sin-responsable?q={code}")
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page.locator(".toast-line")).to_be_visible()
    expect(page.locator("tr[data-row]")).to_have_count(0)
    page.goto(f"/mesa/mios?q={code}")
    expect(page.locator("tr[data-row]")).to_have_count(1)


def test_the_theme_stays(visit: Visit) -> None:
    page = visit("coordinator", "/mesa")
    with page.expect_response("**/cuenta/preferencias"):
        page.locator("header [data-turn-theme].only-wide").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    picture(page, "6-teclado/05-oscuro")


def test_a_draft_survives_a_reload(visit: Visit, country: Country) -> None:
    page = visit("analyst2", f"/incidentes/{country.codes['incident1']}")
    page.locator(".comment-box textarea").fill("Se llamó al RSI y no contestó.")
    expect(page.locator("[data-draft-state]").first).to_have_text("Borrador guardado")
    page.reload()
    expect(page.locator(".comment-box textarea")).to_have_value("Se llamó al RSI y no contestó.")
    expect(page.locator(".comment-box .note")).to_contain_text("Se recuperó")
    picture(page, "6-teclado/06-borrador")


def test_a_draft_that_comes_late_takes_no_word_away(visit: Visit, country: Country) -> None:
    page = visit("coordinator")
    asked: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "GET":
            asked.append(route)
        else:
            route.continue_()

    page.route("**/borradores/*", hold)
    with page.expect_request("**/borradores/*"):
        page.goto(f"/incidentes/{country.codes['incident1']}")
    words = page.locator(".comment-box textarea")
    words.fill("Lo que escribo ahora.")
    with page.expect_response(lambda answer: answer.request.method == "GET"):
        asked[0].fulfill(json={"values": {"text": "Lo de ayer."}, "saved_at": None})
    still(page)
    expect(words).to_have_value("Lo que escribo ahora.")
    expect(page.locator(".comment-box .note")).to_have_count(0)


def test_a_comment_that_was_sent_does_not_come_back(visit: Visit, country: Country) -> None:
    page = visit("coordinator", f"/incidentes/{country.codes['incident3']}")
    page.locator(".comment-box textarea").fill("Ya está dicho.")
    expect(page.locator("[data-draft-state]").first).to_have_text("Borrador guardado")
    leave_by(page, page.get_by_role("button", name="Comentar"))
    with page.expect_response("**/borradores/*"):
        page.reload()
    still(page)
    expect(page.locator(".timeline")).to_contain_text("Ya está dicho.")
    expect(page.locator(".comment-box textarea")).to_have_value("")


def test_of_two_who_write_at_once_none_loses_a_word(visit: Visit, country: Country) -> None:
    code = country.codes["incident2"]
    first, second = visit("analyst"), visit("coordinator")
    for page in (first, second):
        page.goto(f"/incidentes/{code}/clasificar")
    _classify(first, "malicious-code.infected-system", "Equipo infectado en contabilidad")
    expect(first).to_have_url(re.compile(rf"/incidentes/{code}(\?.*)?$"))
    _classify(second, "availability.outage", "Contabilidad sin servicio")
    expect(second.locator("main .note-warn, main .summary").first).to_be_visible()
    expect(second.locator("#f-title")).to_have_value("Contabilidad sin servicio")
    picture(second, "6-teclado/07-conflicto")
    first.reload()
    expect(first.locator("h1")).to_have_text("Equipo infectado en contabilidad")


def _classify(page: Page, rsit: str, title: str) -> None:
    page.locator("#f-rsit").select_option(rsit)
    page.locator("#f-title").fill(title)
    leave_by(page, page.locator("main form .form-send .btn-primary"))
