"""What a plan says of one control: the form, its checks, and the saving by several officers."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.clock import local
from cgii.base.errors import Conflict, InvalidForm, NotFound
from cgii.comply.controls import in_order
from cgii.comply.fields import Problems
from cgii.comply.states import lock, require_editable, require_member
from cgii.model.plans import ControlStatement, Plan
from cgii.store.act import Act

STATUSES = ("none", "planned", "partial", "implemented")  # from nothing to all
MATURITY_FIELDS = ("maturity", "target")


@dataclass(frozen=True)
class StatementForm:
    """A control's statement as typed. It may be saved unfinished, but not contradictory."""

    applies: bool | None = None
    reason: str = ""  # why it does not apply
    status: str = ""  # of STATUSES; empty: not said yet
    maturity: int | None = None
    target: int | None = None
    statement: str = ""
    responsible: str = ""
    due_on: date | None = None
    incident_answer: str = ""


def statements_in_order(plan: Plan) -> list[ControlStatement]:
    """The plan's statements as people count the controls: 2.1 before 10.1."""
    return sorted(plan.statements, key=lambda statement: in_order(statement.control))


def statement_of(session: Session, plan: Plan, control: str) -> ControlStatement:
    """The plan's statement on a control; NotFound if the plan has none."""
    found = session.scalar(
        select(ControlStatement).where(
            ControlStatement.plan_id == plan.id, ControlStatement.control == control
        )
    )
    if found is None:
        raise NotFound("Este plan no tiene el control {control}.", control=control)
    return found


def form_of(statement: ControlStatement) -> StatementForm:
    """What is saved now, as a form: to fill the page, or to carry it over."""
    return StatementForm(
        **{field.name: getattr(statement, field.name) for field in fields(StatementForm)}
    )


def check_statement(form: StatementForm) -> StatementForm:
    """The form with clean texts; raises InvalidForm with a sentence for each field at fault."""
    problems = Problems()
    reason = problems.text("reason", form.reason)
    statement = problems.text("statement", form.statement)
    responsible = problems.text("responsible", form.responsible, most=limits.NAME_CHARS_MAX)
    answer = problems.text("incident_answer", form.incident_answer)
    problems.choice("status", form.status, ("", *STATUSES))
    for name in MATURITY_FIELDS:
        value = getattr(form, name)
        if value is not None:
            problems.number(name, value, least=0, most=limits.MATURITY_MAX)
    if form.maturity is not None and form.target is not None and form.target < form.maturity:
        problems.add("target", "La madurez esperada no puede ser menor que la actual.")
    if form.applies is False and not reason:
        problems.add("reason", "Explique por qué el control no se aplica a la entidad.")
    if form.applies is False and form.status:
        problems.add("status", "Un control que no se aplica no lleva estado.")
    if form.due_on is not None and form.due_on.year < limits.PLAN_YEAR_MIN:
        problems.add("due_on", "Revise el año de la fecha.")
    problems.end()
    return StatementForm(
        applies=form.applies,
        reason=reason,
        status=form.status,
        maturity=form.maturity,
        target=form.target,
        statement=statement,
        responsible=responsible,
        due_on=form.due_on,
        incident_answer=answer,
    )


def save_statement(
    act: Act, plan: Plan, control: str, form: StatementForm, *, expected_version: int
) -> ControlStatement:
    """Save one control's statement; gives it back with its new version.

    Raises InvalidForm per field, and Conflict when the plan is locked or when somebody saved
    this statement after `expected_version` was shown.
    """
    require_member(act, plan.entity_id)
    lock(act, plan)
    require_editable(plan)
    statement = statement_of(act.session, plan, control)
    act.session.refresh(statement)
    if statement.version != expected_version:
        raise Conflict(
            "Otra persona guardó el control {control} mientras usted lo editaba. "
            "Compare las dos versiones y vuelva a guardar.",
            control=control,
        )
    changed = put(statement, check_statement(form))
    if changed:
        statement.updated_at = act.now
        act.session.flush()  # the page needs the new version for its next save
        act.record(
            "plan.statement_saved",
            f"plan:{plan.id}",
            entity_id=plan.entity_id,
            control=control,
            changed=changed,
        )
    return statement


def fill_statements(act: Act, plan: Plan, forms: Mapping[str, StatementForm]) -> list[str]:
    """Fill many statements that are still empty at once, for imports; the controls it filled.

    What somebody answered already is left as it is. Raises InvalidForm with fields such as
    `3.2.reason`, and then fills nothing.
    """
    require_member(act, plan.entity_id)
    lock(act, plan)
    require_editable(plan)
    checked: dict[str, StatementForm] = {}
    problems: dict[str, str] = {}
    for control, form in forms.items():
        try:
            checked[control] = check_statement(form)
        except InvalidForm as error:
            problems |= {f"{control}.{name}": text for name, text in error.problems.items()}
    if problems:
        raise InvalidForm(problems)
    filled = []
    for statement in statements_in_order(plan):
        if statement.applies is None and statement.control in checked:
            put(statement, checked[statement.control])
            statement.updated_at = act.now
            filled.append(statement.control)
    act.record(
        "plan.statements_filled", f"plan:{plan.id}", entity_id=plan.entity_id, controls=filled
    )
    return filled


def put(statement: ControlStatement, form: StatementForm) -> list[str]:
    """Write a checked form into a statement; the names of the fields that changed."""
    changed = [name for name, value in vars(form).items() if getattr(statement, name) != value]
    for name in changed:
        setattr(statement, name, getattr(form, name))
    return changed


def missing_in(statement: ControlStatement, today: date) -> dict[str, str]:
    """Field → what is still missing in a statement before the plan can be presented."""
    if statement.applies is None:
        return {"applies": "Indique si el control se aplica."}
    if not statement.applies:
        return {} if statement.reason else {"reason": "Justifique por qué no se aplica."}
    missing = {}
    if not statement.status:
        missing["status"] = "Indique el estado del control."
    if not statement.statement:
        missing["statement"] = "Describa cómo se cumple o se cumplirá el control."
    if not statement.responsible:
        missing["responsible"] = "Indique quién es responsable."
    if statement.status and statement.status != "implemented":
        if statement.due_on is None:
            missing["due_on"] = "Indique hasta cuándo se implementará."
        elif statement.due_on < today:
            missing["due_on"] = "La fecha ya pasó; indique una nueva."
    return missing


def today_of(act: Act) -> date:
    """The date in La Paz when the act happens."""
    return local(act.now).date()
