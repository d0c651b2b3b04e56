"""The clocks of an incident: start, meet, pause, warn, miss. Each party has its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from cgii.base import limits
from cgii.base.calendar import (
    WorkingCalendar,
    add_working_hours,
    calendar_from,
    working_seconds_between,
)
from cgii.base.clock import show
from cgii.base.labels import label
from cgii.model.deadlines import Deadline
from cgii.model.incidents import EntityRequest, Incident
from cgii.model.people import User
from cgii.respond.notify import about, compose, coordinators, entity_recipients
from cgii.respond.policies import Policy, load_policies
from cgii.respond.timeline import enter
from cgii.store.act import Act

CENTRE = "centre"
MISSED = "missed"


@dataclass(frozen=True)
class Told:
    """One thing that `check_deadlines` said: a per cent reached, or a deadline missed."""

    deadline_id: int
    incident_code: str
    what: str  # "50", "75", "90" or MISSED


def start_deadlines(act: Act, incident: Incident) -> list[Deadline]:
    """Start every clock that holds for the incident and has none yet; safe to call again.

    A clock waits for the stage from which it counts; one whose stage is reached already is
    settled at once, in time or late.
    """
    loaded = load_policies(act.site)
    known = {deadline.policy_id for deadline in _all(act.session, incident)}
    started = []
    for policy in loaded.for_incident(incident):
        start = getattr(incident, f"{policy.starts}_at")
        if policy.id in known or start is None:
            continue
        deadline = _start(act, incident, policy, start, calendar=loaded.calendar)
        reached = getattr(incident, f"{policy.stage}_at")
        if reached is not None:
            _end_met(deadline, reached, act.now)
        started.append(deadline)
    refresh_next_due(act, incident)
    return started


def recompute(act: Act, incident: Incident, *, raised: bool) -> list[Deadline]:
    """After a change of severity: replace the clocks that hold no longer, start the new ones.

    A running clock keeps the policy it started with; one that the new severity does not know
    ends unmet and is followed by the new one, which counts from now if the severity was raised
    and from the old clock's start if it was lowered. What was missed stays missed.
    """
    loaded = load_policies(act.site)
    wanted = {policy.id: policy for policy in loaded.for_incident(incident)}
    clocks = _all(act.session, incident)
    known = {clock.policy_id for clock in clocks}
    ours = {policy.id for policy in loaded.policies}
    started = []
    for clock in clocks:
        if clock.ended_at is not None or clock.policy_id in wanted or clock.policy_id not in ours:
            continue
        if clock.missed_at is None and clock.due_at < act.now and clock.paused_at is None:
            clock.missed_at = clock.due_at
        clock.ended_at = act.now
        clock.paused_at = None
    for policy in wanted.values():
        start = getattr(incident, f"{policy.starts}_at")
        reached = getattr(incident, f"{policy.stage}_at")
        if policy.id in known or start is None or reached is not None:
            continue
        begins = act.now if raised else start
        deadline = _start(act, incident, policy, begins, calendar=loaded.calendar)
        if incident.waiting_for:
            _pause_one(deadline, act.now)
        started.append(deadline)
    refresh_next_due(act, incident)
    return started


def meet(act: Act, incident: Incident, stage: str, at: datetime) -> None:
    """The stage was reached at that moment: its open clocks end, met in time or late."""
    for clock in _open(act.session, incident):
        if clock.stage == stage and not _is_request_clock(clock):
            _resume_one(clock, at)
            _end_met(clock, at, act.now)
    refresh_next_due(act, incident)


def end_deadlines(act: Act, incident: Incident) -> None:
    """The case is closed: what is still open is no longer owed, what is past due was missed."""
    for clock in _open(act.session, incident):
        if clock.paused_at is None and clock.due_at < act.now and clock.missed_at is None:
            clock.missed_at = clock.due_at
        clock.paused_at = None
        clock.ended_at = act.now
    refresh_next_due(act, incident)


def pause(act: Act, incident: Incident, *, waiting_for: str) -> None:
    """Another party owes us something: the centre's own clocks stand still, not statutory ones."""
    incident.waiting_for = waiting_for
    for clock in _open(act.session, incident):
        if clock.party == CENTRE and not clock.is_statutory:
            _pause_one(clock, act.now)
    refresh_next_due(act, incident)


def resume(act: Act, incident: Incident) -> None:
    """It is our turn again: the clocks go on with what they had left."""
    incident.waiting_for = ""
    for clock in _open(act.session, incident):
        _resume_one(clock, act.now)
    refresh_next_due(act, incident)


def start_request_clock(act: Act, incident: Incident, request: EntityRequest) -> Deadline:
    """The entity's clock for its answer to a request."""
    hours = (request.due_at - act.now).total_seconds() / 3600
    policy = Policy(
        id=_request_policy(request),
        label="Respuesta de la entidad al pedido",
        regime="request",
        stage="entity_answered",
        party="entity",
        starts="entity_notified",
        hours=hours,
        time="calendar",
        warn_percent=(75,),
        tell=("owner", "entity"),
    )
    calendar = load_policies(act.site).calendar
    return _start(act, incident, policy, act.now, calendar=calendar)


def end_request_clock(act: Act, request: EntityRequest) -> None:
    """The request was answered, or withdrawn and is no longer owed."""
    clock = act.session.scalar(
        select(Deadline).where(
            Deadline.incident_id == request.incident_id,
            Deadline.policy_id == _request_policy(request),
            Deadline.ended_at.is_(None),
        )
    )
    if clock is None:
        return
    if request.answered_at is not None:
        _end_met(clock, request.answered_at, act.now)
        return
    if clock.due_at < act.now and clock.missed_at is None:
        clock.missed_at = clock.due_at
    clock.ended_at = act.now


def check_deadlines(act: Act) -> list[Told]:
    """Warn of what comes near and stamp what was missed, each once; returns what was said.

    The job for it runs every minute; a second run at the same moment says nothing new.
    """
    query = (
        select(Deadline)
        .join(Incident)
        .where(
            Deadline.ended_at.is_(None),
            Deadline.missed_at.is_(None),
            Deadline.paused_at.is_(None),
            Incident.closed_at.is_(None),
        )
        .order_by(Deadline.due_at)
        .limit(limits.DEADLINES_PER_CHECK_MAX)
        .options(joinedload(Deadline.incident).joinedload(Incident.entity))
        .with_for_update(of=Deadline)
    )
    told = []
    for clock in act.session.scalars(query):
        if clock.due_at < act.now:
            told.append(_miss(act, clock))
            continue
        percent = _newly_reached(clock, act.now)
        if percent is not None:
            told.append(_warn(act, clock, percent))
    return told


def used_share(clock: Deadline, now: datetime) -> float:
    """How much of its time a clock has used: 0 at the start, 1 when due, more when late.

    A paused or ended clock stands still. Working clocks count working time.
    """
    at = clock.met_at or clock.ended_at or clock.paused_at or now
    total = float(clock.policy["hours"]) * 3600
    if at <= clock.due_at:
        return max(0.0, 1 - _seconds(clock, at, clock.due_at) / total)
    return 1 + _seconds(clock, clock.due_at, at) / total


def refresh_next_due(act: Act, incident: Incident) -> None:
    """Keep the desk's order: the earliest open clock of the centre."""
    act.session.flush()  # the clocks just changed must be seen by the query
    incident.next_due_at = act.session.scalar(
        select(func.min(Deadline.due_at)).where(
            Deadline.incident_id == incident.id,
            Deadline.party == CENTRE,
            Deadline.ended_at.is_(None),
            Deadline.paused_at.is_(None),
        )
    )


def _start(
    act: Act, incident: Incident, policy: Policy, start: datetime, *, calendar: WorkingCalendar
) -> Deadline:
    deadline = Deadline(
        incident_id=incident.id,
        incident=incident,
        policy_id=policy.id,
        policy=policy.frozen(calendar),
        regime=policy.regime,
        stage=policy.stage,
        party=policy.party,
        label=policy.label,
        is_statutory=policy.is_statutory,
        started_at=start,
        due_at=policy.due(start, calendar),
        paused_seconds=0,
        warned=[],
    )
    act.session.add(deadline)
    return deadline


def _end_met(clock: Deadline, at: datetime, now: datetime) -> None:
    clock.met_at = at
    clock.ended_at = now
    if at > clock.due_at and clock.missed_at is None:
        clock.missed_at = clock.due_at


def _pause_one(clock: Deadline, now: datetime) -> None:
    # What is late already stays late: waiting for somebody does not undo it.
    if clock.paused_at is None and clock.missed_at is None and clock.due_at > now:
        clock.paused_at = now


def _resume_one(clock: Deadline, now: datetime) -> None:
    if clock.paused_at is None:
        return
    paused_at, clock.paused_at = clock.paused_at, None
    if now <= paused_at:
        return
    left = _seconds(clock, paused_at, clock.due_at)
    clock.due_at = _add_seconds(clock, now, left)
    clock.paused_seconds += int((now - paused_at).total_seconds())


def _newly_reached(clock: Deadline, now: datetime) -> int | None:
    """The highest per cent that was reached and not told yet."""
    share = used_share(clock, now) * 100
    reached = [percent for percent in clock.policy["warn_percent"] if percent <= share]
    new = [percent for percent in reached if percent not in clock.warned]
    # Of several reached between two checks only the highest is told.
    return max(new) if new and max(new) == max(reached) else None


def _warn(act: Act, clock: Deadline, percent: int) -> Told:
    clock.warned = [known for known in clock.policy["warn_percent"] if known <= percent]
    if clock.party == "entity":
        recipients = entity_recipients(act.session, clock.incident.entity_id, now=act.now)
        template = "request_due" if _is_request_clock(clock) else "deadline_warning"
    else:
        recipients = _owner_or_coordinators(act.session, clock.incident)
        template = "deadline_warning"
    _tell(act, clock, template, str(percent), recipients=recipients)
    return Told(clock.id, clock.incident.code, str(percent))


def _miss(act: Act, clock: Deadline) -> Told:
    incident = clock.incident
    clock.missed_at = clock.due_at
    text = f"Plazo vencido: {clock.label}. Vencía el {show(clock.due_at)}."
    enter(act, incident, "deadline", text, data={"deadline": clock.id, "policy": clock.policy_id})
    act.record(
        "deadline.missed",
        f"incident:{incident.code}",
        entity_id=incident.entity_id,
        policy=clock.policy_id,
        due_at=clock.due_at.isoformat(),
    )
    recipients: list[str] = []
    for whom in clock.policy["tell"]:
        if whom == "owner":
            recipients += _owner_or_coordinators(act.session, incident)
        elif whom == "coordinator":
            recipients += coordinators(act.session)
        else:
            recipients += entity_recipients(act.session, incident.entity_id, now=act.now)
    _tell(act, clock, "deadline_missed", MISSED, recipients=recipients)
    return Told(clock.id, incident.code, MISSED)


def _tell(
    act: Act, clock: Deadline, template: str, what: str, *, recipients: Iterable[str]
) -> None:
    facts: dict[str, Any] = {
        **about(clock.incident),
        "label": clock.label,
        "due_at": clock.due_at,
        "percent": what,
        "party": label("incidents.parties", clock.party),
        "severity": label("incidents.severities", clock.incident.severity),
    }
    for recipient in dict.fromkeys(recipients):
        compose(
            act,
            template,
            recipient,
            facts,
            dedupe_key=f"deadline:{clock.id}:{what}:{recipient}",
            tlp=clock.incident.tlp,
            incident=clock.incident,
            entity=clock.incident.entity,
        )


def _owner_or_coordinators(session: Session, incident: Incident) -> list[str]:
    owner = session.get(User, incident.owner_id) if incident.owner_id else None
    return [owner.email] if owner is not None and owner.is_active else coordinators(session)


def _calendar(clock: Deadline) -> WorkingCalendar:
    return calendar_from(clock.policy["calendar"])


def _seconds(clock: Deadline, start: datetime, end: datetime) -> float:
    if clock.policy["time"] == "working":
        return working_seconds_between(start, end, _calendar(clock))
    return max(0.0, (end - start).total_seconds())


def _add_seconds(clock: Deadline, start: datetime, seconds: float) -> datetime:
    if clock.policy["time"] == "working":
        return add_working_hours(start, seconds / 3600, _calendar(clock))
    return start + timedelta(seconds=seconds)


def _request_policy(request: EntityRequest) -> str:
    return f"request-{request.id}"


def _is_request_clock(clock: Deadline) -> bool:
    return clock.regime == "request"


def _all(session: Session, incident: Incident) -> list[Deadline]:
    query = select(Deadline).where(Deadline.incident_id == incident.id).order_by(Deadline.id)
    return list(session.scalars(query))


def _open(session: Session, incident: Incident) -> list[Deadline]:
    return [clock for clock in _all(session, incident) if clock.ended_at is None]
