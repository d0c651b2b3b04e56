"""`cgii restore-events`: what was set aside of the events, back into their store."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cgii import centre as centres
from cgii.base.errors import Invalid
from cgii.base.settings import load
from cgii.cli.restore_refused import INCOMPLETE, restore_refused
from cgii.cli.steps import shown_steps
from cgii.store.event_shapes import Gap
from cgii.store.events import EventStore
from cgii.store.events_aside import drop, set_aside
from cgii.store.events_salvage import Salvage

_HELP = (
    "Archivo apartado: su nombre en data/events, o una ruta; con Elasticsearch, el índice de lo "
    "rechazado, que `cgii doctor` nombra."
)
_INDEX = re.compile(r"[a-z][a-z0-9_]*-refused")


def restore_events(
    file: Annotated[str, typer.Argument(metavar="ARCHIVO|ÍNDICE", help=_HELP)],
    delete: Annotated[
        bool, typer.Option("--delete", help="Borra después el archivo apartado, si se leyó entero.")
    ] = False,
) -> None:
    """Devuelve al almacén lo apartado: de un archivo dañado, o rechazado por un índice."""
    settings = load()
    if _INDEX.fullmatch(file):
        restore_refused(settings, file, delete=delete)
        return
    folder = settings.data / "events"
    path = _found(file, folder)
    gap = _aside(path, folder) if delete else None
    centre = centres.build(settings)
    salvage = Salvage(path)
    new: list[int] = []
    try:
        with shown_steps() as told:
            told(f"{path.name}: se leen", _written(salvage, centre.events, new), None)
        read, damaged = salvage.read, salvage.damaged
        counted = salvage.is_counted
        whole = counted and not damaged
        with centre.database.transaction() as session:
            centre.act(session, via="cli").record(
                "events.restored", "events", file=path.name, read=read, new=sum(new),
                damaged=damaged, deleted=delete and whole,
            )  # fmt: skip
    finally:
        salvage.close()
        centre.close()
    typer.echo(
        f"{path.name}: {read} eventos leídos, {sum(new)} devueltos, {read - sum(new)} ya estaban, "
        f"{damaged} dañados"
    )
    if salvage.unnamed:
        typer.echo(
            f"{path.name}: {salvage.unnamed} de los dañados no se devuelven porque su "
            "identificador ya no es el suyo: podrían quedar guardados dos veces.",
            err=True,
        )
    if not counted:
        typer.echo(
            f"{path.name} ya no dice cuántos eventos tenía: pueden faltar más; compare con "
            "la copia de un respaldo.",
            err=True,
        )
    if gap is not None and not whole:
        typer.echo(
            f"{path.name} no se borra: para lo que falta, pruebe con `sqlite3 {path} .recover` o "
            "con la copia de un respaldo, y bórrelo a mano cuando ya no lo necesite.",
            err=True,
        )
    elif gap is not None:
        drop(folder, gap)
        typer.echo(f"{path.name}: borrado")
    if not whole:
        raise typer.Exit(INCOMPLETE)


def _found(file: str, folder: Path) -> Path:
    """The file: by its name in the folder of events, or where the path says."""
    path = Path(file)
    return folder / file if path.name == file and not path.exists() else path


def _aside(path: Path, folder: Path) -> Gap:
    for gap in set_aside(folder) if folder.is_dir() else ():
        if path.exists() and path.samefile(folder / gap.file):
            return gap
    raise Invalid("--delete solo borra un archivo apartado de {folder}.", folder=folder)


def _written(salvage: Salvage, events: EventStore, new: list[int]) -> Iterator[int]:
    """Write what is read; what is there already is not written twice."""
    for batch in salvage.batches():
        new.append(events.write(batch))
        yield len(batch)
