"""Every route × every role × two entities: let in or refused as the table says, nothing crosses.

A new route fails here until it stands in routes.txt (`python -m tests.integration.test_access`
writes it anew: read the difference, it is who may do what) and its identifiers in PARAMETERS.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from cgii.base.errors import NotFound
from cgii.model.people import ENTITY_ROLES, Role, User
from cgii.model.registry import Table
from cgii.web.access import CENTRE, ENTITY, RIGHTS, GuardedRoute, guarded_routes
from cgii.web.app import ROUTERS
from cgii.web.visible import FOR_CENTRE, FOR_ENTITY, OWN, visible
from tests.make import make_user
from tests.make_web import Pages, make_centre, make_pages
from tests.make_world import World, make_world

TABLE = Path(__file__).with_name("routes.txt")
ROUTES = [guarded for guarded in guarded_routes(ROUTERS) if guarded.guard is not None]
OURS, THEIRS = "UNAxq", "OTRAzk"
GONE = 404
BROWSERS: dict[int, TestClient] = {}

# The path up to an identifier → its value in a world.
PARAMETERS: dict[str, Callable[[World], object]] = {
    "/administracion/personas/{user_id}": lambda world: world.users[Role.MAE].id,
    "/administracion/sensores/{sensor_id}": lambda world: world.rows["sensor"].id,
    "/administracion/silencios/{window_id}": lambda world: world.rows["quiet"].id,
    "/administracion/trabajos/{job_id}": lambda world: world.rows["job"].id,
    "/alertas/{group_id}": lambda world: world.rows["group"].id,
    "/alertas/{group_id}/registros/{alert_id}": lambda world: world.rows["alert"].id,
    "/api/v1/alerts/{group_id}": lambda world: world.rows["group"].id,
    "/api/v1/boards/{board_id}": lambda world: "goals",
    "/api/v1/incidents/{code}": lambda world: world.rows["incident"].code,
    "/ayuda/{name:path}": lambda world: "settings",
    "/borradores/{form}": lambda world: world.rows["draft"].form,
    "/busqueda/vistas/{view_id}": lambda world: world.rows["view"].id,
    "/busqueda/{event_id}": lambda world: "0" * 32,
    "/casos/{code}": lambda world: world.rows["incident"].code,
    "/entidades/{code}": lambda world: world.entity.code,
    "/entidades/{code}/contactos/{contact_id}": lambda world: world.rows["contact"].id,
    "/evidencias/{evidence_id}": lambda world: world.rows["evidence"].id,
    "/fuentes/{name}": lambda world: "linux_auth",
    "/incidentes/{code}": lambda world: world.rows["incident"].code,
    "/incidentes/{code}/anotaciones/{entry_id}": lambda world: world.rows["entry"].id,
    "/incidentes/{code}/evidencias/{evidence_id}": lambda world: world.rows["evidence"].id,
    "/incidentes/{code}/guia/{run_id}": lambda world: world.rows["run"].id,
    "/incidentes/{code}/guia/{run_id}/pasos/{step_id}": lambda world: world.rows["step"].id,
    "/incidentes/{code}/pedidos/{request_id}": lambda world: world.rows["request"].id,
    "/indicadores/{name}": lambda world: "ninguna",
    "/informes/documentos/{document_id}": lambda world: world.rows["document"].id,
    "/informes/incidente/{code}": lambda world: world.rows["incident"].code,
    "/informes/{document_id}": lambda world: world.rows["document"].id,
    "/mesa/{tab}": lambda world: "abiertos",
    "/planes/{plan_id}": lambda world: world.rows["plan"].id,
    "/planes/{plan_id}/controles/{control}": lambda world: "1.1",
    "/planes/{plan_id}/evidencias/{evidence_id}": lambda world: world.rows["evidence"].id,
    "/planes/{plan_id}/observaciones/{finding_id}": lambda world: world.rows["finding"].id,
    "/planes/{plan_id}/presentaciones/{number}": lambda world: 1,
    "/planes/{plan_id}/riesgos/{kind}": lambda world: "activos",
    "/planes/{plan_id}/riesgos/{kind}/{number}": lambda world: 1,
    "/portal/casos/{code}": lambda world: world.rows["incident"].code,
    "/portal/casos/{code}/pedidos/{request_id}": lambda world: world.rows["request"].id,
    "/portal/constancias/{code}": lambda world: world.rows["notice"].code,
    "/reglas/ajustes/{tuning_id}": lambda world: 1,
    "/reglas/historico/{job_id}": lambda world: world.rows["job"].id,
    "/reglas/{rule_id}": lambda world: "ninguna",
    "/reglas/{rule_id}/ajustar/{kind}": lambda world: "apagar",
    "/reportes/{code}": lambda world: world.rows["notice"].code,
    "/revisiones/{review_id}": lambda world: world.rows["review"].id,
    "/revisiones/{review_id}/controles/{control}": lambda world: "1.1",
    "/revisiones/{review_id}/secciones/{code}": lambda world: "1",
    "/sensores/{sensor_id}": lambda world: world.rows["sensor"].id,
    "/tableros/{board_id}": lambda world: "goals",
    "/tableros/{board_id}/{panel_id}": lambda world: "ninguno",
    "/trabajos/{job_id}": lambda world: world.rows["job"].id,
}
# Values that belong to nobody: another entity has the same ones.
SHARED = (
    "/api/v1/boards/",
    "/ayuda/",
    "/busqueda/",
    "/fuentes/",
    "/indicadores/",
    "/mesa/",
    "/reglas/",
    "/tableros/",
)
# One's own things by a name: another person's of that name is simply not there.
BY_NAME = ("/borradores/",)


def line(guarded: GuardedRoute) -> str:
    """A route as the table has it: method, path, right."""
    guard = guarded.guard
    assert guard is not None
    named = {"right": guard.right, "token": "(sensor)", "public": "(public)"}[guard.kind]
    return f"{'+'.join(guarded.methods):<6} {guarded.route.path:<60} {named}".rstrip()


def table() -> list[str]:
    """Every route there is, sorted by path."""
    return [
        line(guarded) for guarded in sorted(ROUTES, key=lambda one: (one.route.path, one.methods))
    ]


def named(guarded: GuardedRoute) -> str:
    """`GET /entidades`, as the test's name."""
    return f"{'+'.join(guarded.methods)} {guarded.route.path}"


def filled(path: str, world: World) -> str:
    """The path with a world's identifiers in it."""
    while (found := re.search(r"\{[^}]*\}", path)) is not None:
        template = _template(path[: found.end()], world)
        path = path[: found.start()] + str(template) + path[found.end() :]
    return path


def _template(prefix: str, world: World) -> object:
    for known, value in PARAMETERS.items():
        if re.fullmatch(re.sub(r"\\\{[^}]*\\\}", r"[^/]+", re.escape(known)), prefix):
            return value(world)
    raise AssertionError(f"{prefix} is not in PARAMETERS")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    centre = make_centre(tmp_path_factory.mktemp("access"))
    yield make_pages(centre)
    BROWSERS.clear()
    centre.close()


@pytest.fixture(scope="module")
def staff(pages: Pages) -> dict[Role, User]:
    with pages.centre.database.transaction() as session:
        return {role: make_user(session, role) for role in sorted(CENTRE)}


@pytest.fixture(scope="module")
def ours(pages: Pages, staff: dict[Role, User]) -> World:
    with pages.centre.database.transaction() as session:
        return make_world(session, OURS, 1, staff[Role.REVIEWER])


@pytest.fixture(scope="module")
def theirs(pages: Pages, staff: dict[Role, User], ours: World) -> World:
    with pages.centre.database.transaction() as session:
        return make_world(session, THEIRS, 2, staff[Role.REVIEWER])


@pytest.fixture(scope="module")
def everybody(staff: dict[Role, User], ours: World) -> dict[Role, User]:
    return staff | ours.users


def ask(pages: Pages, user: User | None, guarded: GuardedRoute, path: str) -> Any:  # a response
    """Ask in a browser that this person has used before, signed in anew if a deed ended it."""
    key = user.id if user else 0
    if key not in BROWSERS:
        BROWSERS[key] = pages.visit(user)
    browser = BROWSERS[key]
    answer = browser.request(guarded.methods[0], path)
    if user is not None and answer.headers.get("location", "").startswith("/entrar"):
        pages.sign_in(browser, user)
        answer = browser.request(guarded.methods[0], path)
    return answer


RIGHT_ROUTES = [one for one in ROUTES if one.guard is not None and one.guard.kind == "right"]
READING = [one for one in RIGHT_ROUTES if one.methods == ("GET",)]


def test_the_table_of_routes_is_as_reviewed() -> None:
    assert TABLE.read_text(encoding="utf-8").splitlines() == table()


@pytest.mark.parametrize("guarded", RIGHT_ROUTES, ids=named)
def test_nobody_enters_without_signing_in(guarded: GuardedRoute, pages: Pages, ours: World) -> None:
    answer = ask(pages, None, guarded, filled(guarded.route.path, ours))

    if guarded.route.path.startswith("/api/"):
        assert answer.status_code == 401
    else:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/entrar")


@pytest.mark.parametrize("guarded", RIGHT_ROUTES, ids=named)
def test_who_lacks_the_right_is_refused(
    guarded: GuardedRoute, pages: Pages, ours: World, everybody: dict[Role, User]
) -> None:
    assert guarded.guard is not None
    path = filled(guarded.route.path, ours)
    for role, user in everybody.items():
        if role not in RIGHTS[guarded.guard.right]:
            answer = ask(pages, user, guarded, path)
            assert answer.status_code == 403, role
            assert OURS not in re.sub(r"Persona \w+|\S+@\S+|Entidad \w+", "", answer.text)


@pytest.mark.parametrize("guarded", READING, ids=named)
def test_who_has_the_right_is_let_in(
    guarded: GuardedRoute, pages: Pages, ours: World, everybody: dict[Role, User]
) -> None:
    assert guarded.guard is not None
    path = filled(guarded.route.path, ours)
    for role, user in everybody.items():
        if role in RIGHTS[guarded.guard.right]:
            answer = ask(pages, user, guarded, path)
            # 404: let in by right, yet this very thing is not theirs (a job, a file that is gone).
            assert answer.status_code in (200, 303, 404), (role, answer.status_code)


@pytest.mark.parametrize("guarded", RIGHT_ROUTES, ids=named)
def test_another_entitys_identifiers_lead_nowhere(
    guarded: GuardedRoute, pages: Pages, ours: World, theirs: World
) -> None:
    assert guarded.guard is not None
    path = guarded.route.path
    if "{" not in path or path.startswith(SHARED):
        return
    for role in sorted(ENTITY & RIGHTS[guarded.guard.right]):
        answer = ask(pages, ours.users[role], guarded, filled(path, theirs))
        assert THEIRS not in answer.text.replace(filled(path, theirs), ""), role
        if not path.startswith(BY_NAME):
            assert answer.status_code == GONE, role


@pytest.mark.parametrize("guarded", READING, ids=named)
def test_no_page_of_an_entity_shows_another_or_what_is_internal(
    guarded: GuardedRoute, pages: Pages, ours: World, theirs: World
) -> None:
    assert guarded.guard is not None
    for role in sorted(ENTITY & RIGHTS[guarded.guard.right]):
        path = filled(guarded.route.path, ours)
        # One letter short, so that the words which come back in the search box are not a find.
        for query in ("", f"?q={THEIRS[:-1]}", "?q=INTERN", "?formato=csv"):
            text = ask(pages, ours.users[role], guarded, path + query).text
            assert THEIRS not in text, (role, query)
            assert "INTERNO" not in text, (role, query)


@pytest.mark.parametrize("guarded", RIGHT_ROUTES, ids=named)
def test_no_deed_with_an_empty_form_breaks_anything(
    guarded: GuardedRoute, pages: Pages, ours: World, everybody: dict[Role, User]
) -> None:
    assert guarded.guard is not None
    path = filled(guarded.route.path, ours)
    for role, user in everybody.items():
        if role in RIGHTS[guarded.guard.right]:
            assert ask(pages, user, guarded, path).status_code < 500, role


@pytest.mark.parametrize("guarded", RIGHT_ROUTES, ids=named)
def test_identifiers_that_nobody_has_lead_nowhere(
    guarded: GuardedRoute, pages: Pages, everybody: dict[Role, User]
) -> None:
    assert guarded.guard is not None
    if "{" not in guarded.route.path:
        return
    role = sorted(RIGHTS[guarded.guard.right])[0]
    for value in ("0", "999999999", "-1", "%00", "..%2f..%2fetc", "9" * 40, "a'b\"<x>"):
        path = re.sub(r"\{[^}]*\}", value, guarded.route.path)
        assert ask(pages, everybody[role], guarded, path).status_code < 500, value


# --- the table itself ---------------------------------------------------------------------------
def test_auditors_change_nothing_but_their_own_account() -> None:
    theirs = {right for right, roles in RIGHTS.items() if Role.AUDITOR in roles}
    assert {right for right in theirs if not right.endswith(".see")} == {"account"}


def test_no_right_to_change_is_both_the_centres_and_an_entitys() -> None:
    both = {right for right, roles in RIGHTS.items() if roles & CENTRE and roles & ENTITY}
    assert {right for right in both if not right.endswith(".see")} == {"account"}


def test_only_administrators_administer() -> None:
    assert RIGHTS["admin.edit"] == {Role.ADMINISTRATOR}


def test_a_plan_is_not_approved_or_decided_by_whom_it_binds() -> None:
    assert RIGHTS["own_plan.approve"].isdisjoint({Role.OFFICER})
    assert RIGHTS["plan.decide"].isdisjoint(ENTITY)


def test_every_role_has_a_side() -> None:
    assert set(Role) == CENTRE | ENTITY
    assert ENTITY == ENTITY_ROLES


# --- what is visible ----------------------------------------------------------------------------
TABLES = sorted(
    (mapper.class_ for mapper in Table.registry.mappers), key=lambda table_: table_.__name__
)


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_no_row_of_another_entity_is_visible(
    model: type[Table], pages: Pages, ours: World, theirs: World
) -> None:
    foreign = {id_of(row) for row in theirs.rows.values() if isinstance(row, model)}
    with pages.centre.database.reading() as session:
        for user in ours.users.values():
            assert foreign.isdisjoint(ids_seen(session, user, model))


@pytest.mark.parametrize(
    "name",
    ["entry", "request", "evidence", "scan", "scan_match", "plan", "sensor", "incident", "notice",
     "finding", "silence"],
)  # fmt: skip
def test_an_entity_sees_its_own(name: str, pages: Pages, theirs: World) -> None:
    row = theirs.rows[name]
    with pages.centre.database.reading() as session:
        assert id_of(row) in ids_seen(session, theirs.users[Role.REPORTER], type(row))


@pytest.mark.parametrize(
    "name",
    ["secret_entry", "secret_evidence", "secret_scan", "secret_scan_match", "observable", "run",
     "step", "group", "alert", "message", "job", "document", "deadline_centre"],
)  # fmt: skip
def test_an_entity_does_not_see_what_is_internal(name: str, pages: Pages, theirs: World) -> None:
    row = theirs.rows[name]
    with pages.centre.database.reading() as session:
        for user in theirs.users.values():
            assert id_of(row) not in ids_seen(session, user, type(row))


def test_drafts_views_and_sessions_are_their_persons_alone(
    pages: Pages, theirs: World, staff: dict[Role, User]
) -> None:
    with pages.centre.database.reading() as session:
        for name in ("draft", "view"):
            row = theirs.rows[name]
            for user in (*staff.values(), theirs.users[Role.OFFICER]):
                assert id_of(row) not in ids_seen(session, user, type(row))


def test_every_table_is_decided_for() -> None:
    undecided = set(TABLES) - set(FOR_CENTRE) - set(FOR_ENTITY) - set(OWN)
    assert {model.__name__ for model in undecided} <= {
        *("Attempts", "AuditAnchor", "CorrelationWindow", "Numbering"),
        *("SensorInvitation", "SensorNonce"),
    }


def id_of(row: Table) -> Any:  # of any type
    """The row's key."""
    return row.__mapper__.primary_key_from_instance(row)[0]


def ids_seen(session: Session, user: User, model: type[Table]) -> set[Any]:
    """Keys of all rows of a table that a person sees."""
    try:
        return {id_of(row) for row in session.scalars(visible(user, model))}
    except NotFound:
        return set()


if __name__ == "__main__":
    TABLE.write_text("\n".join(table()) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(table())} routes\n")
