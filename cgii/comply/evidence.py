"""Evidence of a plan's controls: attached, withdrawn, lapsed."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Conflict
from cgii.comply.fields import Problems
from cgii.comply.statements import statement_of
from cgii.comply.states import lock, require_editable, require_member, require_state
from cgii.model.incidents import TLPS, Evidence
from cgii.model.plans import ControlStatement, Plan
from cgii.store.act import Act
from cgii.store.files import Stored


def attach_evidence(
    act: Act,
    plan: Plan,
    control: str,
    stored: Stored,
    *,
    file_name: str,
    valid_until: datetime | None = None,
    tlp: str = "AMBER",
    note: str = "",
) -> Evidence:
    """Add a stored file as proof of a control; also to a plan in force, whose evidence lapses.

    A filing froze the evidence it had, so what is added later changes no filing.
    """
    require_member(act, plan.entity_id)
    lock(act, plan)
    require_state(plan, "draft", "observed", "valid")
    statement_of(act.session, plan, control)
    problems = Problems()
    name = problems.required("file_name", file_name, most=limits.NAME_CHARS_MAX)
    note = problems.text("note", note, most=limits.NAME_CHARS_MAX)
    problems.choice("tlp", tlp, TLPS)
    if valid_until is not None and valid_until <= act.now:
        problems.add("valid_until", "La evidencia ya no está vigente en esa fecha.")
    problems.end()
    evidence = Evidence(
        entity_id=plan.entity_id,
        plan_id=plan.id,
        control=control,
        sha256=stored.sha256,
        size_bytes=stored.size,
        file_name=name,
        note=note,
        tlp=tlp,
        is_shared=True,
        valid_until=valid_until,
        added_by_id=act.user_id,
        added_at=act.now,
    )
    act.session.add(evidence)
    act.session.flush()  # the page shows the new row by its id
    act.record(
        "plan.evidence_attached",
        f"plan:{plan.id}",
        entity_id=plan.entity_id,
        control=control,
        evidence=evidence.id,
        sha256=evidence.sha256,
    )
    return evidence


def withdraw_evidence(act: Act, plan: Plan, evidence: Evidence) -> None:
    """Take evidence back while the plan may be edited; the row and the file stay."""
    require_member(act, plan.entity_id)
    lock(act, plan)
    require_editable(plan)
    if evidence.plan_id != plan.id or evidence.withdrawn_at is not None:
        raise Conflict("Esta evidencia ya fue retirada o no pertenece a este plan.")
    evidence.withdrawn_at = act.now
    act.record(
        "plan.evidence_withdrawn",
        f"plan:{plan.id}",
        entity_id=plan.entity_id,
        control=evidence.control,
        evidence=evidence.id,
    )


def evidence_of(session: Session, plan: Plan) -> dict[str, list[Evidence]]:
    """Control → the plan's evidence that was not withdrawn, oldest first."""
    found: dict[str, list[Evidence]] = {}
    for row in session.scalars(
        select(Evidence)
        .where(Evidence.plan_id == plan.id, Evidence.withdrawn_at.is_(None))
        .order_by(Evidence.id)
    ):
        found.setdefault(row.control, []).append(row)
    return found


def is_valid(evidence: Evidence, now: datetime) -> bool:
    """Whether evidence counts now: neither withdrawn nor lapsed."""
    return evidence.withdrawn_at is None and (
        evidence.valid_until is None or evidence.valid_until > now
    )


def lacks_proof(statement: ControlStatement, evidence: Iterable[Evidence], now: datetime) -> bool:
    """Whether a control is declared implemented without a single piece of valid evidence."""
    return statement.status == "implemented" and not any(is_valid(row, now) for row in evidence)
