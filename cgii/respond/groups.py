"""What analysts do with alert groups: take, open a case, join one, dismiss, undo."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import update

from cgii.base.errors import Conflict, Invalid
from cgii.base.labels import label
from cgii.model.alerts import AlertGroup
from cgii.model.incidents import Incident
from cgii.model.people import User
from cgii.respond.observables import add_observables
from cgii.respond.opening import NewIncident, open_incident
from cgii.respond.severity import SeverityFacts, is_critical, type_severities
from cgii.respond.stages import expect_open, touch
from cgii.respond.timeline import enter
from cgii.store.act import Act

VERDICTS = ("true_positive", "false_positive", "benign")


def take_group(act: Act, group: AlertGroup) -> None:
    """Make a group mine. Of two persons at once one gets it, the other a Conflict with the name."""
    assert act.user is not None, "only a person takes a group"
    if group.owner_id == act.user_id and group.state == "taken":
        return
    won = act.session.execute(
        update(AlertGroup)
        .where(AlertGroup.id == group.id, AlertGroup.state == "new", AlertGroup.owner_id.is_(None))
        .values(
            state="taken",
            owner_id=act.user_id,
            taken_at=act.now,
            version=AlertGroup.version + 1,
        )
        .returning(AlertGroup.id)
        .execution_options(synchronize_session=False)
    ).first()
    act.session.refresh(group)
    if won is None:
        raise _held(act, group)
    _record(act, "group.taken", group)


def release_group(act: Act, group: AlertGroup) -> None:
    """Give a taken group back to everybody."""
    if group.state != "taken":
        raise Conflict("La alerta no está tomada.")
    group.state, group.owner_id, group.taken_at = "new", None, None
    _record(act, "group.released", group)


def promote(act: Act, group: AlertGroup, *, title: str | None = None) -> Incident:
    """Open an incident from a group. It was detected when the group appeared, received now."""
    _expect_free(act, group)
    rsit_class, rsit_type = _rsit(group)
    incident = open_incident(
        act,
        NewIncident(
            title=(title or "").strip() or _title(group),
            summary=group.summary,
            origin="alert",
            entity_id=group.entity_id,
            severity=group.severity,
            severity_facts=_facts(group).as_data(),
            rsit_class=rsit_class,
            rsit_type=rsit_type,
            occurred_at=group.first_at,
            detected_at=max(group.created_at, group.first_at),
            observables=[(kind, value) for kind, value in group.observables],
        ),
    )
    _attach(act, group, incident)
    enter(
        act,
        incident,
        "alerts",
        f"Abierto desde {_counted(group)}: {group.rule_title} ({group.key_text}).",
        data={"groups": [group.id]},
    )
    _record(act, "group.promoted", group, incident=incident.code)
    return incident


def join(act: Act, groups: Sequence[AlertGroup], incident: Incident) -> None:
    """Add groups to an open incident; they go on counting there."""
    expect_open(incident)
    fresh = [group for group in groups if group.incident_id != incident.id]
    for group in fresh:
        _expect_free(act, group)
    if not fresh:
        return
    touch(act, incident)
    for group in fresh:
        _attach(act, group, incident)
        add_observables(act, incident, [(kind, value) for kind, value in group.observables])
        act.session.flush()  # the next group's observables are compared with these
        _record(act, "group.joined", group, incident=incident.code)
    names = "; ".join(f"{group.rule_title} ({group.key_text})" for group in fresh)
    enter(
        act,
        incident,
        "alerts",
        f"Se agregaron alertas: {names}.",
        data={"groups": [group.id for group in fresh]},
    )


def dismiss(act: Act, groups: Sequence[AlertGroup], *, verdict: str, reason: str) -> None:
    """Set groups aside with a verdict that counts for their rule. `undo_dismiss` takes it back."""
    if verdict not in VERDICTS:
        raise Invalid("Elija un veredicto de la lista.", field="verdict")
    reason = reason.strip()
    if not reason:
        raise Invalid("Indique por qué se descarta.", field="reason")
    for group in groups:
        if group.state == "dismissed":
            continue
        _expect_free(act, group)
        group.state = "dismissed"
        group.verdict = verdict
        group.verdict_reason = reason
        group.decided_at = act.now
        _record(act, "group.dismissed", group, verdict=verdict, reason=reason)


def undo_dismiss(act: Act, groups: Sequence[AlertGroup]) -> None:
    """Bring dismissed groups back as they were before."""
    for group in groups:
        if group.state != "dismissed":
            continue
        group.state = "taken" if group.owner_id else "new"
        group.verdict = ""
        group.verdict_reason = ""
        group.decided_at = None
        _record(act, "group.restored", group)


def _attach(act: Act, group: AlertGroup, incident: Incident) -> None:
    group.state = "joined"
    group.incident_id = incident.id
    if group.owner_id is None:
        group.owner_id, group.taken_at = act.user_id, act.now
    if incident.entity_id is None and group.entity_id is not None:
        incident.entity_id, incident.entity = group.entity_id, group.entity


def _expect_free(act: Act, group: AlertGroup) -> None:
    if group.state == "joined":
        incident = act.session.get(Incident, group.incident_id)
        code = incident.code if incident else "?"
        raise Conflict("La alerta ya pertenece al incidente {code}.", code=code)
    if group.state == "dismissed":
        raise Conflict("La alerta fue descartada. Deshaga el descarte para usarla.")


def _held(act: Act, group: AlertGroup) -> Conflict:
    holder = act.session.get(User, group.owner_id) if group.owner_id else None
    if holder is not None:
        return Conflict("La alerta ya la tomó {name}.", name=holder.name)
    state = label("incidents.group_states", group.state).lower()
    return Conflict("La alerta ya no se puede tomar: está {state}.", state=state)


def _facts(group: AlertGroup) -> SeverityFacts:
    return SeverityFacts(
        rsit_class=group.rsit_class,
        rsit_type=group.rsit_type,
        is_critical_entity=is_critical(group.entity),
    )


def _rsit(group: AlertGroup) -> tuple[str, str]:
    """What the rule's tags say, as far as the taxonomy knows it."""
    types = type_severities().get(group.rsit_class)
    if types is None:
        return "", ""
    return group.rsit_class, group.rsit_type if group.rsit_type in types else ""


def _title(group: AlertGroup) -> str:
    where = f" en {group.entity.name}" if group.entity else ""
    return f"{group.rule_title}{where}"


def _counted(group: AlertGroup) -> str:
    return "1 alerta" if group.alert_count == 1 else f"{group.alert_count} alertas"


def _record(act: Act, action: str, group: AlertGroup, **data: Any) -> None:  # JSON values
    act.record(action, f"group:{group.id}", entity_id=group.entity_id, **data)
