"""Refuses requests that another site makes a signed-in browser send."""

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from cgii.base.errors import NotAllowed

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FIELD = "csrf"
HEADER = "X-CSRF-Token"
REFUSED = (
    "La página desde la que envió esto ya no es válida. Vuelva a cargarla e intente otra vez; "
    "lo que escribió se muestra abajo."
)


def check_origin(request: Request) -> None:
    """Refuse an unsafe request that comes from another site. Raises NotAllowed.

    Browsers say where a request comes from; a program that says nothing carries no cookies of
    somebody else, so it passes here.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise NotAllowed("Este formulario fue enviado desde otro sitio, por eso no se aceptó.")
    origin = request.headers.get("origin")
    if site is None and origin is not None and urlsplit(origin).netloc != request.url.netloc:
        raise NotAllowed("Este formulario fue enviado desde otro sitio, por eso no se aceptó.")


def check_token(sent: object, expected: str) -> None:
    """Refuse an unsafe request without the session's token. Raises NotAllowed."""
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), expected.encode()):
        raise NotAllowed(REFUSED)
