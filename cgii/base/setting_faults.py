"""What is wrong with settings, as sentences that name the setting and never what it was set to."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from cgii.base.errors import Invalid
from cgii.base.reasons import why

PREFIX = "CGII_"
NEARNESS = 0.8  # of 1; what is less alike means something else, or is another program's
WORDS: Mapping[object, str] = {
    int: "un número entero",
    float: "un número",
    bool: "`true` o `false`",
    Path: "la ruta de un archivo o carpeta",
    tuple: 'una lista JSON de textos, como `["fuente=ruta"]`',
}
AT_LINE = re.compile(r"line (\d+)")


def settings_file() -> Path | None:
    """The file that `CGII_CONFIG` names; raises Invalid when it is not there to be read."""
    named = os.environ.get("CGII_CONFIG", "")
    if not named:
        return None
    path = Path(named)
    try:
        path.open("rb").close()
    except OSError as error:
        raise Invalid(
            "No se puede leer {path}, el archivo que nombra CGII_CONFIG: {reason}. Corrija la "
            "ruta, o quite CGII_CONFIG para usar los valores iniciales.",
            path=path,
            reason=why(error),
        ) from error
    return path


def no_toml(error: ValueError) -> Invalid:
    """What to say of a file that is no TOML, which is also text in UTF-8."""
    line = AT_LINE.search(str(error))
    return Invalid(
        "{path}, el archivo que nombra CGII_CONFIG, no es TOML{place}; cada ajuste va en su línea, "
        'como port = 8000 o mail_host = "correo.example.bo".',
        path=os.environ.get("CGII_CONFIG", ""),
        place=f" desde la línea {line[1]}" if line else "",
    )


def wrong_values(error: ValidationError, fields: Mapping[str, FieldInfo]) -> Invalid:
    """A sentence for each setting that is unknown or cannot have its value."""
    names = dict.fromkeys(str(one["loc"][0]) for one in error.errors(include_input=False))
    return _told(
        f"{_place_of(name)} debe ser {_wanted(fields[name])}."
        if name in fields
        else f"{_place_of(name)} no es un ajuste{_meant(name, fields)}"
        for name in names
    )


def wrong_list(name: str) -> Invalid:
    """What to say of a list in the environment that is no JSON."""
    return _told([f"{_place_of(name)} debe ser {WORDS[tuple]}."])


def refuse_misspelt(fields: Mapping[str, FieldInfo]) -> None:
    """Raise Invalid for variables that are almost a setting; others may be of another program."""
    given = (name.upper() for name in os.environ)
    names = [name.removeprefix(PREFIX).lower() for name in given if name.startswith(PREFIX)]
    meant = {name: near for name in names if name not in fields if (near := _near(name, fields))}
    if meant:
        raise _told(
            f"{PREFIX}{name.upper()} no es un ajuste; ¿quiso decir {PREFIX}{near.upper()}?"
            for name, near in meant.items()
        )


def _told(faults: Iterable[str]) -> Invalid:
    return Invalid("{faults} Los ajustes están en cgii/help/settings.md.", faults=" ".join(faults))


def _place_of(name: str) -> str:
    variable = PREFIX + name.upper()
    path = os.environ.get("CGII_CONFIG")
    is_of_file = path and variable not in (one.upper() for one in os.environ)
    return f"«{name}», en {path}," if is_of_file else variable


def _meant(name: str, fields: Mapping[str, FieldInfo]) -> str:
    near = _near(name.lower().removeprefix(PREFIX.lower()), fields)
    return f"; ¿quiso decir «{near}»?" if near else "."


def _near(name: str, fields: Mapping[str, FieldInfo]) -> str:
    from difflib import get_close_matches  # only who mistypes waits for it

    return next(iter(get_close_matches(name, fields, 1, NEARNESS)), "")


def _wanted(field: FieldInfo) -> str:
    kinds = [kind for kind in (get_args(field.annotation) or ()) if kind is not NoneType]
    kind: Any = field.annotation
    if get_origin(kind) is Literal:
        return "uno de " + ", ".join(map(str, kinds))
    if get_origin(kind) is tuple:
        kind = tuple
    elif kinds:
        kind = kinds[0]
    bounds = {
        name: getattr(one, name)
        for one in field.metadata
        for name in ("ge", "le")
        if hasattr(one, name)
    }
    within = " de {ge} a {le}".format_map(bounds) if bounds else ""
    return WORDS.get(kind, "un texto") + within
