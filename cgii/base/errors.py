"""The six errors that rooms raise, and the one for content files.

A message is the Spanish sentence that the reader sees: what happened and what to do. It is a
gettext message id, so facts stand in it by name: `Invalid("El archivo {name} pesa demasiado",
name="x.log")`. The web turns an error into an answer; nobody logs and raises.
"""

from pathlib import Path
from typing import ClassVar


class CgiiError(Exception):
    """Base of the errors that people are meant to read.

    `message` is the untranslated sentence, `facts` fill it, `field` names the form field at fault.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, field: str | None = None, **facts: object) -> None:
        self.message = message
        self.field = field
        self.facts = facts
        super().__init__(message)

    def __str__(self) -> str:
        return self.message.format(**self.facts) if self.facts else self.message


class Invalid(CgiiError):
    """What was sent cannot be accepted as it is (422)."""

    status = 422
    code = "invalid"


class InvalidForm(Invalid):
    """Several fields are wrong at once; `problems` is field → sentence."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("Revise los campos marcados.")
        self.problems = problems


class NotSignedIn(CgiiError):
    """Nobody is signed in, or the token is unknown (401)."""

    status = 401
    code = "not_signed_in"


class NotAllowed(CgiiError):
    """The person is known and may not do this (403)."""

    status = 403
    code = "not_allowed"


class NotFound(CgiiError):
    """It does not exist, or this person may not know that it does (404)."""

    status = 404
    code = "not_found"


class Conflict(CgiiError):
    """It changed meanwhile, or its state does not allow this (409)."""

    status = 409
    code = "conflict"


class Unavailable(CgiiError):
    """Something we need does not answer, or is full; try again later (503)."""

    status = 503
    code = "unavailable"
    retry_after_seconds = 5


class ContentError(Exception):
    """A content file (source, rule, playbook, report, board) that cannot be used.

    Collected while loading, never fatal: one bad file must not hide the others.
    """

    def __init__(self, path: Path | str, reason: str, line: int | None = None) -> None:
        self.path = str(path)
        self.reason = reason
        self.line = line
        super().__init__(f"{self.place}: {reason}")

    @property
    def place(self) -> str:
        """`path:line`, or the path alone when the line is not known."""
        return f"{self.path}:{self.line}" if self.line else self.path
