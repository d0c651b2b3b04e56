"""Pages of every role, light and dark: no serious fault of access, they fit, they ask nobody."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.e2e.country import Country
from tests.e2e.watching import WIDTHS, Visit, picture, picture_of, still, too_wide

ROLES = ("analyst", "management", "administrator", "reporter", "officer")


def serious(page: Page) -> list[str]:
    """Serious and critical faults that axe finds."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')[:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:4]
    ]


def main_pages(country: Country) -> dict[str, tuple[str, str]]:
    """The pages that people live in: name → who and where."""
    case = country.codes["incident0"]
    return {
        "entrar": ("", "/entrar"),
        "mesa": ("analyst", "/mesa/todos"),
        "incidente": ("analyst", f"/incidentes/{case}"),
        "guia": ("analyst", f"/incidentes/{case}?ver=guia"),
        "clasificar": ("analyst", f"/incidentes/{case}/clasificar"),
        "alertas": ("analyst", "/alertas"),
        "busqueda": ("analyst", "/busqueda"),
        "tablero": ("management", "/tableros"),
        "informes": ("management", "/informes"),
        "reportar": ("reporter", "/portal/reportar"),
        "caso": ("reporter", f"/portal/casos/{case}"),
        "plan": ("officer", "/portal/plan"),
        "control": ("officer", f"/planes/{country.plan_id}/controles/1.3"),
        "riesgos": ("officer", f"/planes/{country.plan_id}/riesgos"),
        "personas": ("administrator", "/administracion/personas"),
        "silencios": ("administrator", "/administracion/silencios"),
        "pausa": ("administrator", "/administracion/silencios/semanal"),
        "ayuda": ("reporter", "/ayuda"),
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_main_pages_have_no_serious_fault(visit: Visit, country: Country, theme: str) -> None:
    faults, pages = {}, {}
    for name, (who, path) in main_pages(country).items():
        page = pages[who] = pages.get(who) or visit(who, theme=theme)
        page.goto(path)
        if who:
            page.evaluate("(theme) => { document.documentElement.dataset.theme = theme }", theme)
        still(page)
        if found := serious(page):
            faults[name] = found
        picture_of(page, f"7-acceso/{name}-{theme}")
    assert not faults, faults


@pytest.mark.parametrize("role", ROLES)
def test_every_page_of_the_rail_fits(visit: Visit, role: str) -> None:
    page = visit(role, "/")
    links = page.locator(".rail a.rail-link").all()
    urls = [link.get_attribute("href") or "" for link in links]
    wide = {}
    for url in dict.fromkeys(one for one in urls if one.startswith("/")):
        answer = page.goto(url)
        assert answer is not None
        assert answer.status == 200, url
        assert page.locator("h1").count() == 1, url
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            still(page)
            if found := too_wide(page):
                wide[f"{url} {width}"] = found
    assert not wide, wide


def test_the_drawer_of_an_alert_and_dialogs_are_accessible(visit: Visit) -> None:
    page = visit("analyst2", "/mesa/todos")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.locator("#drawer.open #drawer-title").wait_for()
    still(page)
    assert not serious(page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    picture(page, "7-acceso/atajos")
    assert not serious(page)
