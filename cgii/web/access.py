"""Who may do what: the table of rights, and the guard that stands before every route.

What a person may *see* is in `cgii/web/visible.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from cgii.base import limits
from cgii.base.errors import NotAllowed, NotSignedIn
from cgii.model.people import Role
from cgii.web import csrf
from cgii.web.sent import read_sent
from cgii.web.visitor import Visitor, load_visitor

A, C, R, M, ADMIN, AUDIT = (
    Role.ANALYST,
    Role.COORDINATOR,
    Role.REVIEWER,
    Role.MANAGEMENT,
    Role.ADMINISTRATOR,
    Role.AUDITOR,
)
REPORTER, OFFICER, MAE = Role.REPORTER, Role.OFFICER, Role.MAE
CENTRE = frozenset({A, C, R, M, ADMIN, AUDIT})
ENTITY = frozenset({REPORTER, OFFICER, MAE})
EVERYONE = CENTRE | ENTITY

# right → who has it. `see` reads; every other verb changes something: auditors have none of them.
RIGHTS: dict[str, frozenset[Role]] = {
    "account": EVERYONE,  # one's own account, drafts, jobs, the manual, the search
    # --- the centre: incidents
    "desk.see": frozenset({A, C, AUDIT}),
    "alert.see": frozenset({A, C, ADMIN, AUDIT}),
    "alert.work": frozenset({A, C}),
    "incident.see": CENTRE,
    "incident.work": frozenset({A, C}),  # triage, comment, ask, stamp, close, walk playbooks
    "incident.assign": frozenset({C}),  # to somebody else
    "search.see": frozenset({A, C, AUDIT}),  # raw events
    # --- the centre: entities and plans
    "entities.see": CENTRE,
    "entities.edit": frozenset({C, ADMIN}),
    "plan.see": CENTRE,
    "plan.review": frozenset({R}),
    "plan.decide": frozenset({R, C}),
    # --- the centre: figures
    "board.see": CENTRE,
    "report.see": CENTRE,
    "report.make": frozenset({A, C, R, M, ADMIN}),
    # --- the centre: content and machines
    "rules.see": frozenset({A, C, ADMIN, AUDIT}),
    "rules.edit": frozenset({C, ADMIN}),
    "rules.try": frozenset({A, C, ADMIN}),  # paste a record and see what comes of it
    "sensors.see": frozenset({A, C, ADMIN, AUDIT, REPORTER, OFFICER}),
    "admin.see": frozenset({ADMIN, AUDIT}),
    "admin.edit": frozenset({ADMIN}),
    # --- an entity's people
    "portal.see": ENTITY,  # home, own cases
    "notice.file": frozenset({REPORTER, OFFICER}),
    "case.answer": frozenset({REPORTER, OFFICER}),
    "own_plan.see": ENTITY,
    "own_plan.write": frozenset({OFFICER}),
    "own_plan.approve": frozenset({MAE}),
    # --- both sides; what each may open is for visible() to say
    "evidence.see": EVERYONE,
    "receipt.see": EVERYONE,  # of a notice or a filing
    "any_plan.see": EVERYONE,  # one plan, by its number
}


def rights_of(role: Role) -> frozenset[str]:
    """All rights of a role, for menus and buttons."""
    return frozenset(right for right, roles in RIGHTS.items() if role in roles)


@dataclass(frozen=True)
class Guard:
    """Stands before a route. `kind` says how one passes: by right, by token, or freely."""

    kind: Literal["right", "token", "public"]
    right: str = ""
    body_bytes: int = limits.BODY_BYTES_MAX

    async def __call__(self, request: Request) -> None:
        """Let the request pass, or raise NotSignedIn or NotAllowed."""
        if self.kind == "token":
            return  # the route checks the sensor's token itself; cookies count for nothing there
        csrf.check_origin(request)
        visitor = await run_in_threadpool(load_visitor, request)
        if self.kind == "public":
            return
        check_right(visitor, self.right)
        assert visitor is not None
        request.app.state.pace.step(visitor.user_id, request.app.state.centre.clock())
        if request.method not in csrf.SAFE_METHODS:
            await _check_token(request, visitor)


def check_right(visitor: Visitor | None, right: str) -> None:
    """Raise NotSignedIn or NotAllowed unless this visitor has the right."""
    if visitor is None or visitor.is_half_in:
        raise NotSignedIn("Ingrese para continuar.")
    if visitor.role not in RIGHTS[right]:
        raise NotAllowed("Su cuenta no tiene permiso para esto.")
    if visitor.must_change_password and right != "account":
        raise NotAllowed("Antes de continuar, cambie su contraseña en «Mi cuenta».")


async def _check_token(request: Request, visitor: Visitor) -> None:
    sent: object = request.headers.get(csrf.HEADER)
    if sent is None:
        sent = (await read_sent(request)).get(csrf.FIELD)
    csrf.check_token(sent, visitor.csrf_token)


def require(right: str, *, body_bytes: int = limits.BODY_BYTES_MAX) -> Any:  # as Depends is typed
    """The guard of a route for people: `dependencies=[require("incident.work")]`.

    `body_bytes` is raised for routes that take files: `body_bytes=limits.UPLOAD_BYTES_MAX`.
    """
    assert right in RIGHTS, f"{right} is not in the table of rights"
    return Depends(Guard("right", right, body_bytes))


def token_only(purpose: str) -> Any:  # as Depends is typed
    """The guard of a route for sensors, which checks their token itself."""
    return Depends(Guard("token", purpose, limits.BATCH_BYTES_MAX))


def public() -> Any:  # as Depends is typed
    """The guard of a route for anybody: signing in, health."""
    return Depends(Guard("public"))


@dataclass(frozen=True)
class GuardedRoute:
    """A route with its guard, as the tests and the body limit read it."""

    route: APIRoute
    guard: Guard | None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods it answers, sorted."""
        return tuple(sorted(self.route.methods or ()))


def guarded_routes(routers: Iterable[APIRouter]) -> Iterator[GuardedRoute]:
    """Every route of these routers with the guard found in its `dependencies`."""
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                guards = [
                    dependency.dependency
                    for dependency in route.dependencies
                    if isinstance(dependency.dependency, Guard)
                ]
                yield GuardedRoute(route, guards[0] if len(guards) == 1 else None)
