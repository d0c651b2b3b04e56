"""`cgii backup` and `cgii restore`: the data folder to another place, and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cgii import centre as centres
from cgii.base import clock
from cgii.base.errors import Invalid
from cgii.base.settings import EMBEDDED, Settings, load
from cgii.cli.upkeep import verify_audit
from cgii.store.audit import BACKUP_MADE
from cgii.store.backup import Made, Told, check, make, put_back
from cgii.store.backup_files import files_of

MIB = 1024**2
INCOMPLETE = 3  # the return code when a month of events is damaged


def backup(
    folder: Annotated[
        Path, typer.Argument(help="Carpeta de los respaldos, en otro disco; se crea si no existe.")
    ],
    keep: Annotated[
        int, typer.Option("--keep", min=1, help="Respaldos que quedan; se borran los más viejos.")
    ] = 7,
) -> None:
    """Copia los datos del centro, con el centro en marcha o detenido, y comprueba la copia."""
    settings = load()
    if not settings.has_record:
        raise Invalid("No hay nada que respaldar en {data}; revise CGII_DATA.", data=settings.data)
    # First, as it is: opening the centre may bring the record to this version.
    with _shown() as told:
        made = make(settings.data, folder, now=clock.now(), keep=keep, told=told)
    _tell(made, settings)
    centre = centres.build(settings)
    try:
        with centre.database.transaction() as session:
            centre.act(session, via="cli").record(
                BACKUP_MADE, "centre", path=str(made.path), files=len(made.files),
                copied_bytes=made.copied_bytes, damaged=made.damaged,
            )  # fmt: skip
    finally:
        centre.close()
    if made.damaged:
        raise typer.Exit(INCOMPLETE)


def restore(
    backup: Annotated[Path, typer.Argument(help="Un respaldo: CARPETA/cgii-AAAAMMDDTHHMMSSZ.")],
    only_check: Annotated[
        bool, typer.Option("--check", help="Solo comprueba el respaldo; no escribe nada.")
    ] = False,
) -> None:
    """Comprueba un respaldo, lo pone en una carpeta de datos vacía y verifica la bitácora."""
    if only_check:
        _check(backup)
        return
    settings = load()
    if settings.database and any(kept.name == EMBEDDED for kept in files_of(backup)):
        raise Invalid(
            "El respaldo tiene el registro en {name}, y CGII_DATABASE nombra otro: restaure con "
            "CGII_DATABASE vacío.",
            name=EMBEDDED,
        )
    with _shown() as told:
        count = put_back(backup, settings.data, told)
    typer.echo(f"{settings.data}: {count} archivos restaurados.")
    if settings.has_record:
        verify_audit()
    typer.echo("Revise con `cgii doctor` e inicie el centro.")


def _check(backup: Path) -> None:
    count = len(files_of(backup))
    with _shown() as told:
        faults = check(backup, told)
    for fault in faults:
        typer.echo(fault, err=True)
    typer.echo(f"{backup}: {count} archivos, {len(faults)} con fallas.")
    if faults:
        raise typer.Exit(1)


def _tell(made: Made, settings: Settings) -> None:
    typer.echo(
        f"{made.path}: {len(made.files)} archivos, {made.linked} iguales a los del respaldo "
        f"anterior; {made.copied_bytes / MIB:.1f} MiB copiados"
    )
    for name in made.damaged:
        typer.echo(
            f"{name} está dañado: se copió como está, apartado. `cgii restore-events` lee de él lo "
            "que se pueda.",
            err=True,
        )
    if settings.database:
        typer.echo("El registro está en PostgreSQL: respáldelo con pg_dump.", err=True)
    if settings.events:
        typer.echo(
            "Los eventos están en Elasticsearch: respáldelos con sus instantáneas.", err=True
        )


@contextmanager
def _shown() -> Iterator[Told]:
    """Shows on a terminal which file it is at."""
    console = Console(stderr=True)
    with console.status("…") as status:
        yield lambda name: status.update(name)
