"""Plans of the demonstration, taken through the real verbs at moments in the past."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.comply.decisions import DecisionForm, decide, notify_decision
from cgii.comply.filing import file_plan
from cgii.comply.plans import approve, mark_ready, open_plan
from cgii.comply.review import FindingForm, end_review, observe, record_finding, start_review
from cgii.comply.validity import FollowUpForm, follow_up
from cgii.demo import names
from cgii.demo.people import Staff
from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.plans import ControlStatement, Finding, Plan, Review, Submission
from cgii.store.act import Act

ActAt = Callable[[datetime, User | None], Act]

# How far entities are with their plan, in per cent of the entities of the level.
STEPS = ("none", "draft", "filed", "in_review", "observed", "decided", "followed")
SHARES = {
    "central": (11, 12, 7, 8, 6, 22, 34),
    "control": (20, 25, 10, 15, 5, 15, 10),
    "university": (40, 20, 7, 7, 6, 12, 8),
    "territorial": (70, 14, 3, 3, 2, 5, 3),
}
STATEMENTS = {
    "implemented": "El procedimiento está aprobado, difundido y en uso; se revisa cada año.",
    "partial": "Se aplica en la oficina central; falta extenderlo a las regionales.",
    "planned": "Está previsto en el cronograma de la gestión, con presupuesto asignado.",
    "none": "Todavía no se ha trabajado este control; se incorpora al cronograma.",
}
ASSETS = (
    ("Sistema de correspondencia", "software", (3, 4, 4)),
    ("Base de datos de trámites", "information", (5, 5, 4)),
    ("Portal institucional", "service", (2, 4, 4)),
    ("Servidor de archivos", "hardware", (4, 4, 3)),
)
RISKS = (
    ("Cifrado de información por código malicioso", "Servidor de archivos", 4, 5, ("6.5", "6.6")),
    ("Modificación no autorizada del portal", "Portal institucional", 3, 4, ("6.9", "8.3")),
    ("Filtración de datos personales", "Base de datos de trámites", 3, 5, ("2.3", "3.3")),
    ("Suplantación mediante correo fraudulento", "", 5, 3, ("1.3", "3.5")),
)
OBSERVATIONS = (
    "La evidencia adjunta corresponde a la gestión anterior; presente la vigente.",
    "No se indica quién verifica el control ni con qué frecuencia.",
    "El plazo propuesto excede la vigencia del plan; reprográmelo.",
)


def build_plans(
    act_at: ActAt, random_: random.Random, now: datetime, *, entities: Sequence[Entity],
    staff: Staff, home: Entity, told: Callable[[float], None],
) -> int:  # fmt: skip
    """Open, file, review and decide plans; returns how many there are."""
    count = 0
    for place, entity in enumerate(entities):
        told(place / len(entities))
        step = random_.choices(STEPS, SHARES[entity.level])[0]
        if entity is home:
            step = "draft"  # visitors finish this one themselves
        if step == "none" or not any(contact.duty == "rsi" for contact in entity.contacts):
            continue
        count += 1
        old = step in ("decided", "followed") and random_.random() < 0.6
        opened = now - timedelta(
            days=random_.uniform(420, 640) if old else random_.uniform(60, 240)
        )
        _walk(act_at, random_, entity, step=step, opened=opened, now=now, staff=staff)
    return count


def _walk(
    act_at: ActAt, random_: random.Random, entity: Entity, *, step: str, opened: datetime,
    now: datetime, staff: Staff,
) -> None:  # fmt: skip
    act = act_at(opened, None)
    plan = open_plan(act, entity, opened.year)
    filled = 1.0 if STEPS.index(step) >= STEPS.index("filed") else random_.uniform(0.2, 0.9)
    quality = random_.betavariate(3, 2)
    _fill(random_, plan, entity, opened, share=filled, quality=quality)
    act.session.flush()  # the verbs below read the plan anew
    if step == "draft":
        return
    filed = opened + timedelta(days=random_.uniform(20, 50))
    mark_ready(act_at(filed - timedelta(days=6), None), plan)
    approve(
        act_at(filed - timedelta(days=2), None),
        plan,
        f"RM {random_.randrange(10, 400)}/{filed.year}",
    )
    submission = file_plan(act_at(filed, None), plan)
    if step == "filed":
        return
    reviewer = random_.choice(staff.reviewers)
    read = filed + timedelta(days=random_.uniform(3, 9))
    if read > now:
        return
    _review(
        act_at, random_, submission, reviewer, at=read, quality=quality, done=step != "in_review"
    )
    if step == "in_review":
        return
    if step == "observed":
        observe(act_at(min(read + timedelta(days=4), now), reviewer), submission)
        return
    decided = min(read + timedelta(days=random_.uniform(6, 15)), now - timedelta(days=1))
    form = DecisionForm(
        "with_conditions" if quality < 0.75 else "accepted",
        "Debe subsanar lo observado en el primer seguimiento anual." if quality < 0.75 else "",
        (decided + timedelta(days=random_.choice((730, 1095)))).date(),
    )
    if form.outcome == "accepted":
        _close_findings(act.session, submission, decided)
        act.session.flush()  # an accepted plan has no open finding
    decision = decide(act_at(decided, reviewer), submission, form)
    notify_decision(act_at(decided + timedelta(hours=3), reviewer), decision)
    if step == "followed" and decided < now - timedelta(days=20):
        told = FollowUpForm(
            now.year, random_.randrange(30, 100), "Avance según el cronograma aprobado.",
            f"UTIC/{random_.randrange(10, 400)}/{now.year}",
        )  # fmt: skip
        follow_up(act_at(now - timedelta(days=random_.uniform(1, 15)), None), plan, told)


def _fill(
    random_: random.Random, plan: Plan, entity: Entity, at: datetime, *, share: float,
    quality: float,
) -> None:  # fmt: skip
    plan.scope = f"Todos los procesos, sistemas y oficinas de: {entity.name}."
    duties = {contact.duty: contact for contact in entity.contacts}
    plan.roles = {"csi": {"name": "Comité de Seguridad", "position": "", "cite": ""}} | {
        duty: {
            "name": duties[duty].name,
            "position": duties[duty].position,
            "cite": duties[duty].cite,
        }
        for duty in ("mae", "rsi")
        if duty in duties
    }
    plan.risk_method = random_.choice(("iso27005", "magerit"))
    plan.assets = [
        {
            "name": name, "kind": kind, "owner": "Unidad de Tecnologías", "confidentiality": c,
            "integrity": i, "availability": a,
        }
        for name, kind, (c, i, a) in ASSETS
    ]  # fmt: skip
    plan.risks = [
        {
            "threat": threat, "asset": asset, "probability": p, "impact": i,
            "treatment": "mitigate", "controls": list(controls), "residual_probability": 2,
            "residual_impact": max(1, i - 1), "accepted_by": "",
        }
        for threat, asset, p, i, controls in RISKS
    ]  # fmt: skip
    for statement in plan.statements:
        if random_.random() < share:
            _state(random_, statement, at, quality)


def _state(
    random_: random.Random, statement: ControlStatement, at: datetime, quality: float
) -> None:
    statement.incident_answer = "Se incorporó la medida correctiva al cronograma."
    if random_.random() < 0.04:
        statement.applies = False
        statement.reason = "La entidad no tiene el proceso al que se refiere el control."
        return
    statement.applies = True
    weights = (quality, 0.5, (1 - quality) * 0.7, (1 - quality) * 0.4)
    statement.status = random_.choices(tuple(STATEMENTS), weights)[0]
    levels = {"implemented": (3, 5), "partial": (2, 3), "planned": (0, 1), "none": (0, 0)}
    statement.maturity = random_.randint(*levels[statement.status])
    statement.target = max(3, statement.maturity)
    statement.statement = STATEMENTS[statement.status]
    statement.responsible = names.person(random_)
    if statement.status != "implemented":
        statement.due_on = (at + timedelta(days=random_.randrange(150, 500))).date()


def _review(
    act_at: ActAt, random_: random.Random, submission: Submission, reviewer: User, *, at: datetime,
    quality: float, done: bool,
) -> None:  # fmt: skip
    act = act_at(at, reviewer)
    review = start_review(act, submission)
    for statement in submission.plan.statements:
        if random_.random() > (0.9 if done else 0.4) or not statement.applies:
            continue
        if (
            statement.status in ("implemented", "partial")
            and random_.random() > quality * 0.4 + 0.55
        ):
            found = FindingForm("observed", "partial", None, random_.choice(OBSERVATIONS))
        else:
            found = FindingForm("conforms", "", statement.maturity)
        record_finding(act, review, statement.control, found)
    if done:
        end_review(act_at(at + timedelta(days=3), reviewer), review, "Lectura completa.")


def _close_findings(session: Session, submission: Submission, at: datetime) -> None:
    open_ones = (
        select(Finding)
        .join(Review)
        .where(Review.submission_id == submission.id, Finding.closed_at.is_(None))
    )
    for finding in session.scalars(open_ones):
        finding.closed_at = at
