"""Two years of incidents, written directly: stages, clocks, timeline, requests, observables."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from cgii.base.clock import LA_PAZ, local, show
from cgii.base.ids import incident_code
from cgii.base.labels import label, load_table
from cgii.demo.cases import ANSWERS, CASES, COMMENTS, QUESTIONS, Case
from cgii.model.deadlines import Deadline
from cgii.model.entities import Entity
from cgii.model.incidents import (
    STAGES,
    EntityRequest,
    Entry,
    Incident,
    IncidentControl,
    Numbering,
    Observable,
)
from cgii.respond.policies import Policies, Policy, load_policies

DAYS = 730
INCIDENTS = 2_600
HOUR = timedelta(hours=1)
SPAN_HOURS = {"critico": 40, "muy_alto": 90, "alto": 140, "medio": 200, "bajo": 160}  # to resolve


@dataclass
class Rows:
    """What is to be inserted, table by table."""

    incidents: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    deadlines: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    observables: list[dict[str, Any]] = field(default_factory=list)
    controls: list[dict[str, Any]] = field(default_factory=list)


class History:
    """Makes the rows; the same seed gives the same country."""

    def __init__(
        self,
        random_: random.Random,
        now: datetime,
        entities: Sequence[Entity],
        analysts: Sequence[int],
    ) -> None:
        self.random = random_
        self.now = now
        self.analysts = analysts
        self.entities = entities
        # Some entities are reported far more often than others.
        self.weights = [1 / (1 + place) ** 0.6 for place in range(len(entities))]
        self.policies: Policies = load_policies()
        self.version = int(load_table("taxonomy")["version"])
        self.rows = Rows()
        self.numbers: dict[int, int] = {}
        self._held: dict[tuple[str, str], tuple[Policy, ...]] = {}

    def write(self, session: Session) -> int:
        """Insert everything; how many incidents there are."""
        for number, received_at in enumerate(sorted(self._moments()), start=1):
            self._add(number, received_at)
        rows = self.rows
        for table, values in (
            (Incident, rows.incidents),
            (Entry, rows.entries),
            (Deadline, rows.deadlines),
            (EntityRequest, rows.requests),
            (Observable, rows.observables),
            (IncidentControl, rows.controls),
        ):
            session.execute(insert(table), values)
        for year, last in self.numbers.items():
            session.add(Numbering(kind="incident", year=year, last=last))
        return len(rows.incidents)

    def _moments(self) -> list[datetime]:
        start = self.now - timedelta(days=DAYS)
        moments = []
        for _ in range(INCIDENTS):
            # More and more is reported: the second year has about half again as much.
            day = DAYS * self.random.random() ** 0.8
            at = start + timedelta(days=day)
            hour = self.random.choices(
                (self.random.uniform(8, 19), self.random.uniform(0, 24)), (7, 3)
            )[0]
            at = at.astimezone(LA_PAZ).replace(hour=int(hour), minute=self.random.randrange(60))
            moments.append(min(at, self.now - timedelta(minutes=self.random.uniform(5, 90))))
        return moments

    def _add(self, number: int, received_at: datetime) -> None:
        case = self.random.choices(CASES, [case.share for case in CASES])[0]
        entity = self.random.choices(self.entities, self.weights)[0]
        year = local(received_at).year
        self.numbers[year] = self.numbers.get(year, 0) + 1
        stages = self._stages(case, received_at)
        closed = stages["closed"]
        owner = None
        if stages["acknowledged"] is not None:
            owner = self.random.choice(self.analysts)
        origin = "notice" if self.random.random() < 0.6 else "alert"
        host = f"srv-web{self.random.randrange(1, 5):02d}"
        waiting = ""
        if closed is None and stages["triaged"] and self.random.random() < 0.25:
            waiting = "entity"
        incident: dict[str, Any] = {
            "id": number,
            "code": incident_code(year, self.numbers[year]),
            "year": year,
            "number": self.numbers[year],
            "title": self.random.choice(case.titles).format(host=host),
            "summary": case.summary,
            "entity_id": entity.id,
            "origin": origin,
            "kind": "vulnerabilidad" if case.rsit_class == "vulnerable" else "incidente",
            "rsit_class": case.rsit_class if stages["triaged"] else "",
            "rsit_type": case.rsit_type if stages["triaged"] else "",
            "taxonomy_version": self.version,
            "severity": case.severity,
            "severity_facts": {},
            "tlp": self.random.choices(("GREEN", "AMBER", "AMBER+STRICT"), (2, 7, 1))[0],
            "owner_id": owner,
            "waiting_for": waiting,
            "is_exercise": self.random.random() < 0.008,
            "reopened_count": int(self.random.random() < 0.02),
            "created_at": received_at,
            "updated_at": max(at for at in stages.values() if at is not None),
            **{f"{stage}_at": stages[stage] for stage in STAGES},
            **self._closing(case, closed),
        }
        incident["next_due_at"] = self._clocks(number, incident, case, origin)
        self.rows.incidents.append(incident)
        self._timeline(incident)
        self._surroundings(incident, case, entity)

    def _closing(self, case: Case, closed: datetime | None) -> dict[str, Any]:
        reasons = ("resolved", "no_impact", "false_positive", "duplicate", "no_answer")
        reason = self.random.choices(reasons, (78, 8, 6, 4, 4))[0] if closed else ""
        resolved = reason == "resolved"
        return {
            "close_reason": reason,
            "close_note": "Se verificó con la entidad." if closed else "",
            "root_cause": case.cause if resolved else "",
            "lessons": case.lesson if resolved else "",
            "failed_controls": list(case.controls) if resolved else [],
        }

    def _held_by(self, case: Case, origin: str) -> tuple[Policy, ...]:
        key = (case.severity, origin)
        if key not in self._held:
            sample = Incident(severity=case.severity, origin=origin)
            self._held[key] = self.policies.for_incident(sample)
        return self._held[key]

    def _stages(self, case: Case, received_at: datetime) -> dict[str, datetime | None]:
        chance = self.random
        age = (self.now - received_at) / timedelta(days=DAYS)
        first = next(
            policy for policy in self._held_by(case, "notice") if policy.stage == "acknowledged"
        )
        due = first.due(received_at, self.policies.calendar)
        # The centre got better: about 84 % in time two years ago, about 93 % now.
        if chance.random() < 0.93 - 0.09 * age:
            acknowledged = received_at + (due - received_at) * chance.betavariate(1.3, 4)
        else:
            acknowledged = due + HOUR * chance.lognormvariate(1.2, 1)
        span = SPAN_HOURS[case.severity] * chance.lognormvariate(-0.2, 0.9)
        if chance.random() < 0.03:
            span *= 14  # the long tail that every backlog has
        occurred = received_at - HOUR * chance.lognormvariate(1.6, 1.3)
        moments: dict[str, datetime] = {
            "occurred": occurred,
            "detected": occurred + (received_at - occurred) * chance.uniform(0.2, 0.8),
            "aware": received_at - (received_at - occurred) * chance.uniform(0.0, 0.15),
            "received": received_at,
            "acknowledged": acknowledged,
            "triaged": acknowledged + HOUR * chance.lognormvariate(-0.8, 0.7),
        }
        moments["assigned"] = moments["triaged"]
        moments["entity_notified"] = moments["triaged"] + HOUR * chance.uniform(0.1, 2)
        begin = moments["entity_notified"]
        shares = {
            "entity_answered": 0.25,
            "contained": 0.4,
            "eradicated": 0.6,
            "recovered": 0.8,
            "resolved": 1.0,
        }
        for stage, share in shares.items():
            moments[stage] = begin + HOUR * span * share * chance.uniform(0.85, 1)
        moments["closed"] = moments["resolved"] + HOUR * chance.lognormvariate(2.2, 1)
        stages: dict[str, datetime | None] = dict.fromkeys(STAGES)
        for stage in STAGES:
            if moments[stage] > self.now:
                break  # the rest has not happened yet
            stages[stage] = moments[stage]
        return stages

    def _clocks(
        self, number: int, incident: dict[str, Any], case: Case, origin: str
    ) -> datetime | None:
        next_due = None
        closed = incident["closed_at"]
        for policy in self._held_by(case, origin):
            start = incident[f"{policy.starts}_at"]
            if start is None:
                continue
            due = policy.due(start, self.policies.calendar)
            met = incident[f"{policy.stage}_at"]
            late = (met or closed or self.now) > due
            ended = met or closed
            paused = bool(incident["waiting_for"]) and policy.party == "centre" and not ended
            if ended is None and policy.party == "centre" and not paused:
                next_due = min(next_due or due, due)
            self.rows.deadlines.append(
                {
                    "incident_id": number,
                    "policy_id": policy.id,
                    "policy": policy.frozen(self.policies.calendar),
                    "regime": policy.regime,
                    "stage": policy.stage,
                    "party": policy.party,
                    "label": policy.label,
                    "is_statutory": policy.is_statutory,
                    "started_at": start,
                    "due_at": due,
                    "paused_at": incident["updated_at"] if paused and not late else None,
                    "paused_seconds": 0,
                    "warned": list(policy.warn_percent) if late else [],
                    "met_at": met,
                    "missed_at": due if late else None,
                    "ended_at": ended,
                }
            )
        return next_due

    def _entry(
        self, incident: dict[str, Any], kind: str, at: datetime, text: str, **more: Any
    ) -> None:
        self.rows.entries.append(
            {
                "incident_id": incident["id"],
                "kind": kind,
                "at": at,
                "author_id": more.get("author_id"),
                "text": text,
                "data": more.get("data", {}),
                "is_shared": more.get("is_shared", False),
            }
        )

    def _timeline(self, incident: dict[str, Any]) -> None:
        origin = label("incidents.origins", incident["origin"])
        code = incident["code"]
        text = f"Incidente {code} abierto. Origen: {origin}."
        self._entry(incident, "opened", incident["received_at"], text, is_shared=True)
        for stage in STAGES[4:]:
            at = incident[f"{stage}_at"]
            if at is None:
                continue
            kind = "closed" if stage == "closed" else "stage"
            text = f"{label('incidents.stages', stage)}: {show(at)}."
            shared = stage in ("acknowledged", "contained", "recovered", "closed")
            self._entry(
                incident, kind, at, text, author_id=incident["owner_id"], is_shared=shared,
                data={"stage": stage, "at": at.isoformat()},
            )  # fmt: skip
        begin = incident["triaged_at"]
        if begin is None:
            return
        for _ in range(self.random.randrange(0, 3)):
            at = begin + (incident["updated_at"] - begin) * self.random.random()
            text = self.random.choice(COMMENTS)
            self._entry(
                incident, "comment", at, text, author_id=incident["owner_id"],
                is_shared=self.random.random() < 0.4,
            )  # fmt: skip

    def _surroundings(self, incident: dict[str, Any], case: Case, entity: Entity) -> None:
        number, received_at = incident["id"], incident["received_at"]
        kind = case.observable
        value = self._observable(kind)
        self.rows.observables.append(
            {
                "incident_id": number, "kind": kind, "value": value, "tlp": incident["tlp"],
                "note": "", "added_at": received_at,
            }
        )  # fmt: skip
        if incident["failed_controls"] and self.random.random() < 0.6:
            for control in incident["failed_controls"]:
                self.rows.controls.append(
                    {
                        "incident_id": number, "entity_id": entity.id, "control": control,
                        "named_at": incident["closed_at"], "note": "",
                    }
                )  # fmt: skip
        asked = incident["entity_notified_at"]
        if asked is None or self.random.random() > 0.3:
            return
        answered = incident["entity_answered_at"]
        self.rows.requests.append(
            {
                "incident_id": number,
                "entity_id": entity.id,
                "question": self.random.choice(QUESTIONS),
                "asked_by_id": incident["owner_id"],
                "asked_at": asked,
                "due_at": asked + timedelta(days=2),
                "answer": self.random.choice(ANSWERS) if answered else "",
                "answered_at": answered,
            }
        )

    def _observable(self, kind: str) -> str:
        chance = self.random
        if kind == "ip":
            return f"{chance.choice(('203.0.113', '198.51.100'))}.{chance.randrange(1, 255)}"
        if kind == "hash":
            return f"{chance.getrandbits(256):064x}"
        if kind == "mail":
            return f"aviso{chance.randrange(100)}@correo.example"
        name = f"tramites-{chance.choice(('bo', 'gob', 'linea'))}{chance.randrange(200)}.example"
        return f"https://{name}/ingreso" if kind == "url" else name
