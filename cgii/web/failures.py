"""Turns any error into the one answer its reader understands: a page, a toast, or JSON."""

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cgii.base.errors import CgiiError, InvalidForm, NotSignedIn, Unavailable
from cgii.base.logs import logger
from cgii.web.answers import Toast, is_api, is_htmx, render, sentence
from cgii.web.csrf import FIELD
from cgii.web.language import gettext
from cgii.web.visitor import load_visitor

log = logger("web")
SECRET_FIELDS = ("password", "code", FIELD)  # never shown back
OUR_FAULT = (
    "Algo falló en el sistema. Lo que envió no se guardó; el equipo técnico puede encontrar "
    "el detalle con el número de abajo."
)
SENTENCES = {
    404: "La página no existe, o su cuenta no puede verla.",
    405: "Esta dirección no admite esa acción.",
}


@dataclass(frozen=True)
class Failure:
    """An error as people and programs are told about it."""

    status: int
    code: str
    text: str
    problems: dict[str, str]
    retry_after_seconds: int = 0


def answer_failure(request: Request, error: Exception) -> Response:
    """The answer to an error; never raises, never tells what is inside."""
    failure = _failure(error)
    response = _response(request, failure, error)
    if failure.retry_after_seconds:
        response.headers["Retry-After"] = str(failure.retry_after_seconds)
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


def _failure(error: Exception) -> Failure:
    if isinstance(error, CgiiError):
        problems = dict(error.problems) if isinstance(error, InvalidForm) else {}
        if error.field:
            problems[error.field] = sentence(error)
        wait = error.retry_after_seconds if isinstance(error, Unavailable) else 0
        return Failure(error.status, error.code, sentence(error), problems, wait)
    if isinstance(error, RequestValidationError):
        # A path or query value of the wrong kind: such a page does not exist.
        return Failure(404, "not_found", SENTENCES[404], {})
    if isinstance(error, HTTPException):
        code = HTTPStatus(error.status_code).name.lower()
        text = SENTENCES.get(error.status_code, error.detail)
        return Failure(error.status_code, code, gettext(text), {})
    return Failure(500, "error", gettext(OUR_FAULT), {})


def _response(request: Request, failure: Failure, error: Exception) -> Response:
    number = getattr(request.state, "request_id", "")
    if is_api(request):
        return _problem(failure, number)
    if isinstance(error, NotSignedIn):
        return _to_sign_in(request)
    if is_htmx(request):
        response = Response(status_code=failure.status, media_type="text/html; charset=utf-8")
        response.headers["HX-Trigger"] = Toast(failure.text, "danger").as_json()
        response.headers["HX-Reswap"] = "none"
        return response
    return _page(request, failure, number)


def _page(request: Request, failure: Failure, number: str) -> Response:
    try:
        load_visitor(request)
    except (CgiiError, OSError):  # the database is away too: a page without the rail
        request.state.visitor = None
    return render(
        request,
        "failure.html",
        status=failure.status,
        failure=failure,
        number=number,
        typed=_typed(request),
    )


def _typed(request: Request) -> list[tuple[str, str]]:
    """What the person had typed, so that it is not lost."""
    sent = getattr(request.state, "sent", None)
    if not isinstance(sent, FormData):
        return []
    return [
        (name, value)
        for name, value in sent.multi_items()
        if isinstance(value, str) and value and not any(word in name for word in SECRET_FIELDS)
    ]


def _to_sign_in(request: Request) -> Response:
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or is_htmx(request):
        back = "/"
    where = "/entrar" if back == "/" else f"/entrar?volver={quote(back, safe='')}"
    if is_htmx(request):
        return Response(status_code=204, headers={"HX-Redirect": where})
    return Response(status_code=303, headers={"Location": where})


def _problem(failure: Failure, number: str) -> Response:
    """RFC 9457, with the fields at fault beside it."""
    content = {
        "type": f"urn:cgii:problem:{failure.code}",
        "title": HTTPStatus(failure.status).phrase,
        "status": failure.status,
        "detail": failure.text,
        "problems": failure.problems,
        "request_id": number,
    }
    return Response(orjson.dumps(content), failure.status, media_type="application/problem+json")
