"""Who is behind a request: read once from the session cookie, then passed along as plain data."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from cgii.base import limits
from cgii.base.ids import hash_token
from cgii.centre import Centre
from cgii.model.people import ENTITY_ROLES, Role, WebSession


@dataclass(frozen=True)
class Visitor:
    """A signed-in person as pages need them. `is_half_in`: the second factor is still owed."""

    user_id: int
    session_id: int
    csrf_token: str
    name: str
    email: str
    role: Role
    entity_id: int | None
    entity_name: str
    theme: str
    density: str
    language: str
    must_change_password: bool
    is_half_in: bool

    @property
    def is_of_entity(self) -> bool:
        """Whether this person belongs to an entity, not to the centre."""
        return self.role in ENTITY_ROLES


def cookie_name(centre: Centre) -> str:
    """Behind TLS the name itself makes browsers refuse a cookie planted by a sibling host."""
    return "__Host-cgii" if centre.settings.secure_cookies else "cgii"


def set_cookie(response: Response, centre: Centre, token: str) -> None:
    """Give the browser its session."""
    response.set_cookie(
        cookie_name(centre),
        token,
        max_age=limits.SESSION_HOURS_MAX * 3600,
        path="/",
        httponly=True,
        secure=centre.settings.secure_cookies,
        samesite="lax",
    )


def clear_cookie(response: Response, centre: Centre) -> None:
    """Take the session from the browser."""
    response.delete_cookie(
        cookie_name(centre),
        path="/",
        httponly=True,
        secure=centre.settings.secure_cookies,
        samesite="lax",
    )


def load_visitor(request: Request) -> Visitor | None:
    """The visitor of this request, read once; None when nobody is signed in.

    A session ends limits.SESSION_HOURS_MAX after it began, or when it was idle too long; it is
    looked up every time, so that signing out anywhere works everywhere at once.
    """
    if hasattr(request.state, "visitor"):
        known: Visitor | None = request.state.visitor
        return known
    centre: Centre = request.app.state.centre
    token = request.cookies.get(cookie_name(centre), "")
    visitor = _find(centre, token) if token else None
    request.state.visitor = visitor
    return visitor


def _find(centre: Centre, token: str) -> Visitor | None:
    now = centre.clock()
    idle_since = now - timedelta(hours=limits.SESSION_IDLE_HOURS_MAX)
    with centre.database.reading() as session:
        row = session.scalar(
            select(WebSession).where(
                WebSession.token_hash == hash_token(token),
                WebSession.expires_at > now,
                WebSession.seen_at > idle_since,
            )
        )
        if row is None or not row.user.is_active:
            return None
        visitor = _visitor(row)
        seen_at = row.seen_at
    if now - seen_at > timedelta(seconds=limits.SESSION_SEEN_SECONDS):
        with centre.database.transaction() as session:
            kept = session.get(WebSession, visitor.session_id)
            if kept is not None:
                kept.seen_at = now
    return visitor


def _visitor(row: WebSession) -> Visitor:
    user = row.user
    return Visitor(
        user_id=user.id,
        session_id=row.id,
        csrf_token=row.csrf_token,
        name=user.name,
        email=user.email,
        role=Role(user.role),
        entity_id=user.entity_id,
        entity_name=user.entity.name if user.entity else "",
        theme=user.theme,
        density=user.density,
        language=user.language,
        must_change_password=user.must_change_password,
        is_half_in=bool(user.totp_secret) and not row.is_second_factor_done,
    )
