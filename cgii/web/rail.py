"""The left rail: what each person finds there, in which order."""

from dataclasses import dataclass

from cgii.web.access import rights_of
from cgii.web.language import gettext
from cgii.web.visitor import Visitor


@dataclass(frozen=True)
class Place:
    """One entry: where it leads, who may, its icon (bootstrap-icons) and its key after `g`."""

    url: str
    right: str
    icon: str
    label: str
    key: str
    pages: tuple[str, ...] | None = None  # beginnings of its pages; None: beneath its url

    def is_here(self, path: str) -> bool:
        """Whether this path is the place itself or one of its pages."""
        beginnings = (f"{self.url}/",) if self.pages is None else self.pages
        return path == self.url or path.startswith(beginnings)


CENTRE_PLACES = (
    Place("/mesa", "desk.see", "inbox", "Mesa", "m"),
    Place("/incidentes", "incident.see", "shield-exclamation", "Incidentes", "i"),
    Place("/alertas", "alert.see", "lightning-charge", "Alertas", "a"),
    Place("/busqueda", "search.see", "search", "Búsqueda", "b"),
    Place("/entidades", "entities.see", "buildings", "Entidades", "e"),
    Place("/planes", "plan.see", "clipboard-check", "Planes", "p", ("/planes/", "/revisiones")),
    Place("/tableros", "board.see", "bar-chart", "Tableros", "t"),
    Place("/informes", "report.see", "file-earmark-text", "Informes", "f"),
    Place("/reglas", "rules.see", "braces", "Reglas", "r", ("/reglas/", "/indicadores")),
    Place("/sensores", "sensors.see", "broadcast", "Sensores", "s", ("/sensores/", "/fuentes")),
    Place("/administracion", "admin.see", "sliders", "Administración", "x"),
)
ENTITY_PLACES = (
    Place("/portal", "portal.see", "house", "Inicio", "h", ()),
    Place("/portal/reportar", "notice.file", "megaphone", "Reportar incidente", "n"),
    Place("/portal/casos", "portal.see", "folder2-open", "Mis casos", "c"),
    Place("/portal/plan", "own_plan.see", "clipboard-check", "Nuestro plan", "p", ("/planes/",)),
    Place("/portal/sensores", "portal.see", "broadcast", "Sensores", "s"),
    Place("/cuenta", "account", "person", "Cuenta", "u"),
)
# What `n` opens, for whoever has the right; the first that fits.
NEW_PLACES = (
    Place("/incidentes/nuevo", "incident.work", "plus-lg", "Nuevo incidente", "n"),
    Place("/portal/reportar", "notice.file", "megaphone", "Reportar incidente", "n"),
)
# The first screen of roles whose work does not begin at the top of the rail.
FIRST_SCREENS = {
    "management": "/tableros",
    "reviewer": "/planes",
    "administrator": "/administracion",
}


def places_of(visitor: Visitor, served: frozenset[str]) -> list[Place]:
    """The rail of this person; only places that this program serves (`served`: their paths)."""
    rights = rights_of(visitor.role)
    places = ENTITY_PLACES if visitor.is_of_entity else CENTRE_PLACES
    return [place for place in places if place.right in rights and place.url in served]


def new_place_of(visitor: Visitor, served: frozenset[str]) -> Place | None:
    """What "new" means for this person, if anything."""
    rights = rights_of(visitor.role)
    for place in NEW_PLACES:
        if place.right in rights and place.url in served:
            return place
    return None


def first_screen(visitor: Visitor, served: frozenset[str]) -> str:
    """Where this person begins the day."""
    wanted = FIRST_SCREENS.get(visitor.role, "")
    if wanted in served:
        return wanted
    places = places_of(visitor, served)
    return places[0].url if places else "/cuenta"


def spoken(place: Place) -> str:
    """Its label in the reader's language."""
    return gettext(place.label)
