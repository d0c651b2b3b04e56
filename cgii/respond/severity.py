"""Computes an incident's severity from facts, with the reasons in words."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from cgii.base.labels import label, load_table
from cgii.model.entities import Entity
from cgii.model.incidents import SEVERITIES

LEVELS = {
    "informational": "bajo",
    "low": "bajo",
    "medium": "medio",
    "high": "alto",
    "critical": "critico",
}
MANY_AFFECTED = 100  # accounts, machines or persons from which one step is added …
VERY_MANY_AFFECTED = 10_000  # … and a second one
STEPS_MAX = 2  # facts raise by two steps at most: the kind of incident stays visible
CRITICAL_KINDS = frozenset({"ministry", "organ", "control"})
SERVICE_IMPACTS = ("none", "degraded", "down", "unknown")
PERSONAL_DATA = ("no", "yes", "unknown")


@dataclass(frozen=True)
class SeverityFacts:
    """What is known of an incident's weight. Unknown facts neither raise nor lower it."""

    rsit_class: str = ""
    rsit_type: str = ""
    affected_count: int | None = None  # persons, accounts or machines
    service_impact: str = "unknown"  # of SERVICE_IMPACTS
    personal_data: str = "unknown"  # of PERSONAL_DATA
    is_ongoing: bool = False
    is_critical_entity: bool = False

    def as_data(self) -> dict[str, Any]:
        """As JSON, for Incident.severity_facts."""
        return asdict(self)


@dataclass(frozen=True)
class Computed:
    """A severity and why: Spanish reasons in the order in which they counted."""

    severity: str
    reasons: tuple[str, ...]


def compute_severity(facts: SeverityFacts) -> Computed:
    """The severity that the facts give. Pure: the same facts give the same answer."""
    base, reason = _base(facts)
    step = 0
    reasons = [reason]
    if facts.service_impact == "down":
        step += 1
        reasons.append("un servicio está interrumpido (+1)")
    if facts.personal_data == "yes":
        step += 1
        reasons.append("hay datos personales comprometidos (+1)")
    affected = facts.affected_count or 0
    if affected >= MANY_AFFECTED:
        more = 2 if affected >= VERY_MANY_AFFECTED else 1
        step += more
        reasons.append(f"{affected} afectados (+{more})")
    if facts.is_critical_entity and facts.is_ongoing:
        step += 1
        reasons.append("sigue en curso en una entidad crítica (+1)")
    if step == 0 and _is_harmless(facts):
        step = -1
        reasons.append("terminado y sin efecto conocido (-1)")
    if step > STEPS_MAX:
        step = STEPS_MAX
        reasons.append(f"se suman {STEPS_MAX} niveles como máximo")
    number = min(max(SEVERITIES.index(base) + step, 0), len(SEVERITIES) - 1)
    return Computed(SEVERITIES[number], tuple(reasons))


def from_level(level: str, tags: tuple[str, ...] = ()) -> str:
    """The severity of an alert: as its rule declares it (`severity.muy-alto`), else by level."""
    for tag in tags:
        family, _, name = tag.partition(".")
        declared = name.replace("-", "_")
        if family == "severity" and declared in SEVERITIES:
            return declared
    return LEVELS.get(level, "medio")


def worse(one: str, other: str) -> str:
    """The higher of two severities."""
    return max(one, other, key=SEVERITIES.index)


def is_critical(entity: Entity | None) -> bool:
    """Whether the State leans on this entity."""
    return entity is not None and entity.kind in CRITICAL_KINDS


def facts_from(data: Mapping[str, Any]) -> SeverityFacts:
    """The facts as `as_data` wrote them; what is missing stays unknown."""
    known = SeverityFacts.__dataclass_fields__
    return SeverityFacts(**{key: value for key, value in data.items() if key in known})


@cache
def type_severities() -> dict[str, dict[str, str]]:
    """RSIT class → type → the severity that the taxonomy gives it."""
    return {
        row["code"]: {
            kind["code"]: (kind["severity"] or "bajo").replace("-", "_") for kind in row["types"]
        }
        for row in load_table("taxonomy")["classes"]
    }


def _base(facts: SeverityFacts) -> tuple[str, str]:
    types = type_severities().get(facts.rsit_class, {})
    if facts.rsit_type in types:
        found = types[facts.rsit_type]
        return found, f"el tipo de incidente es «{_word(found)}» por defecto"
    if types:
        # The middle one of its types, the higher of two: the type is still to be found.
        ordered = sorted(types.values(), key=SEVERITIES.index)
        found = ordered[len(ordered) // 2]
        return found, f"la clase de incidente es «{_word(found)}» mientras no se conozca el tipo"
    return "medio", "sin clase conocida se empieza en «medio»"


def _word(severity: str) -> str:
    return label("incidents.severities", severity).lower()


def _is_harmless(facts: SeverityFacts) -> bool:
    return (
        not facts.is_ongoing
        and facts.service_impact == "none"
        and facts.personal_data == "no"
        and not facts.affected_count
    )
