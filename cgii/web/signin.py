"""Signing in and out: attempts are counted, sessions live in the database and end there."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Invalid, NotAllowed
from cgii.base.ids import hash_token, token
from cgii.centre import Centre
from cgii.model.people import Attempts, User, WebSession
from cgii.store.accounts import canonical_email
from cgii.store.act import Act
from cgii.web.passwords import hash_password, matching_step, unseal, verify_password

# One sentence for an unknown address, a wrong password and a closed account.
REFUSED = "El correo o la contraseña no son correctos."
CODE_REFUSED = "El código no es correcto o ya fue usado. Espere el siguiente e intente otra vez."
TOO_MANY = "Demasiados intentos. Espere {minutes} minutos y vuelva a intentar."


@dataclass(frozen=True)
class Browser:
    """Where a person signs in from, as the list of their sessions shows it."""

    address: str
    user_agent: str


def sign_in(centre: Centre, email: str, password: str, browser: Browser) -> str:
    """Check a password and begin a session: its token. Raises Invalid, always in the same words.

    Counting, checking and beginning are three transactions: a guess is counted even when it
    fails, and no transaction is open while the password is checked (100 ms).
    """
    account = canonical_email(email)[: limits.NAME_CHARS_MAX]
    subjects = (f"sign-in:account:{account}", f"sign-in:address:{browser.address}")
    _count_attempt(centre, *subjects)
    with centre.database.reading() as session:
        user = session.scalar(select(User).where(User.email == account, User.is_active))
        user_id, password_hash = (user.id, user.password_hash) if user else (0, "")
    if not verify_password(password_hash, password[: limits.PASSWORD_CHARS_MAX]):
        raise Invalid(REFUSED)
    with centre.database.transaction() as session:
        signed_in = session.get(User, user_id)
        if signed_in is None or signed_in.password_hash != password_hash:
            raise Invalid(REFUSED)  # changed in this very moment
        act = centre.act(session, signed_in, via="web")
        if not signed_in.totp_secret:
            _welcome(act, signed_in, browser)
        return begin_session(act, signed_in, browser)


def sign_in_with_code(centre: Centre, session_id: int, code: str, browser: Browser) -> str:
    """The second step: check a one-time code and begin a full session in place of the half one."""
    with centre.database.reading() as session:
        user_id = session.scalar(select(WebSession.user_id).where(WebSession.id == session_id))
    _count_attempt(centre, f"code:account:{user_id}")
    with centre.database.transaction() as session:
        half = session.get(WebSession, session_id)
        if half is None:
            raise Invalid("La sesión terminó. Ingrese de nuevo.")
        user = half.user
        act = centre.act(session, user, via="web")
        use_code(act, user, unseal(centre.secret, user.totp_secret), code)
        session.delete(half)
        _welcome(act, user, browser)
        return begin_session(act, user, browser, is_second_factor_done=True)


def use_code(act: Act, user: User, secret: str, code: str) -> None:
    """Take a one-time code of this secret; it never works again. Raises Invalid at "code"."""
    step = matching_step(secret, code, after_step=user.totp_last_step, now=act.now)
    if step is None:
        raise Invalid(CODE_REFUSED, field="code")
    user.totp_last_step = step


def begin_session(
    act: Act, user: User, browser: Browser, *, is_second_factor_done: bool = False
) -> str:
    """A new session of this person: the token for the cookie, of which we keep the hash."""
    secret = token()
    act.session.add(
        WebSession(
            token_hash=hash_token(secret),
            user_id=user.id,
            csrf_token=token(),
            is_second_factor_done=is_second_factor_done,
            address=browser.address,
            user_agent=browser.user_agent[: limits.NAME_CHARS_MAX],
            created_at=act.now,
            seen_at=act.now,
            expires_at=act.now + timedelta(hours=limits.SESSION_HOURS_MAX),
        )
    )
    return secret


def end_sessions(session: Session, user_id: int, *, but: int | None = None) -> int:
    """Sign a person out everywhere, `but` in one session: how many ended."""
    query = delete(WebSession).where(WebSession.user_id == user_id)
    if but is not None:
        query = query.where(WebSession.id != but)
    return len(session.execute(query.returning(WebSession.id)).all())


def set_password(act: Act, user: User, password: str, *, is_temporary: bool = False) -> None:
    """Store a new password; a temporary one must be changed at the next sign-in."""
    user.password_hash = hash_password(password)
    user.must_change_password = is_temporary
    act.record("account.password_set", f"user:{user.id}", temporary=is_temporary)


def forget_old_attempts(session: Session, now: datetime) -> None:
    """Throw away counters and sessions whose time is over."""
    session.execute(delete(Attempts).where(Attempts.window_ends_at < now))
    session.execute(delete(WebSession).where(WebSession.expires_at < now))


def _welcome(act: Act, user: User, browser: Browser) -> None:
    user.last_sign_in_at = act.now
    own = (f"sign-in:account:{user.email}", f"code:account:{user.id}")
    act.session.execute(delete(Attempts).where(Attempts.subject.in_(own)))
    # An office shares one address: who succeeds takes back their own attempt, not everybody's.
    act.session.execute(
        update(Attempts)
        .where(Attempts.subject == f"sign-in:address:{browser.address}", Attempts.count > 0)
        .values(count=Attempts.count - 1)
    )
    forget_old_attempts(act.session, act.now)
    act.record("account.signed_in", f"user:{user.id}", entity_id=user.entity_id)


def _count_attempt(centre: Centre, *subjects: str) -> None:
    """Count before checking, so that guesses sent at once are all counted. Raises NotAllowed."""
    now = centre.clock()
    window = timedelta(seconds=limits.SIGN_IN_WINDOW_SECONDS)
    is_over = False
    with centre.database.transaction() as session:
        for subject in subjects:
            row = session.scalar(
                select(Attempts).where(Attempts.subject == subject).with_for_update()
            )
            if row is None:
                row = Attempts(subject=subject, count=0, window_ends_at=now + window)
                session.add(row)
            if row.window_ends_at < now:
                row.count, row.window_ends_at = 0, now + window
            row.count += 1
            is_over = is_over or row.count > limits.SIGN_IN_TRIES_MAX
    if is_over:
        raise NotAllowed(TOO_MANY, minutes=limits.SIGN_IN_WINDOW_SECONDS // 60)
