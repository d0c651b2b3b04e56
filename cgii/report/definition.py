"""Reads the reports' folders (reports/<name>/report.yml + report.html.j2) and checks them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError

from cgii.base.content import ContentFile, find
from cgii.base.errors import ContentError
from cgii.base.yaml_lines import BadYaml, read_yaml
from cgii.measure.boards import FaultError, Panel, line_of, read_panels
from cgii.model.incidents import TLPS
from cgii.report.render import template_environment

SUBJECTS = ("period", "incident", "receipt")
FORMATS = ("html", "pdf")
KEYS = {"id", "title", "about", "subject", "formats", "tlp", "panels"}
STYLE = "style.css"


@dataclass(frozen=True)
class Report:
    """A document that we can produce. `subject` says of what: a period, an incident, a receipt."""

    id: str
    title: str
    about: str
    subject: str
    formats: tuple[str, ...]
    tlp: str  # of the document; an incident's own takes its place
    panels: tuple[Panel, ...]
    template: str
    style: str


def load_reports(site: Path | None = None) -> tuple[dict[str, Report], list[ContentError]]:
    """All reports by id, and what could not be used."""
    files = {file.name: file for file in find("reports", "**/*", site)}
    reports: dict[str, Report] = {}
    errors: list[ContentError] = []
    for name, file in files.items():
        if not name.endswith("/report.yml"):
            continue
        try:
            reports[name.removesuffix("/report.yml")] = _read(file, files)
        except ContentError as error:
            errors.append(error)
        except UnicodeDecodeError:
            errors.append(ContentError(file.path, "el archivo no es UTF-8"))
    return reports, errors


def check_reports(site: Path | None = None) -> list[ContentError]:
    """What is wrong in the reports' files; empty when all of them can be used."""
    return load_reports(site)[1]


def _read(file: ContentFile, files: dict[str, ContentFile]) -> Report:
    try:
        document, lines = read_yaml(file.path.read_text(encoding="utf-8"))
    except BadYaml as error:
        raise ContentError(file.path, str(error), error.line) from error
    folder = file.name.removesuffix("/report.yml")
    template = files.get(f"{folder}/report.html.j2")
    if template is None:
        raise ContentError(file.path, "falta el archivo report.html.j2 en la misma carpeta")
    if STYLE not in files:
        raise ContentError(file.path, f"falta reports/{STYLE}")
    text = template.path.read_text(encoding="utf-8")
    try:
        template_environment().parse(text)
    except TemplateSyntaxError as error:
        reason = f"la plantilla no se entiende: {error.message}"
        raise ContentError(template.path, reason, error.lineno) from error
    try:
        style = files[STYLE].path.read_text(encoding="utf-8")
        return _report(document, folder, text, style)
    except FaultError as fault:
        raise ContentError(file.path, fault.reason, line_of(lines, fault.place)) from fault


def _report(document: Any, folder: str, template: str, style: str) -> Report:  # any YAML value
    if not isinstance(document, dict):
        raise FaultError("se esperaba una lista de «clave: valor»", ())
    for key in document:
        if key not in KEYS:
            raise FaultError(f"no se conoce la clave «{key}»", (str(key),))
    for key in ("id", "title", "about"):
        if not isinstance(document.get(key), str) or not document[key].strip():
            raise FaultError(f"falta «{key}»", (key,))
    if document["id"] != folder:
        raise FaultError(f"«id» debe ser el nombre de la carpeta: {folder}", ("id",))
    _one_of(document, "subject", SUBJECTS)
    _one_of(document, "tlp", TLPS)
    formats = document.get("formats")
    if not isinstance(formats, list) or not formats or not set(formats) <= set(FORMATS):
        raise FaultError(f"«formats» debe listar algunos de: {', '.join(FORMATS)}", ("formats",))
    is_of_period = document["subject"] == "period"
    if not is_of_period and "panels" in document:
        raise FaultError("solo un informe de un período tiene «panels»", ("panels",))
    return Report(
        id=document["id"],
        title=document["title"].strip(),
        about=document["about"].strip(),
        subject=document["subject"],
        formats=tuple(formats),
        tlp=document["tlp"],
        panels=read_panels(document.get("panels")) if is_of_period else (),
        template=template,
        style=style,
    )


def _one_of(document: dict[str, Any], key: str, allowed: tuple[str, ...]) -> None:
    if document.get(key) not in allowed:
        raise FaultError(f"«{key}» debe ser uno de: {', '.join(allowed)}", (key,))
