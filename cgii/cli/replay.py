"""`cgii replay-rejects`: read again what could not be read, after its definition was mended."""

from typing import Annotated

import orjson
import typer

from cgii import centre as centres
from cgii.base.errors import Invalid
from cgii.base.labels import label
from cgii.base.settings import load
from cgii.collect.rejects import REASONS
from cgii.replay import replay_rejects


def replay(
    source: Annotated[str, typer.Argument(help="La fuente, con su definición ya corregida.")],
    reason: Annotated[str, typer.Option(help="Solo los rechazados por este motivo.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Un objeto JSON.")] = False,
) -> None:
    """Vuelve a leer los rechazos de una fuente; los que ya se entienden pasan a ser eventos."""
    if reason and reason not in REASONS:
        known = ", ".join(sorted(REASONS))
        raise Invalid("No existe el motivo {reason}. Hay: {known}.", reason=reason, known=known)
    centre = centres.build(load())
    try:
        sources = centre.definitions.by_name
        if source not in sources:
            known = ", ".join(sorted(sources))
            raise Invalid("No existe la fuente {name}. Hay: {known}.", name=source, known=known)
        told = replay_rejects(centre, source, reason=reason)
        with centre.database.transaction() as session:
            centre.act(session, via="cli").record(
                "rejects.replayed", f"source:{source}", read=told.read, refused=told.refused
            )
    finally:
        centre.close()
    if json:
        facts = {name: getattr(told, name) for name in told.__slots__}
        typer.echo(orjson.dumps({"source": source, **facts}).decode())
        return
    typer.echo(f"{source}: {told.sentence()}")
    for why, count in sorted(told.reasons.items()):
        typer.echo(f"  {label('detection.reject_reasons', why)}: {count}")
