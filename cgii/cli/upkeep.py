"""`cgii migrate` and `cgii verify-audit`: keep the record in order."""

import typer

from cgii import centre as centres
from cgii.base.settings import load
from cgii.store import anchors
from cgii.store.audit import count


def migrate() -> None:
    """Lleva el esquema de la base de datos a la versión de este programa."""
    centre = centres.build(load())
    typer.echo("El esquema está al día.")
    centre.close()


def verify_audit() -> None:
    """Recorre la bitácora encadenada y sus anclas; señala todo cambio, corte o reordenamiento."""
    centre = centres.build(load())
    path = centre.settings.data / anchors.FILE_NAME
    with centre.database.reading() as session:
        total = count(session)
        faults = [
            *centre.trail.verify(session),
            *anchors.check_anchors(centre.trail, session, path),
        ]
    centre.close()
    for fault in faults:
        typer.echo(f"entrada {fault.entry_id}: {fault.reason}", err=True)
    if faults:
        typer.echo(
            f"La bitácora NO está íntegra: {len(faults)} fallas en {total} entradas.", err=True
        )
        raise typer.Exit(1)
    typer.echo(f"La bitácora está íntegra: {total} entradas.")
