"""What tuning does to a match that `cgii explain` found; needs this machine's record."""

from cgii import centre as centres
from cgii.base.settings import Settings
from cgii.detect.alerts import Match
from cgii.detect.logsources import LogSources
from cgii.detect.tuning_effect import Held
from cgii.model.detection import RuleTuning

WHAT = {
    "suppress": ("lo oculta", "lo ocultaría"),
    "exclude": ("lo excluye", "lo excluiría"),
    "level": ("cambia su nivel", "cambiaría su nivel"),
    "off": ("apaga la regla", "apagaría la regla"),
}


def sayings(settings: Settings, match: Match, table: LogSources) -> list[str]:
    """One sentence for each row of tuning that concerns the match."""
    centre = centres.build(settings)
    try:
        with centre.database.reading() as session:
            rows = centre.tuning(session).on(match, table, now=centre.clock())
            return [_sentence(held, session.get_one(RuleTuning, held.id)) for held in rows]
    finally:
        centre.close()


def _sentence(held: Held, row: RuleTuning) -> str:
    does, would = WHAT[held.kind]
    until = f", hasta {row.until:%Y-%m-%d}" if row.until else ""
    return (
        f"El ajuste {held.id} {would if held.is_watching else does}"
        f"{' (en observación)' if held.is_watching else ''}{until}: {row.reason}"
    )
