"""`cgii doctor`: what this machine has, what is missing, and the command that mends it."""

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import typer

from cgii import centre as centres
from cgii.base.errors import CgiiError, Invalid, Unavailable
from cgii.base.reasons import why
from cgii.base.settings import Settings, load
from cgii.detect.yara_child import MISSING, is_available
from cgii.report import pdf
from cgii.store.audit import BACKUP_MADE, last_of
from cgii.store.events_aside import set_aside
from cgii.store.events_month import months

GIB = 1024**3
DISK_BYTES_MIN = 2 * GIB
BACKUP_DAYS_MAX = 8
TOO_MANY = (
    "la tarea prune_events borra los meses más antiguos, pero no el mes en curso; suba "
    "CGII_EVENTS_KEEP_GIB o reciba menos"
)


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    is_good: bool
    sentence: str


def doctor() -> None:
    """Revisa la instalación y dice qué falta y cómo ponerlo."""
    findings = _look()
    for finding in findings:
        typer.echo(f"{'bien ' if finding.is_good else 'FALTA'}  {finding.name}: {finding.sentence}")
    if not all(finding.is_good for finding in findings):
        raise typer.Exit(1)


def _pdf() -> Finding:
    try:
        pdf.make_pdf("<p>CGII</p>")
    except Unavailable as error:
        return Finding("PDF", False, str(error))
    return Finding("PDF", True, "disponible")


def _events(centre: centres.Centre) -> Finding:
    try:
        stats = centre.events.stats()
    except Unavailable as error:
        return Finding("eventos", False, str(error))
    settings = centre.settings
    most = settings.events_keep_bytes
    kept = f"{stats.events} guardados ({stats.product})"
    if most:
        kept += f", {stats.size_bytes / GIB:.1f} de {settings.events_keep_gib:g} GiB"
    wrong = _left_behind(settings.data / "events") if settings.events else ""
    if stats.set_aside:
        first = stats.set_aside[0].split()[0]
        wrong += (
            f"; dañados o rechazados, y apartados: {', '.join(stats.set_aside)}: corregida la "
            f"causa, devuélvalos con `cgii restore-events {first}`"
        )
    if stats.unusable:
        wrong += f"; no se pueden usar (permisos, disco): {', '.join(stats.unusable)}"
    if stats.strangers:
        wrong += (
            f"; en los mismos índices escriben otros centros ({stats.strangers}), y cada uno ve "
            "los eventos de los demás como de sus entidades: dele a cada uno su propio prefijo en "
            "CGII_EVENTS"
        )
    try:
        centre.events.must_take(centre.clock())
    except Unavailable as error:
        wrong += f"; {error}"
    if wrong:
        return Finding("eventos", False, kept + wrong)
    if most and stats.size_bytes > most:
        return Finding("eventos", False, f"{kept}: {TOO_MANY}")
    return Finding("eventos", True, kept)


def _left_behind(folder: Path) -> str:
    """Events in files that no search reads any more, because the settings name another store."""
    if not folder.is_dir():
        return ""
    told = ""
    if left := months(folder):
        told += (
            f"; las búsquedas no ven los archivos de {', '.join(left)} en {folder}: llévelos con "
            "`cgii move-events`, y con `--delete` los quita cuando todo está en el destino"
        )
    if damaged := [gap.file for gap in set_aside(folder)]:
        told += f"; dañados y apartados en {folder}: {', '.join(damaged)}"
    return told


def _broker(settings: Settings) -> Finding:
    from cgii.worker import broker_fault  # its libraries are large, and few centres need them

    try:
        fault = broker_fault(settings.broker)
    except Invalid as error:
        fault = str(error)
    return Finding("tareas", not fault, fault or "RabbitMQ responde")


def _yara(centre: centres.Centre) -> Finding:
    if not is_available():
        return Finding("YARA", False, MISSING)
    compiled = centre.yara.compiled()
    wrong = "; ".join(str(one) for one in compiled.rejected)
    return Finding("YARA", not wrong, wrong or f"{len(compiled.rules)} reglas")


def _look() -> list[Finding]:
    settings = load()
    try:
        centre = centres.build(settings)
    except CgiiError as error:
        findings = [Finding("arranque", False, str(error))]
    else:
        findings = _of_centre(centre)
        centre.close()
    if settings.broker:
        findings.append(_broker(settings))
    findings += [_pdf(), _disk(settings)]
    mail = settings.mail_host or "sin servidor (CGII_MAIL_HOST): los correos quedan en la bandeja"
    findings.append(Finding("correo", True, mail))
    return findings


def _of_centre(centre: centres.Centre) -> list[Finding]:
    rejected = centre.content.rejected
    rules = f"{len(centre.content.rules.single)} reglas"
    with centre.database.reading() as session:
        faults = list(centre.trail.verify(session))
        last = last_of(session, BACKUP_MADE)
    return [
        Finding("base de datos", True, centre.database.engine.dialect.name),
        _events(centre),
        Finding("contenido", not rejected, "; ".join(str(one) for one in rejected) or rules),
        _yara(centre),
        Finding("bitácora", not faults, f"{len(faults)} fallas"),
        _backup(last, centre.clock()),
    ]


def _backup(last: datetime | None, now: datetime) -> Finding:
    if last is None:
        return Finding("respaldo", True, "ninguno con `cgii backup`")
    days = (now - last).days
    told = f"el último es del {last:%d/%m/%Y}"
    return Finding("respaldo", days <= BACKUP_DAYS_MAX, f"{told}, hace {days} días")


def _disk(settings: Settings) -> Finding:
    try:
        free = shutil.disk_usage(settings.data).free
    except OSError as error:
        return Finding("disco", False, f"{settings.data}: {why(error)}")
    return Finding("disco", free > DISK_BYTES_MIN, f"{free // 1024**2} MiB libres")
