"""Builds the web application of a centre: guards, routes, and one answer to every error."""

from collections.abc import Callable

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cgii import __version__
from cgii.base import limits
from cgii.base.errors import CgiiError
from cgii.base.logs import logger
from cgii.centre import Centre
from cgii.web.access import guarded_routes
from cgii.web.answers import Redo
from cgii.web.api import API, ingest
from cgii.web.environment import STATIC, build_environment
from cgii.web.failures import answer_failure
from cgii.web.ingest_places import IngestPlaces
from cgii.web.middleware import BodyAllowance, BodyLimit, Observing, TellingTime
from cgii.web.pace import Pace
from cgii.web.pages import PAGES
from cgii.web.postponed import Postponed, Postponing
from cgii.web.senders import KnownKeys

# Routes are tried one after the other, so what machines ask for all day comes first.
ROUTERS: tuple[APIRouter, ...] = (*API, *PAGES)
OF_SENSORS = (ingest.PATH, "/api/v1/sensors/")
log = logger("web")


def create_app(centre: Centre) -> FastAPI:
    """The application of this centre, ready for uvicorn."""
    postponed = Postponed()
    app = FastAPI(
        title="CGII",
        version=__version__,
        # The description of the API is a route of ours, behind its guard; no page from a CDN.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(Observing, is_secure=centre.settings.secure_cookies),
            Middleware(TellingTime, paths=OF_SENSORS, now=lambda: centre.clock()),
            Middleware(Catching),
            Middleware(BodyLimit, allowances=_allowances()),
            Middleware(Postponing, path=ingest.PATH, postponed=postponed),
        ],
    )
    app.state.centre = centre
    app.state.templates = build_environment()
    app.state.pace = Pace()
    app.state.ingest_places = IngestPlaces(centre.settings.ingest_records_per_second)
    app.state.postponed = postponed
    app.state.known_keys = KnownKeys()
    app.state.served = frozenset(guarded.route.path for guarded in guarded_routes(ROUTERS))
    for kind in (CgiiError, HTTPException, RequestValidationError, Redo):
        app.add_exception_handler(kind, _answer)
    app.mount("/static", KeptFiles(directory=STATIC), name="static")
    for router in ROUTERS:
        app.include_router(router)
    return app


def _allowances() -> list[BodyAllowance]:
    """Where more than limits.BODY_BYTES_MAX may be sent, as the routes' guards say."""
    return [
        BodyAllowance(guarded.route.path_regex, guarded.guard.body_bytes)
        for guarded in guarded_routes(ROUTERS)
        if guarded.guard is not None and guarded.guard.body_bytes > limits.BODY_BYTES_MAX
    ]


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, Redo):
        return error.response
    return await run_in_threadpool(answer_failure, request, error)


class Catching:
    """The last catching place: a fault of ours becomes an answer and a line in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def watched_send(message: Message) -> None:
            nonlocal has_begun
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except ClientDisconnect:
            log.info("sender left before its body ended", path=scope["path"])
        except Exception as error:
            if has_begun or scope["type"] != "http":
                raise
            request = Request(scope, receive)
            if not isinstance(error, (CgiiError, HTTPException)):
                log.exception("request failed", path=scope["path"], method=scope["method"])
            response = await run_in_threadpool(answer_failure, request, error)
            await response(scope, receive, send)


class KeptFiles(StaticFiles):
    """Our own files: an address with a fingerprint may be kept for a year, others are asked for."""

    def file_response(self, *args: object, **options: object) -> Response:
        """As Starlette's, with our word on how long to keep it."""
        make: Callable[..., Response] = super().file_response
        response = make(*args, **options)
        scope = args[2] if len(args) > 2 else options["scope"]
        assert isinstance(scope, dict)
        has_mark = scope["query_string"].startswith(b"v=")
        keep = "public, max-age=31536000, immutable" if has_mark else "no-cache"
        response.headers["Cache-Control"] = keep
        return response
