"""A person's own account: password, second factor, sessions, how the screen looks."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii.base import limits
from cgii.base.errors import Conflict, Invalid
from cgii.base.labels import labels
from cgii.model.people import User, WebSession
from cgii.web.access import require
from cgii.web.answers import Toast, nothing, redirect, redo, render
from cgii.web.deps import (
    CurrentAct,
    CurrentSession,
    CurrentUser,
    CurrentVisitor,
    SentForm,
    TheCentre,
)
from cgii.web.forms import blank, read
from cgii.web.language import LANGUAGES, gettext
from cgii.web.pages.signin import TheBrowser
from cgii.web.passwords import (
    check_new_password,
    new_totp_secret,
    seal,
    totp_picture,
    unseal,
    verify_password,
)
from cgii.web.signin import begin_session, end_sessions, set_password, use_code
from cgii.web.visible import find, visible
from cgii.web.visitor import set_cookie

router = APIRouter(include_in_schema=False)
Secret = Annotated[str, Field(min_length=1, max_length=limits.PASSWORD_CHARS_MAX)]
# What the person may set → the table of its values.
PREFERENCES = {
    "theme": "words.themes",
    "density": "words.densities",
    "language": "words.languages",
}


@dataclass(frozen=True)
class PasswordForm:
    """A change of password."""

    current: Secret
    password: Secret
    repeated: Secret


@dataclass(frozen=True)
class FactorForm:
    """The first code of a new authenticator, with the secret it was made from, sealed."""

    sealed: Annotated[str, Field(max_length=500)]
    code: Annotated[str, Field(min_length=6, max_length=12)]


@dataclass(frozen=True)
class FactorEndForm:
    """Giving the second factor up needs the password again."""

    current: Secret


@router.get("/cuenta", dependencies=[require("account")])
def show_account(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """Everything about one's own account."""
    return render(request, "account/account.html", form=blank(), **_account(session, user))


def _account(session: Session, user: User) -> dict[str, Any]:
    sessions = session.scalars(visible(user, WebSession).order_by(WebSession.seen_at.desc()))
    return {"user": user, "sessions": sessions.all(), "languages": LANGUAGES}


@router.post("/cuenta/preferencias", dependencies=[require("account")])
def save_preferences(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm
) -> Response:
    """Theme, density, language: any of them, by the buttons of the top bar too."""
    for name, table in PREFERENCES.items():
        value = sent.get(name)
        if value is not None:
            if value not in labels(table) or (name == "language" and value not in LANGUAGES):
                raise Invalid("Elija una de las opciones.", field=name)
            setattr(user, name, value)
    if sent.get("silencio"):  # a button that has already changed the screen
        return nothing()
    return redirect(request, "/cuenta", toast=Toast(gettext("Preferencias guardadas.")))


@router.get("/cuenta/clave", dependencies=[require("account")])
def show_password(request: Request) -> Response:
    """The form to change one's password."""
    return render(request, "account/password.html", form=blank())


@router.post("/cuenta/clave", dependencies=[require("account")])
def change_password(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    sent: SentForm,
    centre: TheCentre,
    browser: TheBrowser,
) -> Response:
    """Change it, end all sessions, begin this one anew."""
    form = read(sent, PasswordForm)
    was_second_factor_done = bool(user.totp_secret)
    with redo(request, "account/password.html", form=form):
        data = form.data()
        if not verify_password(user.password_hash, data.current):
            raise Invalid("La contraseña actual no es correcta.", field="current")
        if data.password != data.repeated:
            raise Invalid("Las dos contraseñas no son iguales.", field="repeated")
        if data.password == data.current:
            raise Invalid("La contraseña nueva debe ser distinta.", field="password")
        check_new_password(data.password, email=user.email, name=user.name)
        set_password(act, user, data.password)
    end_sessions(act.session, user.id)
    token = begin_session(act, user, browser, is_second_factor_done=was_second_factor_done)
    response = redirect(request, "/", toast=Toast(gettext("Contraseña cambiada.")))
    set_cookie(response, centre, token)
    return response


@router.get("/cuenta/segundo-factor", dependencies=[require("account")])
def show_factor(request: Request, user: CurrentUser, centre: TheCentre) -> Response:
    """A fresh secret as a picture; it counts only once a code of it came back."""
    secret = new_totp_secret()
    return render(
        request,
        "account/factor.html",
        form=blank(sealed=seal(centre.secret, secret)),
        **_factor(secret, user),
    )


def _factor(secret: str, user: User) -> dict[str, Any]:
    grouped = " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))
    return {"picture": totp_picture(secret, user.email), "grouped": grouped, "user": user}


@router.post("/cuenta/segundo-factor", dependencies=[require("account")])
def enrol_factor(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    visitor: CurrentVisitor,
    sent: SentForm,
    centre: TheCentre,
) -> Response:
    """Take the authenticator into use: from now on every sign-in asks for its code."""
    form = read(sent, FactorForm)
    if user.totp_secret:
        raise Conflict("Ya tiene un segundo factor. Quítelo antes de registrar otro.")
    secret = unseal(centre.secret, str(form.value("sealed")))
    with redo(request, "account/factor.html", form=form, **_factor(secret, user)):
        use_code(act, user, secret, form.data().code)
    user.totp_secret = seal(centre.secret, secret)
    own = find(act.session, user, WebSession, id=visitor.session_id)
    own.is_second_factor_done = True
    end_sessions(act.session, user.id, but=visitor.session_id)
    act.record("account.factor_added", f"user:{user.id}")
    return redirect(request, "/cuenta", toast=Toast(gettext("Segundo factor activado.")))


@router.post("/cuenta/segundo-factor/quitar", dependencies=[require("account")])
def remove_factor(request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm) -> Response:
    """Give the second factor up; asks for the password, because a cookie alone must not do."""
    form = read(sent, FactorEndForm)
    context = _account(act.session, user)
    with redo(request, "account/account.html", form=form, **context):
        if not verify_password(user.password_hash, form.data().current):
            raise Invalid("La contraseña actual no es correcta.", field="current")
    user.totp_secret = ""
    act.record("account.factor_removed", f"user:{user.id}")
    return redirect(request, "/cuenta", toast=Toast(gettext("Segundo factor quitado.")))


@router.post("/cuenta/sesiones/cerrar", dependencies=[require("account")])
def sign_out_elsewhere(
    request: Request, act: CurrentAct, user: CurrentUser, visitor: CurrentVisitor
) -> Response:
    """End all of one's sessions but this one."""
    end_sessions(act.session, user.id, but=visitor.session_id)
    act.record("account.sessions_ended", f"user:{user.id}")
    return redirect(request, "/cuenta", toast=Toast(gettext("Las demás sesiones se cerraron.")))
