"""Journey 3: a plan is filled, approved, filed, observed, answered, decided; scores stay apart."""

import re
from datetime import date

from playwright.sync_api import Page, expect

from tests.e2e.country import LEFT_TO_FILL, Country
from tests.e2e.watching import Visit, leave_by, picture, still


def sure(page: Page) -> None:
    """Say yes in the dialog that asks before what cannot be undone."""
    dialog = page.locator("dialog#confirm[open]")
    expect(dialog).to_be_visible()
    leave_by(page, dialog.get_by_role("button", name="Sí, continuar"))


def test_a_plan_goes_from_draft_to_a_decision(visit: Visit, country: Country) -> None:
    officer, plan = visit("officer"), f"/planes/{country.plan_id}"
    _fill_scope(officer, plan)
    _fill_controls(officer, plan)
    officer.goto(f"{plan}/revisar")
    expect(officer.locator("main")).to_contain_text("No falta nada")
    picture(officer, "3-plan/05-completo")
    officer.get_by_role("button", name="Pasar a la MAE").click()
    sure(officer)
    _approve(visit("mae"), plan)
    _file(officer, plan)
    reviewer = visit("reviewer")
    _observe(reviewer, plan)
    _answer(officer, plan)
    _decide(reviewer, plan)
    officer.goto("/portal/plan")
    expect(officer.locator(".decision")).to_contain_text(re.compile(r"DEC-\d{4}-\d{6}"))
    expect(officer.locator(".scores")).to_contain_text("Verificado por el centro")
    expect(officer.locator(".scores")).to_contain_text("Cobertura")
    expect(officer.locator(".page-lead")).to_contain_text("Vigente")
    picture(officer, "3-plan/14-decidido")


def _fill_scope(officer: Page, plan: str) -> None:
    officer.goto("/portal/plan")
    picture(officer, "3-plan/01-plan")
    officer.goto(f"{plan}/alcance")
    officer.locator("#f-scope").fill("Todas las sedes y sistemas del ministerio.")
    officer.locator('[name="roles.rsi.name"]').fill("Inés Calle Huanca")
    officer.locator('[name="roles.rsi.position"]').fill("Jefa de Sistemas")
    officer.locator('[name="roles.rsi.cite"]').fill("MEMO-12/2026")
    officer.locator("#f-risk_method").select_option(index=1)
    picture(officer, "3-plan/02-alcance")
    leave_by(officer, officer.locator("main form.form .form-send .btn-primary"))


def _fill_controls(officer: Page, plan: str) -> None:
    first, second = LEFT_TO_FILL
    officer.goto(f"{plan}/controles/{first}")
    expect(officer.locator("main .note-bad")).to_contain_text("este control falló")
    officer.get_by_label("Sí", exact=True).check()
    officer.locator('[name=status][value="partial"]').check()
    officer.locator("#f-statement").fill("Se aplica en la oficina central.")
    officer.locator("#f-maturity").select_option("3")
    officer.locator("#f-target").select_option("1")
    leave_by(officer, officer.get_by_role("button", name="Guardar", exact=True))
    wrong = officer.locator(".field-wrong", has=officer.locator("#f-target"))
    expect(wrong).to_contain_text("no puede ser menor que la actual")
    expect(officer.locator("#f-statement")).to_have_value("Se aplica en la oficina central.")
    picture(officer, "3-plan/03-falta-algo")
    officer.locator("#f-target").select_option("4")
    officer.locator("#f-incident_answer").fill("Se pide segundo factor a todo el personal.")
    officer.locator("#f-responsible").fill("Inés Calle Huanca")
    officer.locator("#f-due_on").fill(f"{date.today().year + 1}-06-30")
    leave_by(officer, officer.get_by_role("button", name="Guardar y seguir"))
    expect(officer).to_have_url(re.compile(rf"/controles/{re.escape(second)}$"))
    officer.get_by_label("No", exact=True).check()
    officer.locator("#f-reason").fill("La entidad no desarrolla sistemas propios.")
    picture(officer, "3-plan/04-control")
    leave_by(officer, officer.get_by_role("button", name="Guardar", exact=True))


def _approve(mae: Page, plan: str) -> None:
    mae.goto(f"{plan}/aprobar")
    mae.locator("#f-cite").fill("RM-045/2026")
    picture(mae, "3-plan/06-aprobar")
    leave_by(mae, mae.get_by_role("button", name="Aprobar", exact=True))
    expect(mae.locator("main")).to_contain_text("RM-045/2026")


def _file(officer: Page, plan: str) -> None:
    officer.goto(f"{plan}/presentar")
    picture(officer, "3-plan/07-presentar")
    officer.get_by_role("button", name="Presentar al centro").click()
    sure(officer)
    expect(officer).to_have_url(re.compile("/portal/constancias/PISI-"))
    expect(officer.locator(".hash").first).to_have_text(re.compile(r"[0-9a-f]{64}"))
    picture(officer, "3-plan/08-constancia")


def _judge(reviewer: Page, control: str, verdict: str, note: str = "") -> None:
    row = reviewer.locator(f'[id="c-{control}"]')
    row.locator(f'[name=verdict][value="{verdict}"]').check(force=True)
    if note:
        row.locator("textarea").fill(note)
    with reviewer.expect_response(re.compile(rf"/controles/{re.escape(control)}$")) as saved:
        row.get_by_role("button", name="Guardar").click()
    assert saved.value.ok
    still(reviewer)
    expect(row.locator(".good-ink")).to_be_visible()


def _end(reviewer: Page) -> None:
    reviewer.get_by_role("button", name="Terminar la revisión").click()
    sure(reviewer)


def _observe(reviewer: Page, plan: str) -> None:
    reviewer.goto("/revisiones")
    picture(reviewer, "3-plan/09-cola")
    reviewer.goto(plan)
    leave_by(reviewer, reviewer.get_by_role("button", name="Revisar", exact=True))
    expect(reviewer).to_have_url(re.compile("/revisiones/\\d"))
    _judge(reviewer, "1.1", "observed", "No se indica quién verifica el control.")
    picture(reviewer, "3-plan/10-revision")
    _end(reviewer)
    reviewer.goto(f"{plan}/decision")
    picture(reviewer, "3-plan/11-decision")
    reviewer.get_by_role("button", name="Enviar observaciones a la entidad").click()
    sure(reviewer)


def _answer(officer: Page, plan: str) -> None:
    officer.goto(f"{plan}/observaciones")
    picture(officer, "3-plan/12-observaciones")
    officer.locator("main textarea").first.fill("Lo verifica la unidad de auditoría cada semestre.")
    leave_by(officer, officer.get_by_role("button", name="Guardar la respuesta"))
    expect(officer.locator("main")).to_contain_text("Respondió todas las observaciones")
    officer.goto(f"{plan}/presentar")
    officer.get_by_role("button", name="Volver a presentar").click()
    sure(officer)
    expect(officer).to_have_url(re.compile("/portal/constancias/PISI-"))
    expect(officer.locator("main")).to_contain_text("Huella anterior")


def _decide(reviewer: Page, plan: str) -> None:
    reviewer.goto(plan)
    leave_by(reviewer, reviewer.get_by_role("button", name="Revisar", exact=True))
    expect(reviewer).to_have_url(re.compile("/revisiones/\\d"))
    _judge(reviewer, "1.1", "conforms")
    _end(reviewer)
    reviewer.goto(f"{plan}/decision")
    reviewer.locator('[name=outcome][value="accepted"]').check()
    reviewer.locator("#f-valid_until").fill(f"{date.today().year + 2}-12-31")
    reviewer.locator("#f-tell").check()
    picture(reviewer, "3-plan/13-decidir")
    leave_by(reviewer, reviewer.get_by_role("button", name="Registrar la decisión"))
    expect(reviewer.locator("main")).to_contain_text(re.compile(r"DEC-\d{4}-\d{6}"))
