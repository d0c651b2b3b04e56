"""The Spanish words that figures use for codes of the record."""

from cgii.base.labels import label, labels

SEVERITIES = dict(reversed(labels("incidents.severities").items()))  # the gravest first
ORIGINS = labels("incidents.origins")
PARTIES = labels("incidents.parties")
STAGES = labels("incidents.stages")
ALERT_STATES = labels("incidents.group_states")
PLAN_STATES = labels("plans.states")
NONE = {
    "rsit_class": "Sin clasificar",
    "entity": "Sin entidad conocida",
    "sector": "Sin sector",
    "origin": "Sin origen",
}


def class_label(code: str) -> str:
    """The label of an RSIT class."""
    return label("taxonomy.classes", code)


def sector_label(code: str) -> str:
    """The label of a sector of the State."""
    return label("entities.sectors", code)


def written(number: int) -> str:
    """A count as people write it: `1.449`."""
    return f"{number:,}".replace(",", ".")
