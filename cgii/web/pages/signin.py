"""The way in and out: password, one-time code, leaving; and what watches over the program."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import delete
from starlette.responses import JSONResponse, Response

from cgii.base.counters import all_counters
from cgii.base.errors import Invalid, NotAllowed
from cgii.model.people import WebSession
from cgii.web.access import check_right, public
from cgii.web.answers import redirect, render, sentence
from cgii.web.deps import SentForm, TheCentre, address_of
from cgii.web.forms import blank
from cgii.web.health import problems
from cgii.web.rail import first_screen
from cgii.web.signin import Browser, sign_in, sign_in_with_code
from cgii.web.visitor import clear_cookie, load_visitor, set_cookie

router = APIRouter(include_in_schema=False)
LOOPBACK = ("127.0.0.1", "::1", "testclient")


def browser_of(request: Request) -> Browser:
    """Where this request comes from, for the session's row."""
    return Browser(address_of(request), request.headers.get("user-agent", ""))


TheBrowser = Annotated[Browser, Depends(browser_of)]
Back = Annotated[str, Query(max_length=2000)]


@router.get("/", dependencies=[public()])
def first(request: Request) -> Response:
    """Everybody's first screen."""
    visitor = load_visitor(request)
    if visitor is None or visitor.is_half_in:
        return redirect(request, "/entrar")
    if visitor.must_change_password:
        return redirect(request, "/cuenta/clave")
    return redirect(request, first_screen(visitor, request.app.state.served))


@router.get("/entrar", dependencies=[public()])
def show_sign_in(request: Request, volver: Back = "/") -> Response:
    """The form for address and password, or for the code when only that is missing."""
    visitor = load_visitor(request)
    if visitor is not None and not visitor.is_half_in:
        return redirect(request, own_path(volver))
    template = "signin/code.html" if visitor else "signin/password.html"
    return render(request, template, form=blank(volver=own_path(volver)))


@router.post("/entrar", dependencies=[public()])
def send_password(
    request: Request, centre: TheCentre, form: SentForm, browser: TheBrowser
) -> Response:
    """Check the password; the session begins anew, whatever cookie was there before."""
    back = own_path(str(form.get("volver", "/")))
    email, password = str(form.get("email", "")), str(form.get("password", ""))
    try:
        token = sign_in(centre, email, password, browser)
    except (Invalid, NotAllowed) as error:
        wrong = blank(email=email, volver=back).with_general(sentence(error))
        return render(request, "signin/password.html", status=error.status, form=wrong)
    response = redirect(request, f"/entrar?volver={back}" if back != "/" else "/entrar")
    set_cookie(response, centre, token)
    return response


@router.post("/entrar/codigo", dependencies=[public()])
def send_code(request: Request, centre: TheCentre, form: SentForm, browser: TheBrowser) -> Response:
    """Check the one-time code of somebody whose password was right."""
    back = own_path(str(form.get("volver", "/")))
    visitor = load_visitor(request)
    if visitor is None or not visitor.is_half_in:
        return redirect(request, "/entrar")
    try:
        token = sign_in_with_code(centre, visitor.session_id, str(form.get("code", "")), browser)
    except (Invalid, NotAllowed) as error:
        wrong = blank(volver=back).with_general(sentence(error))
        return render(request, "signin/code.html", status=error.status, form=wrong)
    response = redirect(request, back)
    set_cookie(response, centre, token)
    return response


@router.post("/salir", dependencies=[public()])
def leave(request: Request, centre: TheCentre) -> Response:
    """End this session. Harmless for whoever has none, so it asks for no token."""
    visitor = load_visitor(request)
    if visitor is not None:
        with centre.database.transaction() as session:
            session.execute(delete(WebSession).where(WebSession.id == visitor.session_id))
    response = redirect(request, "/entrar")
    clear_cookie(response, centre)
    return response


@router.get("/healthz", dependencies=[public()])
def is_alive() -> JSONResponse:
    """Whether this process answers at all."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", dependencies=[public()])
def is_ready(centre: TheCentre) -> JSONResponse:
    """Whether work may be sent here: schema, event store, disk."""
    found = problems(centre)
    return JSONResponse(
        {
            "status": "ok" if not found else "unavailable",
            "problems": found,
            "rules": centre.rules_revision,
        },
        status_code=503 if found else 200,
    )


@router.get("/metrics", dependencies=[public()])
def show_metrics(request: Request) -> Response:
    """Counters for Prometheus: to this machine, or to an administrator."""
    if address_of(request) not in LOOPBACK:
        check_right(load_visitor(request), "admin.see")
    return Response(all_counters(), media_type=CONTENT_TYPE_LATEST)


def own_path(address: str) -> str:
    """The address if it is a path of ours, else the front door: nobody is sent elsewhere."""
    parts = urlsplit(address)
    is_path = address.startswith("/") and not address.startswith(("//", "/\\"))
    is_plain = address.isprintable() and "\\" not in address
    return address if is_path and is_plain and not parts.scheme and not parts.netloc else "/"
