"""The reader's language: Spanish is the text in the code, others come from catalogues."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import NullTranslations
from pathlib import Path

from babel.support import Translations

CATALOGUES = Path(__file__).resolve().parent / "locale"
# Spanish needs no catalogue; any other language is offered once it has one.
LANGUAGES = ("es", *sorted(folder.parent.name for folder in CATALOGUES.glob("*/LC_MESSAGES")))
_current: ContextVar[str] = ContextVar("language", default="es")


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Everything inside is said in this language."""
    before = _current.set(language if language in LANGUAGES else "es")
    try:
        yield
    finally:
        _current.reset(before)


def current_language() -> str:
    """The language now spoken: "es" or "en"."""
    return _current.get()


def gettext(text: str) -> str:
    """The text in the reader's language."""
    return _catalogue(_current.get()).gettext(text)


def ngettext(one: str, many: str, count: int) -> str:
    """The text for one or for many, in the reader's language."""
    return _catalogue(_current.get()).ngettext(one, many, count)


@cache
def _catalogue(language: str) -> NullTranslations:
    return NullTranslations() if language == "es" else Translations.load(CATALOGUES, [language])
