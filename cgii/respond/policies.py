"""Reads playbooks/deadlines.yml: which deadline holds for which incident, and office hours."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from cgii.base import limits
from cgii.base.calendar import WorkingCalendar, add_working_hours
from cgii.base.content import find
from cgii.base.errors import ContentError
from cgii.base.yaml_lines import BadYaml, Place, read_yaml
from cgii.model.incidents import SEVERITIES, STAGES, Incident

FILE = "deadlines.yml"
PARTIES = ("centre", "entity", "third_party")
ORIGINS = ("alert", "notice", "manual")
TIMES = ("calendar", "working")
TOLD = ("owner", "coordinator", "entity")  # whom a policy may have told
TEXTS = ("label", "regime", "stage", "party", "starts", "time")
LISTS = ("severities", "entity_kinds", "origins", "warn_percent", "tell")
FIELDS = frozenset({"id", "hours", "statutory", "active", "note", *TEXTS, *LISTS})


@dataclass(frozen=True)
class Policy:
    """One rule of the file. Empty lists mean: for all."""

    id: str
    label: str
    regime: str
    stage: str  # what must have happened
    party: str  # who owes it
    starts: str  # the stage from which time counts
    hours: float
    time: str  # calendar or working
    severities: tuple[str, ...] = ()
    entity_kinds: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    warn_percent: tuple[int, ...] = (50, 75, 90)
    tell: tuple[str, ...] = ("owner", "coordinator")  # when it is missed
    is_statutory: bool = False
    is_active: bool = True

    def holds_for(self, incident: Incident) -> bool:
        """Whether the incident owes this deadline."""
        kind = incident.entity.kind if incident.entity else ""
        return (
            self.is_active
            and (not self.severities or incident.severity in self.severities)
            and (not self.entity_kinds or kind in self.entity_kinds)
            and (not self.origins or incident.origin in self.origins)
        )

    def due(self, start: datetime, calendar: WorkingCalendar) -> datetime:
        """When it is due if time counts from `start`."""
        if self.time == "working":
            return add_working_hours(start, self.hours, calendar)
        return start + timedelta(hours=self.hours)

    def frozen(self, calendar: WorkingCalendar) -> dict[str, Any]:
        """The policy as JSON, as it is kept in each clock that it starts."""
        return {
            "id": self.id,
            "starts": self.starts,
            "hours": self.hours,
            "time": self.time,
            "warn_percent": list(self.warn_percent),
            "tell": list(self.tell),
            "calendar": calendar.as_data(),
        }


@dataclass(frozen=True)
class Policies:
    """The file as loaded; what is wrong in it is left out and listed."""

    calendar: WorkingCalendar
    policies: tuple[Policy, ...]
    rejected: tuple[ContentError, ...] = ()

    def for_incident(self, incident: Incident) -> tuple[Policy, ...]:
        """The policies that hold for the incident as it stands."""
        return tuple(policy for policy in self.policies if policy.holds_for(incident))


def load_policies(site: Path | None = None) -> Policies:
    """The deadlines in force; a site's own file replaces the shipped one."""
    for found in find("playbooks", FILE, site):
        stat = found.path.stat()
        return _load(found.path, stat.st_mtime_ns, stat.st_size)
    return Policies(WorkingCalendar(), (), (ContentError(FILE, "no se encuentra el archivo"),))


@lru_cache(maxsize=8)
def _load(path: Path, _changed: int, _size: int) -> Policies:
    try:
        data, lines = read_yaml(path.read_text(encoding="utf-8"))
    except (BadYaml, UnicodeDecodeError) as error:
        fault = ContentError(path, str(error), getattr(error, "line", None))
        return Policies(WorkingCalendar(), (), (fault,))
    if not isinstance(data, dict) or not isinstance(data.get("policies"), list):
        fault = ContentError(path, "se espera una tabla con «calendar» y «policies»", 1)
        return Policies(WorkingCalendar(), (), (fault,))
    rejected: list[ContentError] = []
    try:
        calendar = _calendar(data.get("calendar", {}))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        calendar = WorkingCalendar()
        reason = f"el calendario no se puede leer: {error}"
        rejected.append(ContentError(path, reason, lines.get(("calendar",))))
    policies: dict[str, Policy] = {}
    for index, item in enumerate(data["policies"]):
        try:
            policy = _policy(item, calendar)
            if policy.id in policies:
                raise ValueError(f"el plazo «{policy.id}» está dos veces")
            policies[policy.id] = policy
        except ValueError as error:
            place: Place = ("policies", index)
            rejected.append(ContentError(path, str(error), lines.get(place)))
    return Policies(calendar, tuple(policies.values()), tuple(rejected))


def _calendar(data: dict[str, Any]) -> WorkingCalendar:  # any YAML value
    def days(key: str) -> tuple[date, ...]:
        return tuple(date.fromisoformat(str(day)) for day in data.get(key) or [])

    opens, closes = data.get("hours", ["08:30", "18:30"])
    return WorkingCalendar(
        opens=time.fromisoformat(str(opens)),
        closes=time.fromisoformat(str(closes)),
        weekdays=tuple(int(day) - 1 for day in data.get("weekdays", [1, 2, 3, 4, 5])),
        department=str(data.get("department", "LP")),
        extra_holidays=days("extra_holidays"),
        worked_holidays=days("worked_holidays"),
    )


def _policy(item: Any, calendar: WorkingCalendar) -> Policy:  # any YAML value
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        raise ValueError("cada plazo es una tabla con «id»")
    name = item["id"]
    unknown = sorted(set(item) - FIELDS)
    if unknown:
        raise ValueError(f"«{name}»: no se conoce el campo «{unknown[0]}»")
    for key in TEXTS:
        if not isinstance(item.get(key), str):
            raise ValueError(f"«{name}»: falta «{key}» o no es texto")
    lists: dict[str, Any] = {key: _list(item, key, name) for key in LISTS if key in item}
    hours = item.get("hours")
    if not isinstance(hours, int | float) or not 0 < hours <= limits.DEADLINE_HOURS_MAX:
        raise ValueError(f"«{name}»: «hours» debe ser un número de horas mayor que cero")
    policy = Policy(
        id=name,
        hours=float(hours),
        is_statutory=bool(item.get("statutory", False)),
        is_active=bool(item.get("active", True)),
        label=item["label"],
        regime=item["regime"],
        stage=item["stage"],
        party=item["party"],
        starts=item["starts"],
        time=item["time"],
        **lists,
    )
    _check(policy)
    if policy.time == "working":
        policy.due(datetime.fromisoformat("2026-01-05T12:00:00Z"), calendar)
    return policy


def _list(item: dict[str, Any], key: str, name: str) -> Any:  # any YAML values
    wanted = int if key == "warn_percent" else str
    values = item[key]
    if not isinstance(values, list) or not all(isinstance(value, wanted) for value in values):
        raise ValueError(f"«{name}»: «{key}» debe ser una lista")
    return tuple(values)


def _check(policy: Policy) -> None:
    for key, values, known in (
        ("stage", (policy.stage,), STAGES),
        ("starts", (policy.starts,), STAGES),
        ("party", (policy.party,), PARTIES),
        ("time", (policy.time,), TIMES),
        ("severities", policy.severities, SEVERITIES),
        ("origins", policy.origins, ORIGINS),
        ("tell", policy.tell, TOLD),
    ):
        for value in values:
            if value not in known:
                raise ValueError(f"«{policy.id}»: «{value}» no vale como «{key}»")
    if any(not 0 < percent < 100 for percent in policy.warn_percent):
        raise ValueError(f"«{policy.id}»: los avisos son porcentajes entre 1 y 99")
