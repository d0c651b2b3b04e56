"""Every route names who may use it, and what changes something is not reached by reading."""

from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount

from cgii.base.settings import load
from cgii.centre import Centre
from cgii.web.access import RIGHTS, GuardedRoute, guarded_routes
from cgii.web.app import ROUTERS, create_app

SAFE = {"GET", "HEAD"}
# What anybody may ask for. A new line here is a decision; everything else needs a right.
PUBLIC = {"/", "/entrar", "/entrar/codigo", "/salir", "/healthz", "/readyz", "/metrics"}
# What machines ask for, with a token of their own.
FOR_SENSORS = {
    "/api/v1/ingest",
    "/api/v1/notices",
    *(f"/api/v1/sensors/{deed}" for deed in ("enrol", "key", "report")),
}
# Rights to look that also let people keep something of their own (a view, a draft, a preference).
OWN_THINGS = {"account"}

ROUTES = list(guarded_routes(ROUTERS))


def name(guarded: GuardedRoute) -> str:
    """`GET /incidentes`, as the test's name."""
    return f"{'+'.join(guarded.methods)} {guarded.route.path}"


@pytest.mark.parametrize("guarded", ROUTES, ids=name)
def test_a_route_has_one_guard_and_a_known_right(guarded: GuardedRoute) -> None:
    assert guarded.guard is not None, "needs one of require(…), token_only(…), public()"
    if guarded.guard.kind == "right":
        assert guarded.guard.right in RIGHTS
    elif guarded.guard.kind == "token":
        assert guarded.route.path in FOR_SENSORS
    else:
        assert guarded.route.path in PUBLIC


@pytest.mark.parametrize("guarded", ROUTES, ids=name)
def test_a_route_that_changes_something_asks_for_more_than_to_see(guarded: GuardedRoute) -> None:
    assert guarded.guard is not None
    right = guarded.guard.right
    if not {*guarded.methods} <= SAFE and right not in OWN_THINGS:
        assert not right.endswith(".see")


def test_nothing_is_served_beside_the_guarded_routes(tmp_path: Path) -> None:
    centre = Centre(load(data=tmp_path))
    app = create_app(centre)
    centre.close()
    mounts = [route for route in app.routes if isinstance(route, Mount)]
    included = [getattr(route, "original_router", None) for route in app.routes]

    assert [mount.path for mount in mounts] == ["/static"]
    assert [router for router in included if router is not None] == list(ROUTERS)
    assert len(app.routes) == len(mounts) + len(ROUTERS)
    # A router inside a router would hide its routes from the checks above.
    assert all(isinstance(route, APIRoute) for router in ROUTERS for route in router.routes)


def test_a_right_that_nobody_has_is_not_in_the_table() -> None:
    assert all(RIGHTS.values())
