"""Journey 4: management opens the boards, the rows behind a number, and takes a PDF along."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.watching import Visit, leave_by, picture

BOARDS = ("goals", "response", "operations", "plans")
JOB_SECONDS = 240


def test_a_number_opens_its_rows_and_the_month_is_a_pdf(visit: Visit, tmp_path: Path) -> None:
    page = visit("management", "/")
    expect(page).to_have_url(re.compile("/tableros"))
    for board in BOARDS:
        page.goto(f"/tableros/{board}")
        expect(page.locator(".panel").first).to_be_visible()
        picture(page, f"4-tableros/01-{board}")
    _open_a_number(page)
    _take_the_pdf(page, tmp_path)


def _open_a_number(page: Page) -> None:
    page.goto("/tableros/operations")
    links = page.locator('a[href*="/filas"]')
    told = [(link.inner_text().strip(), link.get_attribute("href")) for link in links.all()]
    counts = [(text, url) for text, url in told if re.fullmatch(r"[1-9][\d.]*", text) and url]
    assert counts, told
    for text, url in counts[:3]:
        page.goto(url)
        rows = page.locator("tbody tr[data-row]")
        expect(rows).to_have_count(int(text.replace(".", "")))
    picture(page, "4-tableros/02-filas")


def _take_the_pdf(page: Page, folder: Path) -> None:
    page.goto("/informes")
    picture(page, "4-tableros/03-informes")
    leave_by(page, page.get_by_role("button", name="Producir el PDF").first)
    expect(page).to_have_url(re.compile("/trabajos/"))
    link = page.get_by_role("link", name="Abrir el resultado")
    picture(page, "4-tableros/04-trabajo")
    expect(link).to_be_visible(timeout=JOB_SECONDS * 1000)
    with page.expect_download() as coming:
        link.click()
    document = folder / "informe.pdf"
    coming.value.save_as(document)
    assert document.read_bytes().startswith(b"%PDF")
    page.goto("/informes")
    picture(page, "4-tableros/05-producido")
