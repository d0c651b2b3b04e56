"""What a person may see: `visible(user, Table)` starts every query that a page makes.

Deny by default: a table that is not named here is visible to nobody. Rows of others are not
refused but absent, so that nobody learns from an answer what exists.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    cast,
    exists,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased

from cgii.base.errors import NotFound
from cgii.model.alerts import AlertGroup, AlertRow, Attribution, CorrelationLoss
from cgii.model.deadlines import Deadline
from cgii.model.detection import RuleTuning, SiteRule
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
from cgii.model.indicators import Indicator, IndicatorList
from cgii.model.people import ENTITY_ROLES, Draft, Role, User, WebSession
from cgii.model.plans import (
    ControlStatement,
    Decision,
    Finding,
    FollowUp,
    Plan,
    Review,
    ScoreSnapshot,
    Submission,
)
from cgii.model.records import (
    AuditEntry,
    Batch,
    Document,
    Job,
    Message,
    Position,
    Reject,
    SavedView,
    Schedule,
    Sensor,
    SourceVolume,
)
from cgii.model.runs import Run, Step
from cgii.model.sensors import SensorKey, SensorReport, SensorSettings
from cgii.model.silence import QuietWindow, SourceSilence
from cgii.model.table import Table

Row = TypeVar("Row", bound=Table)
Rule = Callable[[User], ColumnElement[bool]]

# The centre's people see all rows of these tables …
FOR_CENTRE: frozenset[type[Table]] = frozenset(
    {
        *(AlertGroup, AlertRow, Attribution, Deadline, Run, Step, RuleTuning, SiteRule),
        *(CorrelationLoss, Indicator, IndicatorList),
        *(Contact, Entity, EntityDomain, EntityNetwork, User),
        *(EntityRequest, Entry, Evidence, Incident, IncidentControl, Notice, Observable),
        *(ControlStatement, Decision, Finding, FollowUp, Plan, Review, ScoreSnapshot, Submission),
        *(EvidenceMatch, EvidenceScan),
        *(Batch, Document, Message, Position, Reject, Schedule, Sensor, SourceVolume),
        *(SensorKey, SensorReport, SensorSettings),
        *(QuietWindow, SourceSilence),
    }
)


def visible(user: User, table: type[Row]) -> Select[Row]:
    """All rows of `table` that this person may see, to be narrowed further. Raises NotFound."""
    return select(table).where(_condition(user, table))


def find(session: Session, user: User, table: type[Row], **values: Any) -> Row:
    """The one visible row with these column values: `find(session, user, Incident, code=code)`.

    Raises NotFound, in the same words whether it is absent or somebody else's.
    """
    found = None
    if all(_is_storable(value) for value in values.values()):
        found = session.scalar(visible(user, table).filter_by(**values))
    if found is None:
        raise NotFound("No existe, o su cuenta no puede verlo.")
    return found


def _is_storable(value: object) -> bool:
    """Whether a database could hold this at all; drivers raise at what it could not."""
    if isinstance(value, int):
        return abs(value) < 2**63
    return not (isinstance(value, str) and "\0" in value)


def _condition(user: User, table: type[Table]) -> ColumnElement[bool]:
    if table in OWN:
        return OWN[table](user)
    if user.role not in ENTITY_ROLES:
        if table in FOR_CENTRE:
            return true()
    elif table in FOR_ENTITY and user.entity_id is not None:
        return FOR_ENTITY[table](user)
    raise NotFound("No existe, o su cuenta no puede verlo.")


# … an entity's people only these rows. Observables, alerts, runs, mails and rejects: none.
def _shared_incident(user: User) -> ColumnElement[bool]:
    """A case is the entity's to see once it reported it, was told of it, or is asked about it."""
    told = or_(
        Incident.origin == "notice",
        Incident.entity_notified_at.is_not(None),
        exists().where(Notice.incident_id == Incident.id, Notice.entity_id == user.entity_id),
        exists().where(EntityRequest.incident_id == Incident.id),
        exists().where(Entry.incident_id == Incident.id, Entry.is_shared),
    )
    return and_(Incident.entity_id == user.entity_id, told)


def _incident_ids(user: User) -> Select[int]:
    return select(Incident.id).where(_shared_incident(user))


def _plan_ids(user: User) -> Select[int]:
    return select(Plan.id).where(Plan.entity_id == user.entity_id)


def _colleague_ids(user: User) -> Select[int]:
    return select(User.id).where(User.entity_id == user.entity_id)


def _sensor_keys(user: User) -> Select[str]:
    key = literal("sensor:", String) + cast(Sensor.id, String)
    return select(key).where(Sensor.entity_id == user.entity_id)


def _evidence(user: User) -> ColumnElement[bool]:
    own = and_(
        Evidence.entity_id == user.entity_id,
        or_(Evidence.is_shared, Evidence.added_by_id.in_(_colleague_ids(user))),
    )
    of_case = and_(Evidence.is_shared, Evidence.incident_id.in_(_incident_ids(user)))
    return or_(own, of_case)


def _evidence_scans(user: User) -> ColumnElement[bool]:
    seen = select(Evidence.id).where(_evidence(user))
    return and_(EvidenceScan.is_shared, EvidenceScan.evidence_id.in_(seen))


def _told_review_ids(user: User) -> Select[int]:
    # A reviewer's reading is the entity's to see when the centre has sent it, or has told its
    # decision; and from then on, also while the next filing is being read.
    newer = aliased(Submission)
    told = or_(
        Plan.state.in_(("observed", "answered", "valid", "expired", "superseded", "revoked")),
        exists().where(
            Decision.submission_id == Review.submission_id, Decision.notified_at.is_not(None)
        ),
        exists().where(newer.plan_id == Submission.plan_id, newer.number > Submission.number),
    )
    return (
        select(Review.id)
        .join(Submission, Submission.id == Review.submission_id)
        .join(Plan, Plan.id == Submission.plan_id)
        .where(Plan.entity_id == user.entity_id, Review.ended_at.is_not(None), told)
    )


FOR_ENTITY: dict[type[Table], Rule] = {
    Entity: lambda user: Entity.id == user.entity_id,
    EntityNetwork: lambda user: EntityNetwork.entity_id == user.entity_id,
    EntityDomain: lambda user: EntityDomain.entity_id == user.entity_id,
    Contact: lambda user: Contact.entity_id == user.entity_id,
    User: lambda user: User.entity_id == user.entity_id,
    Sensor: lambda user: Sensor.entity_id == user.entity_id,
    SensorReport: lambda user: SensorReport.sensor_id.in_(
        select(Sensor.id).where(Sensor.entity_id == user.entity_id)
    ),
    SourceVolume: lambda user: SourceVolume.sensor_key.in_(_sensor_keys(user)),
    SourceSilence: lambda user: SourceSilence.sensor_key.in_(_sensor_keys(user)),
    Notice: lambda user: Notice.entity_id == user.entity_id,
    Incident: _shared_incident,
    Entry: lambda user: and_(Entry.is_shared, Entry.incident_id.in_(_incident_ids(user))),
    EntityRequest: lambda user: EntityRequest.entity_id == user.entity_id,
    Deadline: lambda user: and_(
        Deadline.party == "entity", Deadline.incident_id.in_(_incident_ids(user))
    ),
    Evidence: _evidence,
    EvidenceScan: _evidence_scans,
    EvidenceMatch: lambda user: EvidenceMatch.scan_id.in_(
        select(EvidenceScan.id).where(_evidence_scans(user))
    ),
    IncidentControl: lambda user: and_(
        IncidentControl.entity_id == user.entity_id,
        IncidentControl.incident_id.in_(_incident_ids(user)),
    ),
    Plan: lambda user: Plan.entity_id == user.entity_id,
    ControlStatement: lambda user: ControlStatement.plan_id.in_(_plan_ids(user)),
    Submission: lambda user: Submission.entity_id == user.entity_id,
    Decision: lambda user: and_(
        Decision.plan_id.in_(_plan_ids(user)), Decision.notified_at.is_not(None)
    ),
    FollowUp: lambda user: FollowUp.entity_id == user.entity_id,
    ScoreSnapshot: lambda user: ScoreSnapshot.entity_id == user.entity_id,
    Review: lambda user: Review.id.in_(_told_review_ids(user)),
    Finding: lambda user: Finding.review_id.in_(_told_review_ids(user)),
}


def _jobs(user: User) -> ColumnElement[bool]:
    sees_all = user.role in (Role.ADMINISTRATOR, Role.AUDITOR)
    return true() if sees_all else Job.created_by_id == user.id


def _audit(user: User) -> ColumnElement[bool]:
    if user.role in (Role.ADMINISTRATOR, Role.AUDITOR):
        return true()
    raise NotFound("No existe, o su cuenta no puede verlo.")


# Rows that belong to one person, or to a few roles, on either side.
OWN: dict[type[Table], Rule] = {
    Draft: lambda user: Draft.user_id == user.id,
    SavedView: lambda user: SavedView.user_id == user.id,
    WebSession: lambda user: WebSession.user_id == user.id,
    Job: _jobs,
    AuditEntry: _audit,
}
