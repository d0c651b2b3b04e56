"""Today's shift of the demonstration: real verbs on the alerts that the day's logs raised."""

import random
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.centre import Centre
from cgii.demo.people import Staff
from cgii.model.alerts import AlertGroup
from cgii.model.incidents import Incident
from cgii.respond.groups import dismiss, join, promote, take_group
from cgii.respond.lifecycle import TriageForm, triage
from cgii.respond.notices import NoticeForm, file_notice
from cgii.respond.requests import ask
from cgii.respond.timeline import comment
from cgii.store.act import Act

NOTICES = (
    (
        "No se puede ingresar al sistema de títulos",
        "Desde las 09:10 el sistema responde con error y el servidor muestra un proceso "
        "desconocido con uso alto de procesador.",
        "Sistema de títulos profesionales y su servidor de aplicaciones",
        "down",
    ),
    (
        "Correo fraudulento a directores de unidades educativas",
        "Se recibieron consultas por un correo que pide actualizar datos en una dirección "
        "que no es nuestra.",
        "Correo institucional; unas 40 personas lo recibieron",
        "none",
    ),
)


def work_today(centre: Centre, session: Session, random_: random.Random, staff: Staff) -> None:
    """Promote, join and dismiss some groups, and file what the visitors' entity reports."""
    groups = list(session.scalars(select(AlertGroup).order_by(AlertGroup.last_at.desc())))
    severe = [group for group in groups if group.severity in ("alto", "muy_alto", "critico")]
    analysts = [session.merge(user) for user in staff.analysts]
    for place, group in enumerate(random_.sample(severe, min(9, len(severe)))):
        if group.state != "new":
            continue  # joined to the incident of another one just now
        analyst = analysts[place % len(analysts)]
        act = centre.act(session, analyst, via="demo")
        incident = promote(act, group)
        _join_alike(act, groups, group, incident)
        if place % 3 == 0:
            ask(act, incident, "Confirme si el equipo sigue en servicio y desde cuándo.",
                act.now + timedelta(hours=20))  # fmt: skip
    rest = [group for group in groups if group.state == "new"]
    for place, group in enumerate(random_.sample(rest, min(14, len(rest)))):
        act = centre.act(session, analysts[place % len(analysts)], via="demo")
        if place % 2:
            take_group(act, group)
        else:
            verdict = "false_positive" if place % 4 else "benign"
            dismiss(act, [group], verdict=verdict, reason="Prueba programada por la entidad.")
    _report(centre, session, staff)


def _join_alike(act: Act, groups: list[AlertGroup], group: AlertGroup, incident: Incident) -> None:
    alike = [
        other
        for other in groups
        if other.entity_id == group.entity_id and other.state == "new" and other is not group
    ]
    if alike:
        join(act, alike[:2], incident)


def _report(centre: Centre, session: Session, staff: Staff) -> None:
    reporter = session.merge(staff.reporter)
    assert reporter.entity_id is not None
    analyst = session.merge(staff.analysts[0])
    for place, (title, text, affected, impact) in enumerate(NOTICES):
        act = centre.act(session, reporter, via="demo")
        form = NoticeForm(
            entity_id=reporter.entity_id, title=title, description=text, affected=affected,
            noticed_at=act.now - timedelta(hours=2 + place), contact_name=reporter.name,
            contact_email=reporter.email, service_impact=impact, is_ongoing=place == 0,
        )  # fmt: skip
        notice = file_notice(act, form)
        incident = session.get(Incident, notice.incident_id)
        assert incident is not None
        if place:
            continue  # the second one waits on the desk, unread
        work = centre.act(session, analyst, via="demo")
        triage(work, incident, TriageForm(rsit_class="availability", rsit_type="outage"))
        ask(work, incident, "Remita el listado de procesos y las conexiones del servidor.",
            work.now + timedelta(hours=8))  # fmt: skip
        comment(work, incident, "Recibido. Aísle el servidor sin apagarlo.", shared=True)
