"""An event as a document of the Open Cybersecurity Schema Framework, version 1.3."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cgii.model.event import Event
from cgii.report.ocsf_classes import BASE, Class, activity_name, classes_of, part_of
from cgii.report.ocsf_facts import Facts, Object, device, kept

VERSION = "1.3.0"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_SYSTEM = 1  # the category whose classes name a device by themselves
_SEVERITIES = ("Unknown", "Informational", "Low", "Medium", "High", "Critical", "Fatal")
# As logs write them, syslog's own words among them. Numbers are left out: 1 is the worst for one
# product and the least for another.
_LEVELS: Mapping[str, int] = {
    **dict.fromkeys(("debug", "info", "information", "informational", "notice", "trace"), 1),
    **dict.fromkeys(("low",), 2),
    **dict.fromkeys(("warning", "warn", "medium"), 3),
    **dict.fromkeys(("error", "err", "high"), 4),
    **dict.fromkeys(("critical", "crit", "alert"), 5),
    **dict.fromkeys(("emergency", "emerg", "panic", "fatal"), 6),
}
_OUTCOMES = {"success": (1, "Success"), "failure": (2, "Failure")}
# What a value is an observable of: by its own name, or by the name of the object that it is in.
_BY_NAME = {
    "hostname": (1, "Hostname"),
    "ip": (2, "IP Address"),
    "mac": (3, "MAC Address"),
    "email_addr": (5, "Email Address"),
    "url_string": (6, "URL String"),
}
_BY_OWNER = {
    ("user", "name"): (4, "User Name"),
    ("file", "name"): (7, "File Name"),
    ("hashes", "value"): (8, "Hash"),
    ("process", "name"): (9, "Process Name"),
}


def ocsf_document(event: Event) -> Object:
    """The event under OCSF's names; what has no place there is in `unmapped`, nothing is lost."""
    for kind in classes_of(Facts(event)):
        facts = Facts(event)
        part = part_of(kind, facts)
        if part is not None:
            return _document(kind, *part, facts)
    facts = Facts(event)
    return _document(BASE, 99 if facts.words("event.action") else 0, {}, facts)


def _document(kind: Class, activity: int, part: Object, facts: Facts) -> Object:
    event, category = facts.event, kind.uid // 1_000
    name = activity_name(kind, activity, event.ecs.get("event.action", ""))
    severity = _severity(facts)
    status_id, status = _OUTCOMES.get("".join(facts.words("event.outcome")[:1]), (0, ""))
    own = dict(part)
    host = device(facts) if category != _SYSTEM else {}
    if host:
        own["device"] = host
    document = {
        "activity_id": activity,
        "activity_name": name,
        "category_uid": category,
        "category_name": kind.category,
        "class_uid": kind.uid,
        "class_name": kind.name,
        "type_uid": kind.uid * 100 + activity,
        "type_name": f"{kind.name}: {name}",
        "time": _milliseconds(event.at),
        "severity_id": severity,
        "severity": _SEVERITIES[severity],
        **(kept(status_id=status_id, status=status) if status else {}),
        **kept(message=facts.text("message")),
        "metadata": _metadata(facts, ["host"] if host else []),
        **own,
    }
    observables = list(_observables(own, "", ""))
    if observables:
        document["observables"] = observables
    document["raw_data"] = event.original
    document["unmapped"] = kept(
        sensor_id=event.sensor_id, notes=list(event.notes), ecs=facts.left, fields=event.fields
    )
    return document


def _metadata(facts: Facts, profiles: list[str]) -> Object:
    event = facts.event
    product = kept(
        name=facts.text("observer.product") or event.logsource.product or event.source,
        vendor_name=facts.text("observer.vendor") or "Unknown",
        version=facts.text("observer.version"),
    )
    entity = "" if event.entity_id is None else str(event.entity_id)
    return {
        "version": VERSION,
        "product": product,
        "uid": event.id,
        "log_name": event.source,
        "logged_time": _milliseconds(event.received_at),
        **kept(
            event_code=facts.text("event.code"),
            log_provider=facts.text("event.provider"),
            tenant_uid=entity,
            profiles=profiles,
        ),
    }


def _severity(facts: Facts) -> int:
    for name in ("log.level", "log.syslog.severity.name"):
        for word in facts.words(name):
            if word in _LEVELS:
                return _LEVELS[word]
    return 0 if "alert" in facts.words("event.kind") else 1


def _observables(value: Any, path: str, owner: str) -> Iterator[Object]:
    if isinstance(value, list):
        for place, one in enumerate(value):
            yield from _observables(one, f"{path}[{place}]", owner)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            here = f"{path}.{name}" if path else name
            # A parent is a process, too, and who acts is a user.
            known = _BY_NAME.get(name) or _BY_OWNER.get((owner, name))
            if known is not None and isinstance(inner, str):
                yield {"name": here, "type_id": known[0], "type": known[1], "value": inner}
            else:
                yield from _observables(inner, here, name)


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND
