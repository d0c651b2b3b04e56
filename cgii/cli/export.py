"""`cgii export`: stored events as a file, however many they are."""

import gzip
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, BinaryIO, cast

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import select

from cgii import centre as centres
from cgii.base import counters
from cgii.base.durable import sync_folder
from cgii.base.errors import Invalid, NotFound
from cgii.base.reasons import why
from cgii.base.settings import load
from cgii.centre import Centre
from cgii.cli.moments import moment_in
from cgii.model.entities import Entity
from cgii.model.event import Event
from cgii.report.event_lines import FORMATS, Lines, csv_of
from cgii.store.event_shapes import EventQuery

STDOUT = "-"
INCOMPLETE = 3  # the return code when events are missing
TOLD_EVERY = 1_000


def export(
    query: Annotated[
        str, typer.Option("--query", help="Búsqueda, como en la pantalla; sin ella, todos.")
    ] = "",
    start: Annotated[str, typer.Option("--from", help="Desde qué día o momento.")] = "",
    end: Annotated[
        str, typer.Option("--to", help="Hasta qué día, incluido, o antes de qué momento.")
    ] = "",
    entity: Annotated[str, typer.Option(help="Código de una entidad; sin él, todas.")] = "",
    form: Annotated[str, typer.Option("--format", help="jsonl, csv, ecs u ocsf.")] = "jsonl",
    fields: Annotated[str, typer.Option(help="Columnas del CSV, separadas por comas.")] = "",
    output: Annotated[
        str, typer.Option(help="Archivo; con .gz se comprime. Sin él, la salida.")
    ] = STDOUT,
) -> None:
    """Escribe los eventos guardados en un archivo, del más antiguo al más nuevo."""
    lines = _lines(form, fields)
    before = counters.total(counters.EVENTS_UNREADABLE)
    centre = centres.build(load())
    try:
        wanted = EventQuery(
            query,
            start=moment_in(start, "--from", day_ends=False) if start else None,
            end=moment_in(end, "--to", day_ends=True) if end else None,
            entity_ids=_entity_ids(centre, entity),
        )
        if wanted.start and wanted.end and wanted.start >= wanted.end:
            raise Invalid("--from debe ser anterior a --to; así no hay ningún evento entre ellos.")
        events = centre.events.scan(wanted)  # what is wrong is told before a file is begun
        with centre.database.transaction() as session:
            centre.act(session, via="cli").record(
                "events.exported", "events", query=query, start=start, end=end, entity=entity,
                format=form,
            )  # fmt: skip
        with _told(events, is_shown=output != STDOUT) as told:
            _write(lines(told), output)
        gaps = centre.events.gaps(wanted)
    finally:
        centre.close()
    unreadable = counters.total(counters.EVENTS_UNREADABLE) - before
    if unreadable:
        typer.echo(f"Eventos dañados, que no se pudieron escribir: {unreadable}.", err=True)
    for gap in gaps:
        typer.echo(
            f"Faltan los eventos de {gap.month}: su archivo está dañado y se apartó como "
            f"{gap.file}.",
            err=True,
        )
    if gaps or unreadable:
        raise typer.Exit(INCOMPLETE)


def _lines(form: str, fields: str) -> Lines:
    if form not in FORMATS:
        known = ", ".join(FORMATS)
        raise Invalid("No existe el formato {name}. Hay: {known}.", name=form, known=known)
    if not fields:
        return FORMATS[form]
    if form != "csv":
        raise Invalid("--fields elige las columnas del CSV; agregue --format csv.")
    return csv_of([one.strip() for one in fields.split(",")])


def _entity_ids(centre: Centre, code: str) -> frozenset[int] | None:
    if not code:
        return None
    with centre.database.reading() as session:
        found = session.scalar(select(Entity.id).where(Entity.code == code))
    if found is None:
        raise NotFound("No existe la entidad {code}; véalas con cgii entity list.", code=code)
    return frozenset({found})


@contextmanager
def _told(events: Iterable[Event], *, is_shown: bool) -> Iterator[Iterable[Event]]:
    """The same events; how many went by is shown while a file is written, and in the end."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} eventos"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not is_shown) as shown:
        task = shown.add_task("", total=None)
        count = 0

        def counted() -> Iterator[Event]:
            nonlocal count
            for event in events:
                count += 1
                if count % TOLD_EVERY == 0:
                    shown.update(task, completed=count)
                yield event

        yield counted()
    if is_shown:
        typer.echo(f"{count} eventos.", err=True)


def _write(lines: Iterable[bytes], output: str) -> None:
    if output != STDOUT:
        with _file(Path(output)) as file:
            file.writelines(lines)
        return
    try:
        sys.stdout.buffer.writelines(lines)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # `| head` has seen enough
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    """A file that has its name only when it is complete and on disk."""
    if not path.name:
        raise Invalid("--output nombra una carpeta, {path}; agregue un archivo.", path=path)
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        with fresh.open("xb") as raw:
            if path.suffix == ".gz":  # without a name and a time: the same events, the same bytes
                with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                    yield cast("BinaryIO", packed)
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise Invalid(
            "No se puede escribir {path}: {reason}.", path=path, reason=why(error)
        ) from error
    finally:
        fresh.unlink(missing_ok=True)
