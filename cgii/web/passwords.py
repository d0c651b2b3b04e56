"""Passwords (argon2id), one-time codes (TOTP), and how their secrets are stored."""

import base64
import hashlib
import hmac
import unicodedata
from datetime import datetime
from threading import BoundedSemaphore

import pyotp
import segno
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.fernet import Fernet, InvalidToken

from cgii.base import limits
from cgii.base.errors import Invalid

ISSUER = "CGII"
TOTP_SECONDS = 30
# What people choose first; the length rule keeps most of the usual lists out already.
COMMON = ("contraseña", "password", "123456789", "qwerty", "bolivia", "administrador", "abcdefg")
_hasher = PasswordHasher()
_places = BoundedSemaphore(limits.PASSWORD_CHECKS_AT_ONCE_MAX)
_nobody: list[str] = []  # the hash that is checked when the account does not exist


def hash_password(password: str) -> str:
    """The argon2id hash to store."""
    with _places:
        return _hasher.hash(unicodedata.normalize("NFC", password))


def verify_password(password_hash: str, password: str) -> bool:
    """Whether the password fits; an empty hash (nobody, or no password) takes as long and fails."""
    wanted = password_hash or _hash_of_nobody()
    with _places:
        try:
            _hasher.verify(wanted, unicodedata.normalize("NFC", password))
        except (VerificationError, InvalidHashError):
            return False
    return bool(password_hash)


def check_new_password(password: str, *, email: str, name: str) -> None:
    """Refuse a weak new password. Raises Invalid at the field "password"."""
    if len(password) < limits.PASSWORD_CHARS_MIN:
        raise Invalid(
            "Use al menos {count} caracteres; una frase es lo más fácil de recordar.",
            field="password",
            count=limits.PASSWORD_CHARS_MIN,
        )
    if len(password) > limits.PASSWORD_CHARS_MAX:
        raise Invalid(
            "Use como máximo {count} caracteres.",
            field="password",
            count=limits.PASSWORD_CHARS_MAX,
        )
    plain = password.casefold()
    own = [email.split("@")[0], *name.casefold().split()]
    guessable = [word for word in (*COMMON, *own) if len(word) > 3 and word in plain]
    rest = plain
    for word in guessable:
        rest = rest.replace(word, "")
    if len(set(plain)) < 5 or (guessable and len(rest) < limits.PASSWORD_CHARS_MIN // 2):
        raise Invalid(
            "Es fácil de adivinar. No use su nombre, palabras conocidas ni repeticiones.",
            field="password",
        )


def new_totp_secret() -> str:
    """A fresh secret for an authenticator app, in base 32."""
    return pyotp.random_base32()


def totp_picture(secret: str, email: str) -> str:
    """The QR code that the app reads, as a `data:` address."""
    address = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)
    picture: str = segno.make(address, micro=False).svg_data_uri(scale=5, border=2)
    return picture


def matching_step(secret: str, code: str, *, after_step: int, now: datetime) -> int | None:
    """The time step whose code this is, None when there is none later than `after_step`.

    The caller stores the step, so that a code works once.
    """
    code = code.replace(" ", "")
    if not (code.isascii() and code.isdecimal() and len(code) == 6):
        return None
    current = int(now.timestamp()) // TOTP_SECONDS
    totp = pyotp.TOTP(secret)
    for step in range(current - limits.TOTP_DRIFT_STEPS, current + limits.TOTP_DRIFT_STEPS + 1):
        wanted = totp.generate_otp(step)
        if hmac.compare_digest(wanted, code) and step > after_step:
            return step
    return None


def seal(key: bytes, text: str) -> str:
    """Encrypt a short secret for storing, with a key made from the centre's."""
    return _box(key).encrypt(text.encode()).decode()


def unseal(key: bytes, sealed: str) -> str:
    """The secret again. Raises Invalid when it was changed, or sealed with another key."""
    try:
        return _box(key).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Invalid(
            "El segundo factor no se pudo leer. Pida a la administración que lo quite."
        ) from error


def _box(key: bytes) -> Fernet:
    made = hashlib.blake2b(key[:64], digest_size=32, person=b"cgii-totp").digest()
    return Fernet(base64.urlsafe_b64encode(made))


def _hash_of_nobody() -> str:
    if not _nobody:
        _nobody.append(_hasher.hash("nobody"))
    return _nobody[0]
