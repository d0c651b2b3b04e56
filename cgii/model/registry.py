"""Every table is named here once, so that migrations and `create_all` know all of them."""

from cgii.model import (
    alerts,
    deadlines,
    detection,
    entities,
    evidence_scans,
    incidents,
    indicators,
    people,
    plans,
    records,
    runs,
    sensors,
    silence,
)
from cgii.model.table import Table

__all__ = [
    "Table",
    "alerts",
    "deadlines",
    "detection",
    "entities",
    "evidence_scans",
    "incidents",
    "indicators",
    "people",
    "plans",
    "records",
    "runs",
    "sensors",
    "silence",
]
