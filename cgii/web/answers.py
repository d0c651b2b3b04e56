"""How a route answers: a page, a fragment, a redirect, a toast, a file."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response

from cgii.base.errors import CgiiError, Invalid
from cgii.centre import Centre
from cgii.web import language, rail
from cgii.web.access import rights_of
from cgii.web.forms import Filled
from cgii.web.visitor import Visitor

FLASH_COOKIE = "cgii-toast"


class Redo(Exception):  # noqa: N818 - an answer on another way, not a fault
    """Ends a request with this answer and rolls its transaction back: a form to be corrected."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class JsonResponse(Response):
    """An answer for programs: plain data as JSON, moments in ISO 8601."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # any JSON value
        """The bytes of the body."""
        return orjson.dumps(content)


@dataclass(frozen=True)
class Toast:
    """A short word after a deed. `undo` is a URL that takes it back by POST."""

    text: str
    kind: str = "success"  # success info warning danger
    undo: str = ""

    def as_json(self) -> str:
        """As the browser's script reads it, in ASCII so that it fits a header."""
        values = {"text": self.text, "kind": self.kind, "undo": self.undo}
        return json.dumps({"toast": values}, ensure_ascii=True)


def is_htmx(request: Request) -> bool:
    """Whether a fragment is wanted, not a page."""
    return request.headers.get("hx-request") == "true" and "hx-boosted" not in request.headers


def is_api(request: Request) -> bool:
    """Whether a program asks, which reads JSON."""
    return request.url.path.startswith("/api/")


def render(
    request: Request,
    template: str,
    *,
    status: int = 200,
    toast: Toast | None = None,
    **context: Any,  # what the template names
) -> Response:
    """Render a template: a page, or its content alone when htmx asks.

    Templates begin with `{% extends frame %}`. They always know `request`, `visitor`, `can`,
    `now`, `rail_places`, `settings_demo`.
    """
    text = render_text(request, template, **context)
    response = Response(text, status, media_type="text/html; charset=utf-8")
    response.headers["Vary"] = "HX-Request"
    if toast is not None:
        response.headers["HX-Trigger"] = toast.as_json()
    return response


def render_text(request: Request, template: str, **context: Any) -> str:  # names of the template
    """The template as text, with what every template knows."""
    centre: Centre = request.app.state.centre
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    served: frozenset[str] = request.app.state.served
    rights = rights_of(visitor.role) if visitor else frozenset[str]()
    known = {
        "request": request,
        "visitor": visitor,
        "can": rights.__contains__,
        "now": centre.clock(),
        "rail_places": rail.places_of(visitor, served) if visitor else [],
        "new_place": rail.new_place_of(visitor, served) if visitor else None,
        "served": served,
        "settings_demo": centre.settings.demo,
        "frame": "frames/fragment.html" if is_htmx(request) else "frames/page.html",
    }
    spoken = visitor.language if visitor else "es"
    with language.speaking(spoken):
        templates: Environment = request.app.state.templates
        return templates.get_template(template).render(known | context)


def redirect(request: Request, url: str, *, toast: Toast | None = None) -> Response:
    """After a POST: go and look (303). `url` is one of our own paths."""
    assert re.match(r"/(?!/)", url), url
    if is_htmx(request):
        response = Response(status_code=204, headers={"HX-Redirect": quote(url, safe="/?&=#%:+,")})
    else:
        response = Response(status_code=303, headers={"Location": quote(url, safe="/?&=#%:+,")})
    if toast is not None:  # the next page shows it once
        response.set_cookie(
            FLASH_COOKIE, quote(toast.as_json()), max_age=20, path="/", samesite="lax"
        )
    return response


def nothing(toast: Toast | None = None) -> Response:
    """For htmx: leave the page as it is, show at most a toast."""
    headers = {"HX-Trigger": toast.as_json()} if toast else {}
    return Response(status_code=204, headers=headers)


def back_to(request: Request, default: str, *others: str) -> str:
    """The place that a person came from, with its filters, if it is below one of these."""
    referer = urlsplit(request.headers.get("referer", ""))
    places = (default, *others)
    known = any(referer.path == one or referer.path.startswith(f"{one}/") for one in places)
    if referer.netloc != request.url.netloc or not known:
        return default
    return f"{referer.path}?{referer.query}" if referer.query else referer.path


def download(content: bytes, file_name: str, media_type: str) -> Response:
    """A file to be kept, never shown in the browser."""
    return Response(
        content,
        media_type=media_type,
        headers={"Content-Disposition": attached(file_name)},
    )


def attached(file_name: str) -> str:
    """The header's value that makes a browser keep the answer as a file of this name."""
    return f"attachment; filename*=UTF-8''{quote(file_name, safe='')}"


@contextmanager
def redo(request: Request, template: str, *, form: Filled[Any], **context: Any) -> Iterator[None]:
    """What is invalid inside comes back as the same page, with what was typed and what is wrong.

        with redo(request, "cosas/edit.html", form=form, cosa=cosa):
            change(act, cosa, form.data())

    The transaction is rolled back; the answer has status 422.
    """
    try:
        yield
    except Invalid as error:
        wrong = form.with_problems(error)
        answer = render(request, template, status=error.status, form=wrong, **context)
        raise Redo(answer) from error


def sentence(error: CgiiError) -> str:
    """The error's message in the reader's language, with its facts."""
    text = language.gettext(error.message)
    return text.format(**error.facts) if error.facts else text
