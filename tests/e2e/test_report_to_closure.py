"""Journey 2: an entity reports from a phone, answers what is asked, sees its case closed."""

import re
from datetime import datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect

from cgii.base.clock import LA_PAZ
from tests.e2e.watching import Visit, leave_by, picture

INTERNAL = "Solo para nosotros: se sospecha de una cuenta interna."
SHARED = "Recibimos el correo y estamos revisando quién lo abrió."


def la_paz(**ahead: float) -> str:
    """A moment as the field of a form wants it."""
    return (datetime.now(LA_PAZ) + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M")


def test_a_report_from_a_phone_is_answered_and_closed(visit: Visit, tmp_path: Path) -> None:
    phone = visit("reporter", "/portal", width=390)
    picture(phone, "2-reporte/01-portal")
    code, receipt = _report(phone, tmp_path)
    desk = visit("analyst")
    _attend(desk, code)
    _ask(desk, code)
    _answer(phone, code, tmp_path)
    _close(desk, code)
    phone.goto(f"/portal/casos/{code}")
    expect(phone.locator(".page-lead")).to_contain_text("Cerrado")
    expect(phone.locator("main")).to_contain_text(SHARED)
    expect(phone.locator("main")).to_contain_text("Dos personas lo abrieron")
    expect(phone.locator("main")).to_contain_text(receipt)
    expect(phone.locator("body")).not_to_contain_text(INTERNAL)
    picture(phone, "2-reporte/10-caso-cerrado")


def _report(phone: Page, folder: Path) -> tuple[str, str]:
    mail = folder / "correo.eml"
    mail.write_text("Subject: actualice su clave\n\nhttp://falso.example\n")
    phone.goto("/portal/reportar")
    picture(phone, "2-reporte/02-reportar")
    leave_by(phone, phone.locator("main form .form-send .btn-primary"))
    expect(phone.locator(".summary")).to_contain_text("Hay algo que corregir")
    expect(phone.locator(".field-wrong").first).to_be_visible()
    picture(phone, "2-reporte/03-falta-algo")
    phone.locator("#f-title").fill("Correo que pide la clave institucional")
    phone.locator("#f-description").fill("Llegó a unas cuarenta personas esta mañana.")
    phone.locator("#f-noticed_at").fill(la_paz(hours=-2))
    phone.locator("#f-affected").fill("Correo institucional")
    phone.locator("#f-contact_name").fill("Hugo Mercado Salinas")
    phone.locator("#f-contact_email").fill("hugo@minpru.gob.bo")
    phone.locator("#f-file").set_input_files(mail)
    leave_by(phone, phone.locator("main form .form-send .btn-primary"))
    expect(phone).to_have_url(re.compile("/portal/constancias/"))
    receipt = phone.locator(".receipt-code .mono").inner_text()
    assert re.fullmatch(r"REP-\d{4}-\d{6}", receipt)
    expect(phone.locator("main")).to_contain_text("correo.eml")
    expect(phone.locator("main")).to_contain_text("coincide con la huella")
    picture(phone, "2-reporte/04-constancia")
    link = phone.locator('a[href^="/portal/casos/"]').first.get_attribute("href")
    assert link
    return link.rsplit("/", 1)[1], receipt


def _attend(desk: Page, code: str) -> None:
    desk.goto("/mesa/sin-responsable")
    picture(desk, "2-reporte/05-mesa")
    desk.goto(f"/incidentes/{code}")
    leave_by(desk, desk.locator("main").get_by_role("button", name="Tomar", exact=True))
    desk.goto(f"/incidentes/{code}/clasificar")
    desk.locator("#f-rsit").select_option("fraud.phishing")
    desk.locator("#f-service_impact").select_option("none")
    desk.locator("#f-tlp").select_option("AMBER")
    leave_by(desk, desk.locator("main form .form-send .btn-primary"))
    expect(desk).to_have_url(re.compile(rf"/incidentes/{code}(\?.*)?$"))
    expect(desk.locator(".page-lead")).to_contain_text("Phishing")
    for text, is_shared in ((INTERNAL, False), (SHARED, True)):
        desk.locator(".comment-box textarea").fill(text)
        desk.locator(".comment-box input[name=shared]").set_checked(is_shared)
        leave_by(desk, desk.get_by_role("button", name="Comentar"))
        expect(desk.locator(".timeline")).to_contain_text(text)
    picture(desk, "2-reporte/06-incidente")


def _ask(desk: Page, code: str) -> None:
    desk.goto(f"/incidentes/{code}/pedir")
    desk.locator("#f-question").fill(
        "¿Cuántas personas abrieron el enlace? Envíe el correo original."
    )
    desk.locator("#f-due_at").fill(la_paz(hours=24))
    picture(desk, "2-reporte/07-pedir")
    leave_by(desk, desk.locator("main form .form-send .btn-primary"))
    expect(desk).to_have_url(re.compile(rf"/incidentes/{code}(\?.*)?$"))
    expect(desk.locator(".page-lead")).to_contain_text("Espera a la entidad")


def _answer(phone: Page, code: str, folder: Path) -> None:
    original = folder / "original.eml"
    original.write_text("Received: de aquella parte\n")
    phone.goto("/portal")
    expect(phone.locator(".todo")).to_contain_text("Responder al centro")
    picture(phone, "2-reporte/08-para-hacer")
    phone.goto(f"/portal/casos/{code}")
    phone.locator("#f-answer").fill("Dos personas lo abrieron; ya cambiaron su clave.")
    phone.locator(".ask #f-file").set_input_files(original)
    picture(phone, "2-reporte/09-responder")
    leave_by(phone, phone.get_by_role("button", name="Enviar respuesta"))
    expect(phone.locator(".ask")).to_have_count(0)
    expect(phone.locator("main")).to_contain_text("original.eml")


def _close(desk: Page, code: str) -> None:
    desk.goto(f"/incidentes/{code}?ver=pedidos")
    expect(desk.locator("main")).to_contain_text("Dos personas lo abrieron")
    desk.goto(f"/incidentes/{code}/cerrar")
    desk.locator("#f-reason").select_option("resolved")
    desk.locator("#f-note").fill("Claves cambiadas y enlace bloqueado.")
    for name in ("root_cause", "lessons"):
        desk.locator(f"#f-{name}").fill("No había segundo factor en el correo.")
    desk.locator("#f-failed_controls details summary").first.click()
    desk.locator("#f-failed_controls input").first.check()
    leave_by(desk, desk.locator("main form .form-send .btn-primary"))
    expect(desk.locator(".page-lead")).to_contain_text("Cerrado")
