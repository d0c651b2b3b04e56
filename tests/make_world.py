"""Two entities with one of everything each, every text marked, to see whether anything crosses."""

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy.orm import Session

from cgii.base.content import shipped
from cgii.comply.content import canonical, content_of, sha256_of
from cgii.comply.controls import load_framework
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.deadlines import Deadline
from cgii.model.entities import Contact, Entity, EntityDomain, EntityNetwork
from cgii.model.evidence_scans import EvidenceMatch, EvidenceScan
from cgii.model.incidents import (
    EntityRequest,
    Entry,
    Evidence,
    Incident,
    IncidentControl,
    Notice,
    Observable,
)
from cgii.model.people import ENTITY_ROLES, Draft, Role, User
from cgii.model.plans import ControlStatement, Decision, Finding, FollowUp, Plan, Review, Submission
from cgii.model.records import Document, Job, Message, SavedView, Sensor
from cgii.model.runs import Run, Step
from cgii.model.silence import QuietWindow, SourceSilence
from cgii.model.table import Table
from tests.make import NOW, make_entity, make_incident, make_user

PLAYBOOK = json.loads(min(shipped("playbooks").glob("*.json")).read_text(encoding="utf-8"))
ACTION = next(key for key, step in PLAYBOOK["workflow"].items() if step["type"] == "action")


@dataclass
class World:
    """One entity and what belongs to it; `mark` stands in all of its texts."""

    mark: str
    number: int
    entity: Entity
    users: dict[Role, User] = field(default_factory=dict)
    rows: dict[str, Any] = field(default_factory=dict)

    def add(self, session: Session, name: str, row: Table) -> Any:
        """Add a row under a name."""
        session.add(row)
        session.flush()  # callers want the id
        self.rows[name] = row
        return row


def make_world(session: Session, mark: str, number: int, centre: User) -> World:
    """An entity with people, a notice, a shared incident, a filed plan, a sensor."""
    entity = make_entity(session, name=f"Entidad {mark}", acronym=f"E{mark}", note=f"nota {mark}")
    world = World(mark, number, entity)
    for role in sorted(ENTITY_ROLES):
        world.users[role] = make_user(
            session, role, entity_id=entity.id, name=f"Persona {mark}", email=f"{role}@{mark}.bo"
        )
    world.add(session, "network", EntityNetwork(entity_id=entity.id, cidr=f"10.{number}.0.0/16"))
    world.add(session, "domain", EntityDomain(entity_id=entity.id, domain=f"{mark.lower()}.bo"))
    world.add(
        session,
        "contact",
        Contact(entity_id=entity.id, duty="rsi", name=f"RSI {mark}", since=date(2026, 1, 1)),
    )
    _add_case(session, world, centre)
    _add_plan(session, world, centre)
    _add_machines(session, world)
    return world


def _add_case(session: Session, world: World, centre: User) -> None:
    mark, entity = world.mark, world.entity
    incident: Incident = make_incident(
        session,
        entity_id=entity.id,
        origin="notice",
        title=f"Caso {mark}",
        summary=f"resumen {mark}",
        acknowledged_at=NOW,
        entity_notified_at=NOW,
    )
    world.rows["incident"] = incident
    world.add(
        session,
        "notice",
        Notice(
            code=f"REP-2026-{world.number:06d}",
            entity_id=entity.id,
            reporter_id=world.users[Role.REPORTER].id,
            title=f"Reporte {mark}",
            content={"title": f"Reporte {mark}"},
            content_sha256="ab" * 32,
            received_at=NOW,
            incident_id=incident.id,
        ),
    )
    for shared in (True, False):
        world.add(
            session,
            "entry" if shared else "secret_entry",
            Entry(
                incident_id=incident.id,
                kind="comment",
                at=NOW,
                author_id=centre.id,
                text=f"{'compartido' if shared else 'INTERNO'} {mark}",
                is_shared=shared,
            ),
        )
    request = world.add(
        session,
        "request",
        EntityRequest(
            incident_id=incident.id,
            entity_id=entity.id,
            question=f"pregunta {mark}",
            asked_by_id=centre.id,
            asked_at=NOW,
            due_at=NOW,
        ),
    )
    for name, shared in (("evidence", True), ("secret_evidence", False)):
        world.add(
            session,
            name,
            Evidence(
                entity_id=entity.id,
                incident_id=incident.id,
                request_id=request.id if shared else None,
                sha256="cd" * 32,
                size_bytes=3,
                file_name=f"{'INTERNO ' if not shared else ''}{mark}.txt",
                is_shared=shared,
                added_by_id=centre.id,
                added_at=NOW,
            ),
        )
    _add_scans(session, world)
    world.add(session, "observable", Observable(incident_id=incident.id, kind="ip",
              value=f"INTERNO {mark}", added_at=NOW))  # fmt: skip
    world.add(session, "control", IncidentControl(incident_id=incident.id, entity_id=entity.id,
              control="1.1", named_at=NOW))  # fmt: skip
    for party in ("entity", "centre"):
        world.add(
            session,
            f"deadline_{party}",
            Deadline(
                incident_id=incident.id,
                policy_id=party,
                policy={},
                regime="centre",
                stage="acknowledged",
                party=party,
                label=f"plazo {mark}",
                started_at=NOW,
                due_at=NOW,
                warned=[],
            ),
        )
    run = world.add(
        session,
        "run",
        Run(
            incident_id=incident.id,
            playbook_id=PLAYBOOK["id"],
            playbook_name=f"INTERNO {mark}",
            playbook=PLAYBOOK,
            variables={},
            started_at=NOW,
        ),
    )
    world.add(session, "step", Step(run_id=run.id, step_id=ACTION, kind="action",
              name=f"INTERNO {mark}", started_at=NOW))  # fmt: skip


def _add_scans(session: Session, world: World) -> None:
    # Both of the file that the entity sees; only one of them was shared with it.
    for name, shared in (("scan", True), ("secret_scan", False)):
        scan = world.add(
            session,
            name,
            EvidenceScan(
                evidence_id=world.rows["evidence"].id,
                at=NOW,
                outcome="match",
                reasons=[],
                rules_version="ab" * 8,
                is_latest=shared,
                is_shared=shared,
            ),
        )
        world.add(
            session,
            f"{name}_match",
            EvidenceMatch(
                scan_id=scan.id,
                evidence_id=scan.evidence_id,
                rule="familia/regla",
                title=f"{'INTERNO ' if not shared else ''}regla {world.mark}",
                level="high",
                tags=[],
                meta={},
                hits=[],
            ),
        )


def _add_plan(session: Session, world: World, centre: User) -> None:
    mark, entity = world.mark, world.entity
    plan = world.add(
        session,
        "plan",
        Plan(
            entity_id=entity.id,
            year=2026,
            framework=load_framework().urn,
            state="valid",
            scope=f"alcance {mark}",
            roles={},
            assets=[],
            risks=[],
            created_at=NOW,
            updated_at=NOW,
            filed_at=NOW,
            decided_at=NOW,
        ),
    )
    world.add(session, "statement", ControlStatement(plan_id=plan.id, control="1.1",
              statement=f"control {mark}", updated_at=NOW))  # fmt: skip
    filing = {"code": f"PISI-2026-{world.number:06d}", "number": 1, "previous_sha256": ""}
    text = canonical(content_of(session, plan) | {"filing": filing})
    submission = world.add(
        session,
        "submission",
        Submission(
            plan_id=plan.id,
            entity_id=entity.id,
            code=f"PISI-2026-{world.number:06d}",
            number=1,
            content=text,
            sha256=sha256_of(text),
            filed_at=NOW,
        ),
    )
    review = world.add(session, "review", Review(submission_id=submission.id,
                       reviewer_id=centre.id, started_at=NOW, ended_at=NOW))  # fmt: skip
    world.add(session, "finding", Finding(review_id=review.id, control="1.1", verdict="observed",
              note=f"observación {mark}", made_at=NOW))  # fmt: skip
    world.add(
        session,
        "decision",
        Decision(
            submission_id=submission.id,
            plan_id=plan.id,
            code=f"DEC-2026-{world.number:06d}",
            outcome="accepted",
            reasons=f"razones {mark}",
            decided_at=NOW,
            notified_at=NOW,
        ),
    )
    world.add(session, "follow_up", FollowUp(plan_id=plan.id, entity_id=entity.id, year=2026,
              progress_percent=10, recorded_at=NOW))  # fmt: skip


def _add_machines(session: Session, world: World) -> None:
    mark, entity = world.mark, world.entity
    reporter = world.users[Role.REPORTER]
    world.add(session, "sensor", Sensor(name=f"sensor-{mark}", entity_id=entity.id,
              token_hash=mark * 4, created_at=NOW))  # fmt: skip
    key = f"sensor:{world.rows['sensor'].id}"
    world.add(session, "silence", SourceSilence(sensor_key=key, source=f"fuente {mark}",
              open_key=mark, state="stopped", since=NOW, usual_count=90, seen_count=0,
              alert_id=mark, opened_at=NOW))  # fmt: skip
    world.add(session, "quiet", QuietWindow(sensor_key=key, reason=f"INTERNO {mark}",
              start_at=NOW, end_at=NOW + timedelta(days=30), created_at=NOW))  # fmt: skip
    world.add(session, "quiet weekly", QuietWindow(entity_id=entity.id, days="67h", start_at=NOW,
              reason=f"INTERNO {mark}", created_at=NOW))  # fmt: skip
    group = world.add(
        session,
        "group",
        AlertGroup(
            rule_id="r", rule_title=f"INTERNO {mark}", rule_kind="sigma", level="high",
            severity="alto", key_hash=mark, key=[], key_text=f"INTERNO {mark}",
            entity_id=entity.id, tags=[], observables=[], first_at=NOW, last_at=NOW,
            created_at=NOW, alert_count=1,
        ),
    )  # fmt: skip
    world.add(session, "alert", AlertRow(id=f"a{mark}", group_id=group.id, at=NOW, created_at=NOW,
              event_count=1, event_ids=[], explanation=[]))  # fmt: skip
    world.add(session, "draft", Draft(user_id=reporter.id, form=f"form:{mark}",
              values={"title": f"borrador {mark}"}, saved_at=NOW))  # fmt: skip
    world.add(session, "job", Job(name=f"INTERNO {mark}", arguments={}, run_at=NOW, created_at=NOW,
              result={}, state="parked"))  # fmt: skip
    world.add(session, "view", SavedView(user_id=reporter.id, page="x", name=f"vista {mark}",
              query="", options=[]))  # fmt: skip
    world.add(session, "message", Message(dedupe_key=mark, entity_id=entity.id, template="x",
              recipient="x", subject=f"INTERNO {mark}", created_at=NOW))  # fmt: skip
    world.add(
        session,
        "document",
        Document(
            report="mensual", title=f"INTERNO {mark}", format="html", arguments={},
            sha256="0" * 64, size_bytes=1, made_at=NOW,
        ),
    )  # fmt: skip
