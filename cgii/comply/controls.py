"""Reads the framework of controls: sections and controls with what each is for and expects."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from cgii.base.content import reference
from cgii.base.errors import ContentError, NotFound

CERTAINTIES = ("confirmed", "to_confirm")


@dataclass(frozen=True)
class Control:
    """One control in our own words; ISO/IEC 27002 clauses are numbers only."""

    code: str  # "3.2"
    section: str  # "3"
    title: str
    objective: str
    guidance: str
    evidence: str  # what is expected as proof
    certainty: str  # confirmed: read in the original; to_confirm: rebuilt from knowledge of it
    iso_2013: tuple[str, ...]
    iso_2022: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One of the eleven sections with its controls in order."""

    code: str
    title: str
    certainty: str
    controls: tuple[Control, ...]


@dataclass(frozen=True)
class Framework:
    """A version of the framework. A filed plan names it and never changes with a newer one."""

    urn: str  # with the version: "urn:cgii:framework:pisi:1.0"
    name: str
    note: str
    sections: tuple[Section, ...]
    controls: Mapping[str, Control]  # by code, in order

    def control(self, code: str) -> Control:
        """The control of that code; NotFound if the framework has none."""
        if code not in self.controls:
            raise NotFound("No existe el control {code}.", code=code)
        return self.controls[code]


def in_order(code: str) -> tuple[int, ...]:
    """Sorts codes as people count: 2.1 before 10.1."""
    return tuple(int(part) for part in code.split("."))


def load_framework(urn: str | None = None) -> Framework:
    """The framework in force, or NotFound when `urn` names a version that is not shipped."""
    framework = _shipped()
    if urn is not None and urn != framework.urn:
        raise NotFound("No se encuentra el marco de controles {urn}.", urn=urn)
    return framework


def read_framework(path: Path) -> Framework:
    """Read and check one file; raises ContentError at the first thing that is wrong."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise ContentError(
            path, f"no es YAML válido: {error.problem}", mark.line + 1 if mark else None
        ) from error
    if not isinstance(data, dict):
        raise ContentError(path, "se espera una tabla con urn, version, name y sections")
    head = {key: _text(path, data, key, "el marco") for key in ("urn", "version", "name", "note")}
    if not isinstance(data.get("sections"), list) or not data["sections"]:
        raise ContentError(path, "el marco no tiene secciones")
    sections = tuple(_section(path, item) for item in data["sections"])
    controls: dict[str, Control] = {}
    for control in (control for section in sections for control in section.controls):
        if control.code in controls:
            raise ContentError(path, f"el control {control.code} está dos veces")
        controls[control.code] = control
    if len({section.code for section in sections}) != len(sections):
        raise ContentError(path, "una sección está dos veces")
    if list(controls) != sorted(controls, key=in_order):
        raise ContentError(path, "los controles no están en orden")
    urn = f"{head['urn']}:{head['version']}"
    return Framework(urn, head["name"], head["note"], sections, controls)


@cache
def _shipped() -> Framework:
    return read_framework(reference("controls.yml"))


def _section(path: Path, item: Any) -> Section:  # any YAML value
    code = _code(path, item, "una sección", parts=1)
    place = f"la sección {code}"
    if not isinstance(item.get("controls"), list) or not item["controls"]:
        raise ContentError(path, f"{place} no tiene controles")
    controls = tuple(_control(path, control, code) for control in item["controls"])
    return Section(code, _text(path, item, "title", place), _certainty(path, item, place), controls)


def _control(path: Path, item: Any, section: str) -> Control:  # any YAML value
    code = _code(path, item, f"un control de la sección {section}", parts=2)
    place = f"el control {code}"
    if not code.startswith(f"{section}."):
        raise ContentError(path, f"{place} no pertenece a la sección {section}")
    texts = {
        key: _text(path, item, key, place) for key in ("title", "objective", "guidance", "evidence")
    }
    return Control(
        code=code,
        section=section,
        certainty=_certainty(path, item, place),
        iso_2013=_clauses(path, item, "iso_2013", place),
        iso_2022=_clauses(path, item, "iso_2022", place),
        **texts,
    )


def _code(path: Path, item: Any, place: str, *, parts: int) -> str:  # any YAML value
    code = item.get("code") if isinstance(item, dict) else None
    if not isinstance(code, str):
        raise ContentError(path, f"{place} no tiene código entre comillas")
    pieces = code.split(".")
    if len(pieces) != parts or not all(piece.isdecimal() for piece in pieces):
        raise ContentError(path, f"el código «{code}» de {place} no tiene la forma esperada")
    return code


def _text(path: Path, item: Mapping[str, Any], key: str, place: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ContentError(path, f"falta «{key}» en {place}")
    return value.strip()


def _certainty(path: Path, item: Mapping[str, Any], place: str) -> str:
    value = item.get("certainty")
    if value not in CERTAINTIES:
        raise ContentError(path, f"«certainty» de {place} debe ser confirmed o to_confirm")
    return str(value)


def _clauses(path: Path, item: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    value = item.get(key, [])
    if not isinstance(value, list) or not all(isinstance(clause, str) for clause in value):
        raise ContentError(path, f"«{key}» de {place} debe ser una lista de textos")
    return tuple(value)
