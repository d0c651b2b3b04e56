"""Journey 5: people of another entity find nothing of the first one, whatever they type."""

from datetime import timedelta
from io import BytesIO

from sqlalchemy import select

from cgii.centre import Centre
from cgii.model.incidents import Incident
from cgii.model.people import User
from cgii.respond.evidence import attach
from cgii.respond.requests import ask
from cgii.store.files import save
from tests.e2e.country import Country
from tests.e2e.watching import Visit, picture

SECRET = "registro-del-ministerio.txt"


def own_things(record: Centre, country: Country) -> tuple[int, int]:
    """A shared file and a request in the first entity's case; their numbers."""
    with record.database.transaction() as session:
        act = record.act(session, session.get(User, country.users["analyst"]), via="web")
        code = country.codes["incident0"]
        incident = session.scalars(select(Incident).where(Incident.code == code)).one()
        stored = save(BytesIO(b"contenido"), record.files_folder)
        evidence = attach(act, stored, SECRET, incident=incident, is_shared=True)
        request = ask(act, incident, "¿Desde cuándo?", act.now + timedelta(hours=8))
        session.flush()  # their numbers are asked
        return evidence.id, request.id


def test_another_entity_gets_404_for_everything(
    visit: Visit, record: Centre, country: Country
) -> None:
    evidence_id, request_id = own_things(record, country)
    case, notice = country.codes["incident0"], country.codes["notice0"]
    paths = (
        f"/portal/casos/{case}",
        f"/portal/casos/{case}/ficha",
        f"/portal/constancias/{notice}",
        f"/portal/constancias/{notice}/pdf",
        f"/portal/constancias/{notice}/contenido",
        f"/evidencias/{evidence_id}",
        f"/planes/{country.plan_id}",
        f"/planes/{country.plan_id}/presentaciones/1",
    )
    own = visit("reporter")
    for path in paths[:1] + paths[2:3] + paths[5:6]:
        assert own.request.get(path).status == 200, path  # the test can tell
    for name in ("other_reporter", "other_officer"):
        page = visit(name)
        for path in paths:
            answer = page.request.get(path)
            assert answer.status == 404, (name, path, answer.status)
        shown = page.goto(paths[0])
        assert shown is not None
        assert shown.status == 404
        assert case not in page.locator("main").inner_text()
    picture(page, "5-otra-entidad/01-no-existe")
    page.goto("/portal/casos")
    token = page.locator('meta[name="csrf"]').get_attribute("content") or ""
    sent = page.request.post(
        f"/portal/casos/{case}/pedidos/{request_id}", form={"csrf": token, "answer": "Intruso"}
    )
    assert sent.status == 404
    assert SECRET not in page.content()
    assert case not in page.content()
    own.goto(f"/portal/casos/{case}")
    assert own.get_by_text("Intruso").count() == 0
