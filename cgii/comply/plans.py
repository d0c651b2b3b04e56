"""A plan's way from an empty draft to the approval of the entity's highest authority (MAE)."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Conflict, Invalid, InvalidForm, NotAllowed
from cgii.comply.controls import load_framework
from cgii.comply.evidence import evidence_of, is_valid
from cgii.comply.failures import must_answer
from cgii.comply.fields import Problems, clean
from cgii.comply.general import missing_in_general
from cgii.comply.statements import (
    form_of,
    missing_in,
    put,
    statements_in_order,
    today_of,
)
from cgii.comply.states import (
    lock,
    move,
    require_editable,
    require_member,
    require_state,
    year_of,
)
from cgii.model.entities import Entity
from cgii.model.incidents import Evidence
from cgii.model.people import ENTITY_ROLES, Role
from cgii.model.plans import ControlStatement, Decision, Plan
from cgii.store.act import Act


@dataclass(frozen=True)
class Missing:
    """Something without which a plan cannot be presented: `control` is empty for general data."""

    control: str
    field: str
    sentence: str


def open_plan(act: Act, entity: Entity, year: int) -> Plan:
    """The entity's plan of that year: the one that exists, or a new draft with every control."""
    require_member(act, entity.id)
    if not limits.PLAN_YEAR_MIN <= year <= year_of(act) + 1:
        raise Invalid(
            "La gestión debe estar entre {first} y {last}.",
            field="year",
            first=limits.PLAN_YEAR_MIN,
            last=year_of(act) + 1,
        )
    act.session.refresh(entity, with_for_update=True)  # one plan a year, also if two people open it
    existing = plan_of(act.session, entity.id, year)
    if existing is not None:
        return existing
    framework = load_framework()
    plan = Plan(
        entity_id=entity.id,
        year=year,
        framework=framework.urn,
        roles={},
        assets=[],
        risks=[],
        reminded=[],
        created_at=act.now,
        updated_at=act.now,
        statements=[
            ControlStatement(control=code, updated_at=act.now) for code in framework.controls
        ],
    )
    act.session.add(plan)
    act.session.flush()  # callers and the audit entry need the id
    act.record("plan.opened", f"plan:{plan.id}", entity_id=entity.id, year=year)
    return plan


def plan_of(session: Session, entity_id: int, year: int) -> Plan | None:
    """The entity's plan of a year, if there is one."""
    return session.scalar(select(Plan).where(Plan.entity_id == entity_id, Plan.year == year))


def plan_before(session: Session, plan: Plan) -> Plan | None:
    """The same entity's last plan of an earlier year."""
    return session.scalar(
        select(Plan)
        .where(Plan.entity_id == plan.entity_id, Plan.year < plan.year)
        .order_by(Plan.year.desc())
        .limit(1)
    )


def carry_over(act: Act, plan: Plan) -> list[str]:
    """Fill what is still empty from the plan before, with evidence that is still valid.

    Gives back the controls that were filled. `incident_answer` stays empty: it is about new
    incidents. `cgii.comply.filing.changes` marks what the officer changed afterwards.
    """
    require_member(act, plan.entity_id)
    lock(act, plan)
    require_editable(plan)
    before = plan_before(act.session, plan)
    if before is None:
        raise Conflict("La entidad no tiene un plan anterior del cual copiar.")
    earlier = {statement.control: statement for statement in before.statements}
    proofs = evidence_of(act.session, before)
    carried = []
    for statement in statements_in_order(plan):
        source = earlier.get(statement.control)
        if statement.applies is not None or source is None or source.applies is None:
            continue
        put(statement, replace(form_of(source), incident_answer=""))
        statement.updated_at = act.now
        _copy_evidence(act, plan, proofs.get(statement.control, []))
        carried.append(statement.control)
    for name in ("scope", "roles", "risk_method", "assets", "risks"):
        if not getattr(plan, name):
            setattr(plan, name, getattr(before, name))
    plan.updated_at = act.now
    act.record(
        "plan.carried_over",
        f"plan:{plan.id}",
        entity_id=plan.entity_id,
        source=f"plan:{before.id}",
        controls=len(carried),
    )
    return carried


def completeness(plan: Plan, *, today: date, named: Collection[str] = ()) -> tuple[Missing, ...]:
    """What is missing before the plan can be presented; `named` are controls that failed."""
    missing = [Missing("", field, sentence) for field, sentence in missing_in_general(plan).items()]
    for statement in statements_in_order(plan):
        lacks = missing_in(statement, today)
        if statement.control in named and not statement.incident_answer:
            lacks["incident_answer"] = "Responda qué se hará ante el incidente que lo señaló."
        missing += [Missing(statement.control, name, text) for name, text in lacks.items()]
    return tuple(missing)


def what_is_missing(act: Act, plan: Plan) -> tuple[Missing, ...]:
    """`completeness` with today's date and the incidents that this plan must answer."""
    return completeness(plan, today=today_of(act), named=must_answer(act.session, plan))


def mark_ready(act: Act, plan: Plan) -> None:
    """The officer says that the plan is complete; from here its content is locked.

    Raises InvalidForm with fields such as `3.2.status` or `scope` while something is missing.
    """
    require_member(act, plan.entity_id)
    lock(act, plan)
    require_state(plan, "draft")
    require_complete(act, plan)
    move(act, plan, "ready")
    act.record("plan.ready", f"plan:{plan.id}", entity_id=plan.entity_id)


def require_complete(act: Act, plan: Plan) -> None:
    """Raise InvalidForm while something is missing in the plan."""
    missing = what_is_missing(act, plan)
    if missing:
        raise InvalidForm(
            {f"{item.control}.{item.field}".lstrip("."): item.sentence for item in missing}
        )


def approve(act: Act, plan: Plan, cite: str) -> None:
    """The highest authority (MAE) approves the plan by the resolution `cite`."""
    require_member(act, plan.entity_id)
    if act.user is not None and act.user.role in ENTITY_ROLES - {Role.MAE}:
        raise NotAllowed("Solo la Máxima Autoridad Ejecutiva puede aprobar el plan.")
    lock(act, plan)
    problems = Problems()
    plan_cite = problems.required("cite", cite, most=80)
    problems.end()
    move(act, plan, "approved")
    plan.approval_cite = plan_cite
    plan.approved_at = act.now
    act.record("plan.approved", f"plan:{plan.id}", entity_id=plan.entity_id, cite=plan_cite)


def return_to_draft(act: Act, plan: Plan, reason: str) -> None:
    """Give a plan that was ready or approved back to the officer, before it is filed."""
    require_member(act, plan.entity_id)
    lock(act, plan)
    require_state(plan, "ready", "approved")
    why = clean(reason)
    if not why:
        raise InvalidForm({"reason": "Indique por qué el plan vuelve a elaboración."})
    _reopen(act, plan)
    act.record("plan.returned_to_draft", f"plan:{plan.id}", entity_id=plan.entity_id, reason=why)


def amend(act: Act, plan: Plan) -> None:
    """Open a plan again that the centre returned or rejected and told the entity so."""
    require_member(act, plan.entity_id)
    lock(act, plan)
    require_state(plan, "decided")
    decision = last_decision(act.session, plan)
    if decision is None or decision.outcome not in ("returned", "rejected"):
        raise Conflict("Solo se corrige un plan devuelto o rechazado.")
    if decision.notified_at is None:
        raise Conflict("La decisión todavía no fue notificada.")
    _reopen(act, plan)
    act.record("plan.amended", f"plan:{plan.id}", entity_id=plan.entity_id, decision=decision.code)


def last_decision(session: Session, plan: Plan) -> Decision | None:
    """The newest decision on the plan, if there is one."""
    return session.scalar(
        select(Decision).where(Decision.plan_id == plan.id).order_by(Decision.id.desc()).limit(1)
    )


def _reopen(act: Act, plan: Plan) -> None:
    move(act, plan, "draft")
    plan.approval_cite = ""
    plan.approved_at = None


def _copy_evidence(act: Act, plan: Plan, proofs: list[Evidence]) -> None:
    for proof in proofs:
        if is_valid(proof, act.now):
            act.session.add(
                Evidence(
                    entity_id=plan.entity_id,
                    plan_id=plan.id,
                    control=proof.control,
                    sha256=proof.sha256,
                    size_bytes=proof.size_bytes,
                    file_name=proof.file_name,
                    note=proof.note,
                    tlp=proof.tlp,
                    is_shared=True,
                    valid_until=proof.valid_until,
                    added_by_id=act.user_id,
                    added_at=act.now,
                )
            )
