"""What `cgii restore-events` does with an index: what was refused, back among the events."""

import typer

from cgii import centre as centres
from cgii.base.errors import Invalid
from cgii.base.settings import Settings
from cgii.cli.steps import shown_steps

INCOMPLETE = 3  # the return code when events stay behind, or nobody knows how many
_REASONS_TOLD = 10


def restore_refused(settings: Settings, index: str, *, delete: bool) -> None:
    """Offer the index's events once more, and say what became of them. Raises Invalid."""
    if not settings.events.startswith(("https://", "http://")):
        raise Invalid(
            "{index} es el nombre de un índice, y CGII_EVENTS no nombra un Elasticsearch; si es un "
            "archivo, escriba su ruta, ./{index}.",
            index=index,
        )
    if delete:
        raise Invalid(
            "--delete es para archivos: lo que vuelve de {index} sale de ahí sin él.", index=index
        )
    from cgii.store.events_elastic import ElasticEvents  # its client is slow to load
    from cgii.store.events_elastic_restore import Restored

    centre = centres.build(settings)
    found = Restored()
    try:
        events = centre.events
        assert isinstance(events, ElasticEvents)
        if index != events.aside:
            raise Invalid(
                "Lo que rechazan los índices de este centro está en {own}, no en {index}.",
                own=events.aside,
                index=index,
            )
        with shown_steps() as told:
            told(f"{index}: se devuelven", events.restore(centre.clock(), found), None)
        with centre.database.transaction() as session:
            centre.act(session, via="cli").record(
                "events.restored", "events", index=index, read=found.read, new=found.new,
                refused=len(found.refused), damaged=found.damaged,
            )  # fmt: skip
    finally:
        centre.close()
    typer.echo(
        f"{index}: {found.read} eventos leídos, {found.new} devueltos, {found.known} ya estaban, "
        f"{len(found.refused)} rechazados otra vez, {found.damaged} dañados"
    )
    for key, reason in list(found.refused.items())[:_REASONS_TOLD]:
        typer.echo(f"  {key}: {reason}", err=True)
    if not found.is_whole:
        typer.echo(f"Lo rechazado o dañado sigue en {index}.", err=True)
        raise typer.Exit(INCOMPLETE)
