"""Builders of plans in each state, made by the real verbs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sqlalchemy.orm import Session

from cgii.comply.decisions import DecisionForm, decide, notify_decision
from cgii.comply.filing import file_plan
from cgii.comply.general import Asset, Duty, GeneralForm, Risk, save_general
from cgii.comply.plans import approve, mark_ready, open_plan
from cgii.comply.review import FindingForm, end_review, record_finding, start_review
from cgii.comply.statements import StatementForm, fill_statements, save_statement, statement_of
from cgii.model.entities import Entity
from cgii.model.people import Role, User
from cgii.model.plans import Decision, Plan, Submission
from cgii.store.act import Act
from tests.make import make_act, make_entity, make_user

GENERAL = GeneralForm(
    scope="Todos los sistemas y sedes de la entidad.",
    roles={
        "mae": Duty("Ana Quispe", "Ministra", "DS 5000"),
        "rsi": Duty("Luis Mamani", "Jefe de Sistemas", "MEMO-12/2026"),
    },
    risk_method="iso27005",
    assets=(Asset("Sistema de trámites", "software", "Planificación", 4, 5, 4),),
    risks=(Risk("Cifrado malicioso", "Sistema de trámites", 4, 5, controls=("6.6", "6.7")),),
)
DONE = StatementForm(
    applies=True,
    status="implemented",
    maturity=3,
    target=4,
    statement="Se cumple según el procedimiento vigente.",
    responsible="Luis Mamani",
)
PLANNED = replace(DONE, status="planned", maturity=1, due_on=date(2027, 6, 30))
EXCLUDED = StatementForm(applies=False, reason="La entidad no desarrolla sistemas.")


@dataclass(frozen=True)
class Cast:
    """Who acts on one plan: the entity's officer and authority, and a reviewer."""

    entity: Entity
    officer: Act
    mae: Act
    reviewer: Act


def make_cast(session: Session, entity: Entity | None = None) -> Cast:
    """An entity with its people, and a reviewer of the centre."""
    entity = entity or make_entity(session)

    def acting(role: Role, **given: object) -> Act:
        return make_act(session, make_user(session, role, **given))

    return Cast(
        entity,
        acting(Role.OFFICER, entity_id=entity.id),
        acting(Role.MAE, entity_id=entity.id),
        acting(Role.REVIEWER),
    )


def later(act: Act, user: User | None = None, **step: float) -> Act:
    """The same act some time after: `later(act, days=3)`."""
    return replace(act, now=act.now + timedelta(**step), user=user or act.user)


def save(act: Act, plan: Plan, control: str, form: StatementForm) -> None:
    """Save a statement over whatever version there is."""
    version = statement_of(act.session, plan, control).version
    save_statement(act, plan, control, form, expected_version=version)


def make_complete(
    cast: Cast, year: int = 2026, forms: Mapping[str, StatementForm] | None = None
) -> Plan:
    """A draft that lacks nothing: everything is implemented unless `forms` says otherwise."""
    plan = open_plan(cast.officer, cast.entity, year)
    save_general(cast.officer, plan, GENERAL, expected_version=plan.version)
    codes = [statement.control for statement in plan.statements]
    fill_statements(cast.officer, plan, dict.fromkeys(codes, DONE) | dict(forms or {}))
    return plan


def make_filed(
    cast: Cast, year: int = 2026, forms: Mapping[str, StatementForm] | None = None
) -> Submission:
    """A complete plan, approved and filed."""
    plan = make_complete(cast, year, forms)
    mark_ready(cast.officer, plan)
    approve(cast.mae, plan, "RM-045/2026")
    return file_plan(cast.officer, plan)


def make_read(
    cast: Cast, submission: Submission, findings: Mapping[str, FindingForm] | None = None
) -> None:
    """The reviewer reads a filing from beginning to end; the rest stays not verified."""
    review = start_review(cast.reviewer, submission)
    for control, form in (findings or {}).items():
        record_finding(cast.reviewer, review, control, form)
    end_review(cast.reviewer, review)


def make_valid(
    cast: Cast,
    year: int = 2026,
    *,
    valid_until: date = date(2027, 12, 31),
    findings: Mapping[str, FindingForm] | None = None,
) -> tuple[Plan, Decision]:
    """A plan in force, accepted and notified."""
    submission = make_filed(cast, year)
    make_read(cast, submission, findings)
    decision = decide(cast.reviewer, submission, DecisionForm("accepted", "", valid_until))
    notify_decision(cast.reviewer, decision)
    return submission.plan, decision
