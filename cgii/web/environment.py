"""Jinja2 as our templates find it: escaping on, unknown names are faults, our filters."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cgii.base.labels import labels
from cgii.web import formats, language

HERE = Path(__file__).resolve().parent
STATIC = HERE / "static"


@cache
def static_url(name: str) -> str:
    """The address of a file below static/, with its fingerprint so that it may be kept long."""
    path = STATIC / name
    mark = hashlib.sha256(path.read_bytes()).hexdigest()[:10] if path.is_file() else "absent"
    return f"/static/{name}?v={mark}"


def build_environment() -> Environment:
    """One per process: compiled templates are kept."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"],
    )
    # The i18n extension adds this method while it loads, so its type is not known.
    extended: Any = environment
    extended.install_gettext_callables(language.gettext, language.ngettext, newstyle=True)
    environment.filters.update(formats.FILTERS)
    environment.globals.update(static=static_url, choices=spoken_choices)
    return environment


def spoken_choices(table: str) -> list[tuple[str, str]]:
    """(code, label) of a reference table in the reader's language, for choice fields."""
    return [(code, language.gettext(text)) for code, text in labels(table).items()]
