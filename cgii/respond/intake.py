"""Folds the detector's alerts into groups, one row of the desk each, with their entity found."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, or_, select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.ids import digest
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.event import Alert
from cgii.model.incidents import Incident
from cgii.respond.attribution import Attributed, Attributor, note_unattributed
from cgii.respond.severity import from_level, worse
from cgii.store.act import Act
from cgii.store.numbering import next_number

WINDOW = timedelta(hours=limits.GROUP_WINDOW_HOURS)
LEVELS = ("informational", "low", "medium", "high", "critical")


@dataclass(frozen=True)
class FoldResult:
    """What became of a batch's alerts."""

    alerts: int  # new ones
    repeated: int  # known before, or twice in the batch
    updated: int  # known before, told again with new figures while their episode lasts
    withdrawn: int
    groups_opened: int
    groups_grown: int
    unattributed: int  # addresses put on the list


def fold_alerts(
    act: Act,
    alerts: Sequence[Alert],
    attributor: Attributor,
    *,
    withdrawn: Collection[str] = (),
) -> FoldResult:
    """Store the alerts that are new and count them in their groups. Folding again adds nothing.

    A known alert with other figures is brought up to date; those in `withdrawn` are taken back.

    Alerts of one rule, key and entity share a group while no more than
    limits.GROUP_WINDOW_HOURS lie between them, unless it was dismissed or its case is closed.
    """
    if not alerts and not withdrawn:
        return FoldResult(0, 0, 0, 0, 0, 0, 0)
    # Two processes that fold at once would both open a group for the same key: the lock on
    # this number's row lets them pass one by one.
    next_number(act.session, "fold", 0)
    taken_back = _withdraw(act.session, withdrawn)
    fresh, known = _split(act.session, alerts)
    updated = sum(_update(act.session, alert, row) for alert, row in known)
    if not fresh:
        return FoldResult(0, len(alerts), updated, taken_back, 0, 0, 0)
    found = {alert.id: attributor.attribute(alert) for alert in fresh}
    hashes = {alert.id: _key_hash(alert, found[alert.id].entity_id) for alert in fresh}
    groups = _groups(act.session, fresh, hashes)
    opened: list[AlertGroup] = []
    grown: set[int] = set()
    placed: list[tuple[Alert, AlertGroup]] = []
    for alert in sorted(fresh, key=lambda one: (one.at, one.id)):
        key = (alert.rule_id, hashes[alert.id])
        group = _fitting(groups.get(key, ()), alert.at)
        if group is None:
            group = _new_group(act, alert, found[alert.id], hashes[alert.id])
            groups.setdefault(key, []).append(group)
            opened.append(group)
        elif group.id is not None:
            grown.add(group.id)
        _count(group, alert)
        placed.append((alert, group))
    act.session.add_all(opened)
    act.session.flush()  # the alerts name their groups by id
    act.session.execute(
        insert(AlertRow), [_row(alert, group.id, act.now) for alert, group in placed]
    )
    noted = note_unattributed(act, found.values())
    repeated = len(alerts) - len(fresh)
    return FoldResult(len(fresh), repeated, updated, taken_back, len(opened), len(grown), noted)


def _split(
    session: Session, alerts: Sequence[Alert]
) -> tuple[list[Alert], list[tuple[Alert, AlertRow]]]:
    """The alerts that are new, and those known before with their rows."""
    by_id = {alert.id: alert for alert in alerts}
    known = []
    for part in _parts(list(by_id)):
        for row in session.scalars(select(AlertRow).where(AlertRow.id.in_(part))):
            known.append((by_id.pop(row.id), row))
    return list(by_id.values()), known


def _update(session: Session, alert: Alert, row: AlertRow) -> bool:
    """Bring a known alert up to date: a correlation tells of its episode again as it grows."""
    more = alert.event_count - row.event_count
    if not more and alert.at == row.at:
        return False
    group = session.get_one(AlertGroup, row.group_id, with_for_update=True)
    for name, value in _row(alert, row.group_id, row.created_at).items():
        setattr(row, name, value)
    group.event_count += more
    if alert.at >= group.last_at:
        group.last_at = alert.at
        group.summary = _short(alert.summary)
    _observe(group, alert)
    return True


def _withdraw(session: Session, ids: Collection[str]) -> int:
    """Take back alerts that a late event moved into an earlier one; an empty new group goes too."""
    count = 0
    for part in _parts(sorted(ids)):
        for row in session.scalars(select(AlertRow).where(AlertRow.id.in_(part))):
            group = session.get_one(AlertGroup, row.group_id, with_for_update=True)
            group.alert_count -= 1
            group.event_count -= row.event_count
            session.delete(row)
            count += 1
            if group.alert_count == 0 and group.state == "new":
                session.flush()  # the row points at the group
                session.delete(group)
    return count


def _groups(
    session: Session, alerts: Sequence[Alert], hashes: dict[str, str]
) -> dict[tuple[str, str], list[AlertGroup]]:
    """Groups of the alerts' keys that may still grow, newest first."""
    rules = {alert.rule_id for alert in alerts}
    earliest = min(alert.at for alert in alerts) - WINDOW
    groups: dict[tuple[str, str], list[AlertGroup]] = {}
    for part in _parts(sorted(set(hashes.values()))):
        query = (
            select(AlertGroup)
            .outerjoin(Incident, Incident.id == AlertGroup.incident_id)
            .where(
                AlertGroup.rule_id.in_(rules),
                AlertGroup.key_hash.in_(part),
                AlertGroup.last_at >= earliest,
                AlertGroup.state != "dismissed",
                or_(AlertGroup.incident_id.is_(None), Incident.closed_at.is_(None)),
            )
            .order_by(AlertGroup.last_at.desc(), AlertGroup.id.desc())
            .with_for_update(of=AlertGroup)
        )
        for group in session.scalars(query):
            groups.setdefault((group.rule_id, group.key_hash), []).append(group)
    return groups


def _fitting(groups: Iterable[AlertGroup], at: datetime) -> AlertGroup | None:
    for group in groups:
        if group.first_at - WINDOW <= at <= group.last_at + WINDOW:
            return group
    return None


def _new_group(act: Act, alert: Alert, found: Attributed, key_hash: str) -> AlertGroup:
    rsit_class, rsit_type = _rsit(alert.tags)
    key = [[_clean(name), _clean(value)] for name, value in alert.key]
    text = ", ".join(f"{name}={value}" for name, value in key)
    return AlertGroup(
        rule_id=alert.rule_id,
        rule_title=_short(alert.rule_title),
        rule_kind=alert.rule_kind,
        level=alert.level,
        severity=from_level(alert.level, alert.tags),
        key_hash=key_hash,
        key=key,
        key_text=_short(text),
        entity_id=found.entity_id,
        attribution=found.how,
        source=alert.source,
        tags=list(alert.tags),
        rsit_class=rsit_class,
        rsit_type=rsit_type,
        observables=[],
        first_at=alert.at,
        last_at=alert.at,
        created_at=act.now,
        alert_count=0,
        event_count=0,
        state="new",
    )


def _count(group: AlertGroup, alert: Alert) -> None:
    if alert.at >= group.last_at:
        group.summary = _short(alert.summary)
    group.first_at = min(group.first_at, alert.at)
    group.last_at = max(group.last_at, alert.at)
    group.alert_count += 1
    group.event_count += alert.event_count
    group.severity = worse(group.severity, from_level(alert.level, alert.tags))
    if _rank(alert.level) > _rank(group.level):
        group.level = alert.level
    _observe(group, alert)


def _observe(group: AlertGroup, alert: Alert) -> None:
    room = limits.GROUP_OBSERVABLES_MAX - len(group.observables)
    known = {(kind, value) for kind, value in group.observables}
    more = [
        [kind, _short(value)]
        for kind, value in alert.observables
        if (kind, _short(value)) not in known
    ]
    if more and room > 0:
        group.observables = [*group.observables, *more[:room]]


def _row(alert: Alert, group_id: int, now: datetime) -> dict[str, Any]:
    return {
        "id": alert.id,
        "group_id": group_id,
        "at": alert.at,
        "created_at": now,
        "event_count": alert.event_count,
        "event_ids": list(alert.event_ids),
        "explanation": [
            [one.selection, one.field, _clean(one.value), _clean(one.wanted)]
            for one in alert.explanation
        ],
        "summary": _short(alert.summary),
    }


def _key_hash(alert: Alert, entity_id: int | None) -> str:
    pairs = [part for pair in alert.key for part in pair]
    return digest(str(entity_id or ""), *pairs)


def _rsit(tags: Iterable[str]) -> tuple[str, str]:
    """Class and type in a tag such as `rsit.intrusion-attempts.brute-force`."""
    for tag in tags:
        family, _, rest = tag.partition(".")
        if family == "rsit":
            rsit_class, _, rsit_type = rest.partition(".")
            return rsit_class, rsit_type
    return "", ""


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else 0


def _clean(text: str) -> str:
    # PostgreSQL stores no NUL, neither in text nor in JSON.
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _short(text: str) -> str:
    return _clean(text)[: limits.SHORT_TEXT_CHARS_MAX]


def _parts(values: list[str]) -> Iterable[list[str]]:
    for start in range(0, len(values), limits.QUERY_VALUES_MAX):
        yield values[start : start + limits.QUERY_VALUES_MAX]
