"""Plans in use: filled, approved, filed, reviewed, observed, answered, decided, followed."""

import hashlib
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cgii.comply.plans import approve, mark_ready, open_plan
from cgii.model.entities import Entity
from cgii.model.incidents import Evidence, IncidentControl
from cgii.model.people import Role, User
from cgii.model.plans import ControlStatement, Decision, Finding, Plan, Review, Submission
from cgii.store.act import Act
from tests.make import make_incident, make_user
from tests.make_plans import Cast, make_cast, make_complete, make_filed
from tests.make_web import Pages, make_centre, make_pages

CONTROL = {
    "applies": "si",
    "status": "partial",
    "statement": "Se aplica en la oficina central.",
    "responsible": "Luis Mamani",
    "due_on": "2099-06-30",
    "maturity": "2",
    "target": "4",
    "then": "stay",
}


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    centre = make_centre(tmp_path)
    yield make_pages(centre)
    centre.close()


class Play:
    """One entity's people and a reviewer, each with a browser."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        with pages.centre.database.transaction() as session:
            cast = make_cast(session)
            self.entity = cast.entity
            self.people = {
                name: user
                for name, user in (
                    ("officer", cast.officer.user),
                    ("mae", cast.mae.user),
                    ("reviewer", cast.reviewer.user),
                )
                if user is not None
            }
            self.people["second_officer"] = make_user(
                session, Role.OFFICER, entity_id=cast.entity.id
            )
            self.people["stranger"] = make_user(session, Role.OFFICER)
            self.people["strange_mae"] = make_user(session, Role.MAE)
        self.browsers = {name: pages.visit(user) for name, user in self.people.items()}

    def __getitem__(self, name: str) -> TestClient:
        return self.browsers[name]

    def acting(self, session: object, name: str) -> Act:
        """The person's deed, for what a test prepares."""
        user = self.people[name]
        return self.pages.centre.act(session, session.get(User, user.id))  # type: ignore[attr-defined, arg-type]

    def cast(self, session: object) -> Cast:
        """The same people as the builders of plans want them, at the centre's time."""
        acts = {name: self.acting(session, name) for name in ("officer", "mae", "reviewer")}
        entity = session.get(Entity, self.entity.id)  # type: ignore[attr-defined]
        return Cast(entity, acts["officer"], acts["mae"], acts["reviewer"])

    def complete(self) -> int:
        """A draft that lacks nothing; its id."""
        with self.pages.centre.database.transaction() as session:
            return make_complete(self.cast(session)).id

    def filed(self) -> int:
        """A filed plan; its id."""
        with self.pages.centre.database.transaction() as session:
            return make_filed(self.cast(session)).plan_id

    def draft(self) -> int:
        """An empty draft; its id."""
        with self.pages.centre.database.transaction() as session:
            cast = self.cast(session)
            return open_plan(cast.officer, cast.entity, 2026).id

    def plan(self, plan_id: int) -> Plan:
        """The plan as it is saved now."""
        with self.pages.centre.database.reading() as session:
            return session.get_one(Plan, plan_id)

    def statement(self, plan_id: int, control: str) -> ControlStatement:
        """What is saved of a control now."""
        with self.pages.centre.database.reading() as session:
            return session.scalars(
                select(ControlStatement).where(
                    ControlStatement.plan_id == plan_id, ControlStatement.control == control
                )
            ).one()

    def begun_review(self, plan_id: int) -> str:
        """The reviewer begins; the address of the review."""
        answer = self["reviewer"].post(f"/planes/{plan_id}/revision")
        assert answer.status_code == 303, answer.text[:500]
        return str(answer.headers["location"])


@pytest.fixture
def play(pages: Pages) -> Play:
    return Play(pages)


def ok(answer: object, status: int = 303) -> str:
    """The address that an answer leads to."""
    assert answer.status_code == status, answer.text[:3000]  # type: ignore[attr-defined]
    return str(answer.headers.get("location", ""))  # type: ignore[attr-defined]


# --- filling ------------------------------------------------------------------------------------
def test_an_officer_begins_a_plan_once(play: Play) -> None:
    year = str(play.pages.centre.clock().year)
    first = ok(play["officer"].post("/portal/plan", data={"year": year}))

    assert ok(play["officer"].post("/portal/plan", data={"year": year})) == first
    assert play["officer"].get(first).status_code == 200
    assert ok(play["officer"].get("/portal/plan")) == first.removesuffix("/alcance")


def test_scope_and_roles_are_saved_and_a_lost_race_shows_both_versions(play: Play) -> None:
    plan_id = play.draft()
    url = f"/planes/{plan_id}/alcance"
    version = str(play.plan(plan_id).version)
    mine = {"scope": "Toda la entidad.", "risk_method": "iso27005", "version": version}
    ok(play["officer"].post(url, data=mine | {"roles.mae.name": "Ana Quispe"}))
    assert play.plan(plan_id).roles["mae"]["name"] == "Ana Quispe"

    late = play["second_officer"].post(url, data=mine | {"scope": "Solo La Paz."})

    assert late.status_code == 409
    assert "Toda la entidad." in late.text
    assert late.text.count("Solo La Paz.") == 2  # in the field, and beside the other version
    assert play.plan(plan_id).scope == "Toda la entidad."


def test_assets_and_risks_are_rows_that_come_and_go(play: Play) -> None:
    plan_id = play.draft()
    url = f"/planes/{plan_id}/riesgos"
    rows = {
        "assets.0.name": "Correo",
        "assets.0.kind": "service",
        "assets.0.integrity": "5",
        "assets.7.name": "Portal",
        "risks.3.threat": "Suplantación",
        "risks.3.asset": "Correo",
        "risks.3.probability": "4",
        "risks.3.impact": "5",
        "risks.3.controls": "3.5, 6.6",
    }
    ok(play["officer"].post(url, data=rows | {"version": str(play.plan(plan_id).version)}))
    plan = play.plan(plan_id)
    assert [row["name"] for row in plan.assets] == ["Correo", "Portal"]
    assert plan.risks[0]["controls"] == ["3.5", "6.6"]
    assert 'value="Suplantación"' in play["officer"].get(url).text

    kept = {name: value for name, value in rows.items() if not name.startswith("assets.7")}
    ok(play["officer"].post(url, data=kept | {"version": str(plan.version)}))
    assert [row["name"] for row in play.plan(plan_id).assets] == ["Correo"]


def test_a_wrong_row_is_told_beside_its_field(play: Play) -> None:
    plan_id = play.draft()
    answer = play["officer"].post(
        f"/planes/{plan_id}/riesgos",
        data={"assets.4.name": "", "assets.4.integrity": "9", "version": "1"},
    )

    assert answer.status_code == 422
    assert 'href="#f-assets.0.integrity"' in answer.text


def test_one_more_row_comes_with_the_button_for_the_next(play: Play) -> None:
    plan_id = play.draft()
    browser = play["officer"]
    text = browser.get(f"/planes/{plan_id}/riesgos/riesgos/2", headers={"HX-Request": "true"}).text

    assert 'name="risks.2.threat"' in text
    assert f"/planes/{plan_id}/riesgos/riesgos/3" in text


def test_a_control_is_saved_and_leads_to_the_next(play: Play) -> None:
    plan_id = play.draft()
    url = f"/planes/{plan_id}/controles/3.2"
    page = play["officer"].get(url)
    assert "Evidencia esperada" in page.text

    where = ok(play["officer"].post(url, data=CONTROL | {"version": "1", "then": "next"}))

    assert where == f"/planes/{plan_id}/controles/3.3"
    saved = play.statement(plan_id, "3.2")
    assert (saved.applies, saved.status, saved.maturity) == (True, "partial", 2)
    assert saved.due_on == date(2099, 6, 30)


def test_a_control_that_does_not_apply_needs_only_its_reason(play: Play) -> None:
    plan_id = play.draft()
    url = f"/planes/{plan_id}/controles/8.1"
    wrong = play["officer"].post(url, data=CONTROL | {"applies": "no", "version": "1"})
    assert wrong.status_code == 422
    assert "Explique por qué el control no se aplica" in wrong.text

    ok(play["officer"].post(url, data=CONTROL | {"applies": "no", "reason": "No.", "version": "1"}))
    assert (play.statement(plan_id, "8.1").applies, play.statement(plan_id, "8.1").status) == (
        False,
        "",
    )


def test_two_officers_on_one_control_see_both_versions_and_lose_nothing(play: Play) -> None:
    plan_id = play.draft()
    url = f"/planes/{plan_id}/controles/3.2"
    first = CONTROL | {"version": "1", "statement": "Texto de la primera persona."}
    ok(play["officer"].post(url, data=first))

    second = first | {"statement": "Texto de la segunda persona."}
    late = play["second_officer"].post(url, data=second)

    assert late.status_code == 409
    assert "Texto de la primera persona." in late.text
    assert late.text.count("Texto de la segunda persona.") == 2
    version = re.search(r'name="version" value="(\d+)"', late.text)
    assert version is not None
    ok(play["second_officer"].post(url, data=second | {"version": version[1]}))
    assert play.statement(plan_id, "3.2").statement == "Texto de la segunda persona."


def test_evidence_is_added_with_its_validity_and_taken_back(play: Play) -> None:
    plan_id = play.draft()
    url = f"/planes/{plan_id}/controles/3.2/evidencias"
    htmx = {"HX-Request": "true"}
    added = play["officer"].post(
        url,
        data={"valid_until": "2099-01-31", "note": "Política vigente"},
        files={"file": ("politica.pdf", b"%PDF", "application/pdf")},
        headers=htmx,
    )
    assert added.status_code == 200
    assert "politica.pdf" in added.text
    assert "31 ene 2099" in added.text
    with play.pages.centre.database.reading() as session:
        evidence = session.scalars(select(Evidence)).one()
    assert play["officer"].get(f"/evidencias/{evidence.id}").content == b"%PDF"
    assert play["reviewer"].get(f"/evidencias/{evidence.id}").content == b"%PDF"
    assert play["stranger"].get(f"/evidencias/{evidence.id}").status_code == 404

    gone = play["officer"].post(f"/planes/{plan_id}/evidencias/{evidence.id}/retirar", headers=htmx)
    assert "politica.pdf" not in gone.text


def test_evidence_without_a_file_is_told_in_the_block(play: Play) -> None:
    plan_id = play.draft()
    answer = play["officer"].post(
        f"/planes/{plan_id}/controles/3.2/evidencias", data={}, headers={"HX-Request": "true"}
    )

    assert answer.status_code == 422
    assert "Elija un archivo." in answer.text
    assert "<html" not in answer.text


def test_an_incident_that_named_a_control_must_be_answered(play: Play) -> None:
    plan_id = play.complete()
    with play.pages.centre.database.transaction() as session:
        incident = make_incident(session, entity_id=play.entity.id, title="Intrusión interna")
        session.add(
            IncidentControl(
                incident_id=incident.id,
                entity_id=play.entity.id,
                control="3.2",
                named_at=play.pages.centre.clock(),
            )
        )
        code = incident.code
    control = f"/planes/{plan_id}/controles/3.2"
    page = play["officer"].get(control).text
    assert code in page
    assert "Intrusión interna" not in page  # the centre has not told the entity of this case
    check = play["officer"].post(f"/planes/{plan_id}/revisar")
    assert check.status_code == 422
    assert f'href="{control}#f-incident_answer"' in check.text

    version = str(play.statement(plan_id, "3.2").version)
    done = CONTROL | {"version": version, "incident_answer": "Se cerró el acceso."}
    ok(play["officer"].post(control, data=done))
    ok(play["officer"].post(f"/planes/{plan_id}/revisar"))
    assert play.plan(plan_id).state == "ready"


def test_last_years_plan_is_copied_with_one_press(play: Play) -> None:
    with play.pages.centre.database.transaction() as session:
        cast = play.cast(session)
        make_complete(cast, 2025)
        plan_id = open_plan(cast.officer, cast.entity, 2026).id
    ok(play["officer"].post(f"/planes/{plan_id}/copiar"))

    assert play.statement(plan_id, "3.2").statement
    assert "No falta nada" in play["officer"].get(f"/planes/{plan_id}/revisar").text


# --- approving and filing -----------------------------------------------------------------------
def test_only_the_mae_approves_and_only_with_a_resolution(play: Play) -> None:
    plan_id = play.complete()
    url = f"/planes/{plan_id}/aprobar"
    ok(play["officer"].post(f"/planes/{plan_id}/revisar"))

    assert play["officer"].post(url, data={"cite": "RM-1"}).status_code == 403
    assert play["mae"].post(url, data={"cite": " "}).status_code == 422
    ok(play["mae"].post(url, data={"cite": "RM-1/2026"}))
    assert play.plan(plan_id).approval_cite == "RM-1/2026"


def test_a_plan_goes_back_to_its_officer_with_a_reason(play: Play) -> None:
    plan_id = play.complete()
    ok(play["officer"].post(f"/planes/{plan_id}/revisar"))
    assert play["mae"].post(f"/planes/{plan_id}/devolver", data={}).status_code == 422
    ok(play["mae"].post(f"/planes/{plan_id}/devolver", data={"reason": "Falta el alcance."}))

    assert play.plan(plan_id).state == "draft"


def test_filing_gives_one_receipt_whose_content_has_its_hash(play: Play) -> None:
    plan_id = play.complete()
    with play.pages.centre.database.transaction() as session:
        cast, plan = play.cast(session), session.get_one(Plan, plan_id)
        mark_ready(cast.officer, plan)
        approve(cast.mae, plan, "RM-1/2026")
    first = ok(play["officer"].post(f"/planes/{plan_id}/presentar"))
    assert ok(play["officer"].post(f"/planes/{plan_id}/presentar")) == first

    page = play["officer"].get(first).text
    content = play["officer"].get(f"/planes/{plan_id}/presentaciones/1")
    digest = hashlib.sha256(content.content).hexdigest()
    assert digest in page
    assert content.headers["x-content-sha256"] == digest
    assert "coincide con la huella" in page
    assert play["officer"].get(f"/planes/{plan_id}/controles/3.2").status_code == 303  # locked


def test_a_draft_is_not_filed(play: Play) -> None:
    plan_id = play.complete()

    assert play["officer"].post(f"/planes/{plan_id}/presentar").status_code == 409


# --- reviewing and deciding ---------------------------------------------------------------------
def test_a_review_walks_from_verdicts_to_a_notified_decision(play: Play) -> None:
    plan_id = play.filed()
    reviewer = play["reviewer"]
    assert "Esperan revisión" in reviewer.get("/revisiones").text
    review = play.begun_review(plan_id)
    assert play.begun_review(plan_id) == review

    htmx = {"HX-Request": "true"}
    judged = reviewer.post(f"{review}/controles/3.2", data={"verdict": "conforms"}, headers=htmx)
    assert judged.status_code == 200
    assert "1/72" in judged.text  # the progress at the left goes along
    ok(reviewer.post(f"{review}/terminar", data={"note": "Revisado."}))
    page = reviewer.get(f"/planes/{plan_id}/decision").text
    assert "Registrar la decisión" in page
    wrong = reviewer.post(f"/planes/{plan_id}/decision", data={"outcome": "rejected"})
    assert wrong.status_code == 422
    assert "Fundamente la decisión." in wrong.text
    year = play.pages.centre.clock().year + 2
    form = {"outcome": "accepted", "valid_until": f"{year}-12-31"}
    ok(reviewer.post(f"/planes/{plan_id}/decision", data=form))

    with play.pages.centre.database.reading() as session:
        code = session.scalars(select(Decision)).one().code
    assert code not in play["officer"].get(f"/planes/{plan_id}").text  # not told yet
    ok(reviewer.post(f"/planes/{plan_id}/notificar"))
    assert play.plan(plan_id).state == "valid"
    assert code in play["officer"].get(f"/planes/{plan_id}").text


def test_a_verdict_without_its_note_is_told_beside_it(play: Play) -> None:
    review = play.begun_review(play.filed())
    answer = play["reviewer"].post(
        f"{review}/controles/3.2", data={"verdict": "observed"}, headers={"HX-Request": "true"}
    )

    assert answer.status_code == 422
    assert "Escriba qué se observa." in answer.text
    assert play["reviewer"].post(f"{review}/controles/3.2", data={}).status_code == 422


def test_a_whole_section_conforms_and_that_can_be_undone(play: Play) -> None:
    review = play.begun_review(play.filed())
    reviewer = play["reviewer"]
    reviewer.post(
        f"{review}/controles/3.2", data={"verdict": "observed", "note": "Falta la política."}
    )
    answer = reviewer.post(f"{review}/secciones/3")
    assert _verdicts(play, "3.") == {"conforms": 8, "observed": 1}

    toast = unquote(answer.cookies["cgii-toast"])
    undo = re.search(r"/revisiones/\d+/deshacer\?controles=[0-9.,]+", toast)
    assert undo is not None
    ok(reviewer.post(undo[0]))
    assert _verdicts(play, "3.") == {"observed": 1}


def _verdicts(play: Play, section: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    with play.pages.centre.database.reading() as session:
        for finding in session.scalars(select(Finding)):
            if finding.control.startswith(section):
                counts[finding.verdict] = counts.get(finding.verdict, 0) + 1
    return counts


def test_another_reviewer_reads_a_review_but_does_not_write_in_it(play: Play) -> None:
    review = play.begun_review(play.filed())
    with play.pages.centre.database.transaction() as session:
        colleague = make_user(session, Role.REVIEWER)
    other = play.pages.visit(colleague)

    assert "Terminar la revisión" not in other.get(review).text
    assert other.post(f"{review}/secciones/1").status_code == 403


def test_observations_are_seen_once_sent_answered_and_filed_again(play: Play) -> None:
    plan_id = play.filed()
    reviewer, officer = play["reviewer"], play["officer"]
    review = play.begun_review(plan_id)
    form = {"verdict": "observed", "note": "Presente la política vigente."}
    reviewer.post(f"{review}/controles/3.2", data=form)
    ok(reviewer.post(f"{review}/terminar"))
    assert "Presente la política" not in officer.get(f"/planes/{plan_id}").text
    ok(reviewer.post(f"/planes/{plan_id}/observar"))
    page = officer.get(f"/planes/{plan_id}/observaciones").text
    assert "Presente la política vigente." in page
    assert officer.post(f"/planes/{plan_id}/presentar").status_code == 409

    with play.pages.centre.database.reading() as session:
        finding = session.scalars(select(Finding).where(Finding.verdict == "observed")).one()
    url = f"/planes/{plan_id}/observaciones/{finding.id}"
    assert officer.post(url, data={"answer": ""}).status_code == 422
    ok(officer.post(url, data={"answer": "Se adjuntó la política."}))
    receipt = ok(officer.post(f"/planes/{plan_id}/presentar"))

    assert "Huella anterior" in officer.get(receipt).text
    again = play.begun_review(plan_id)
    sheet = reviewer.get(f"{again}?seccion=3").text
    assert "Se adjuntó la política." in sheet
    assert "Se adjuntó la política." in officer.get(f"/planes/{plan_id}/observaciones").text
    with play.pages.centre.database.reading() as session:
        assert len(session.scalars(select(Review)).all()) == 2
        assert [row.number for row in session.scalars(select(Submission))] == [1, 2]


def test_a_returned_plan_is_corrected(play: Play) -> None:
    plan_id = play.filed()
    review = play.begun_review(plan_id)
    ok(play["reviewer"].post(f"{review}/terminar"))
    form = {"outcome": "returned", "reasons": "No alcanza a las regionales.", "tell": "on"}
    ok(play["reviewer"].post(f"/planes/{plan_id}/decision", data=form))
    assert "No alcanza a las regionales." in play["officer"].get(f"/planes/{plan_id}").text

    ok(play["officer"].post(f"/planes/{plan_id}/enmendar"))
    assert play.plan(plan_id).state == "draft"


def test_a_plan_in_force_is_followed_up_once_a_year(play: Play) -> None:
    plan_id = play.filed()
    year = play.pages.centre.clock().year
    review = play.begun_review(plan_id)
    ok(play["reviewer"].post(f"{review}/terminar"))
    form = {"outcome": "accepted", "valid_until": f"{year + 2}-12-31", "tell": "on"}
    ok(play["reviewer"].post(f"/planes/{plan_id}/decision", data=form))
    url = f"/planes/{plan_id}/seguimiento"
    wrong = play["officer"].post(url, data={"year": "x", "progress_percent": "120", "note": ""})
    assert wrong.status_code == 422
    ok(play["officer"].post(url, data={"year": str(year), "progress_percent": "40", "note": "Va."}))

    assert "40 %" in play["officer"].get(url).text
    again = {"year": str(year), "progress_percent": "50", "note": "Otra."}
    assert play["officer"].post(url, data=again).status_code == 409


# --- the register, and what others see ----------------------------------------------------------
def test_the_register_filters_and_exports(play: Play) -> None:
    play.filed()
    reviewer = play["reviewer"]

    assert play.entity.acronym in reviewer.get("/planes?state=filed&year=2026").text
    assert play.entity.acronym not in reviewer.get("/planes?state=valid").text
    assert play.entity.name in reviewer.get("/planes?formato=csv").text
    assert play.entity.name in reviewer.get("/revisiones?turno=esperan&formato=csv").text


def test_a_second_entity_finds_no_page_of_the_plan(play: Play) -> None:
    plan_id = play.filed()
    review = play.begun_review(plan_id)
    with play.pages.centre.database.reading() as session:
        code = session.scalars(select(Submission)).one().code
    base = f"/planes/{plan_id}"
    reading = ("", "/alcance", "/riesgos", "/controles", "/controles/3.2", "/revisar", "/aprobar")
    more = ("/presentar", "/observaciones", "/seguimiento", "/presentaciones/1")
    for path in (*reading, *more):
        assert play["stranger"].get(base + path).status_code == 404, path
    for path in ("", "/pdf", "/contenido"):
        assert play["stranger"].get(f"/portal/constancias/{code}{path}").status_code == 404
    assert play["stranger"].get(review).status_code == 403
    writing = ("/alcance", "/riesgos", "/controles/3.2", "/controles/3.2/evidencias", "/revisar")
    others = ("/copiar", "/retomar", "/presentar", "/observaciones/1", "/enmendar", "/seguimiento")
    for path in (*writing, *others):
        data = {"reason": "x", "version": "1"}
        assert play["stranger"].post(base + path, data=data).status_code == 404, path
    assert play["strange_mae"].post(f"{base}/aprobar", data={"cite": "x"}).status_code == 404


def test_scores_say_their_formula_and_how_many_they_count(play: Play) -> None:
    page = play["reviewer"].get(f"/planes/{play.filed()}").text

    assert "controles aplicables con estado declarado ÷ controles aplicables" in page
    assert "n = 72" in page
