"""Which OCSF class an event is of, and the parts of the document that are this class's own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cgii.report.ocsf_facts import (
    PORT_MAX,
    Facts,
    Object,
    connection,
    device,
    endpoint,
    file,
    kept,
    parent,
    process,
    traffic,
    user,
)
from cgii.store.words import leaves, shown


@dataclass(frozen=True, slots=True)
class Class:
    """A class of the schema; the numbers of `activities` have their captions."""

    uid: int
    name: str
    category: str
    activities: Mapping[int, str]


BASE = Class(0, "Base Event", "Uncategorized", {})
FILE = Class(
    1001,
    "File System Activity",
    "System Activity",
    {1: "Create", 2: "Read", 3: "Update", 4: "Delete", 5: "Rename", 14: "Open"},
)
PROCESS = Class(
    1007,
    "Process Activity",
    "System Activity",
    {1: "Launch", 2: "Terminate", 3: "Open", 4: "Inject"},
)
FINDING = Class(2004, "Detection Finding", "Findings", {1: "Create"})
AUTHENTICATION = Class(
    3002,
    "Authentication",
    "Identity & Access Management",
    {
        1: "Logon",
        2: "Logoff",
        3: "Authentication Ticket",
        4: "Service Ticket Request",
        5: "Service Ticket Renew",
    },
)
NETWORK = Class(
    4001,
    "Network Activity",
    "Network Activity",
    {1: "Open", 2: "Close", 3: "Reset", 4: "Fail", 5: "Refuse", 6: "Traffic"},
)
HTTP = Class(
    4002,
    "HTTP Activity",
    "Network Activity",
    {
        1: "Connect",
        2: "Delete",
        3: "Get",
        4: "Head",
        5: "Options",
        6: "Post",
        7: "Put",
        8: "Trace",
    },
)
DNS = Class(4003, "DNS Activity", "Network Activity", {1: "Query", 2: "Response", 6: "Traffic"})

Part = tuple[int, Object]  # the activity's number, and attributes of the class

_FINDINGS = {"intrusion_detection", "malware", "threat"}
_CATEGORIES = (
    ("authentication", AUTHENTICATION),
    ("session", AUTHENTICATION),
    ("process", PROCESS),
    ("file", FILE),
    ("web", HTTP),
    ("network", NETWORK),
)
_LOGSOURCES: Mapping[str, Class] = {
    "process_creation": PROCESS,
    "process_termination": PROCESS,
    "process_access": PROCESS,
    "create_remote_thread": PROCESS,
    "file_event": FILE,
    "file_access": FILE,
    "file_change": FILE,
    "file_delete": FILE,
    "file_rename": FILE,
    "network_connection": NETWORK,
    "firewall": NETWORK,
    "webserver": HTTP,
    "proxy": HTTP,
}
# What an event's type, its log source or a word of its action says was done.
_LOGOFF = ("end", "logoff", "logout", "session_closed", "log out", "disconnect")
_DONE: Mapping[int, Mapping[int, tuple[str, ...]]] = {
    PROCESS.uid: {
        1: ("start", "creation", "process_creation", "process_created", "processcreated", "execve"),
        2: ("end", "process_termination", "process_terminated"),
        3: ("process_access",),
        4: ("create_remote_thread",),
    },
    FILE.uid: {
        1: ("creation", "file_event", "filecreated", "create"),
        2: ("file_access", "read", "tftp_read"),
        3: ("change", "file_change", "filemodified", "modified", "write"),
        4: ("deletion", "file_delete", "filedeleted", "delete", "removed"),
        5: ("file_rename", "filerenamed", "rename"),
        14: ("access", "open"),
    },
    NETWORK.uid: {
        5: ("denied", "deny", "drop", "dropped", "block", "blocked", "reject", "rejected"),
        3: ("reset-both", "reset-server", "reset-client"),
        1: ("start", "connection_built", "built", "connection", "connect", "open"),
        2: ("end", "connection_teardown", "teardown", "close"),
    },
}
_TICKETS = {"4768": 3, "4769": 4, "4770": 5}
_CODES: Mapping[str, tuple[str, int]] = {
    "NOERROR": ("NoError", 0),
    "FORMERR": ("FormError", 1),
    "SERVFAIL": ("ServError", 2),
    "NXDOMAIN": ("NXDomain", 3),
    "NOTIMP": ("NotImp", 4),
    "REFUSED": ("Refused", 5),
    "YXDOMAIN": ("YXDomain", 6),
    "YXRRSET": ("YXRRSet", 7),
    "NXRRSET": ("NXRRSet", 8),
    "NOTAUTH": ("NotAuth", 9),
    "NOTZONE": ("NotZone", 10),
}
_OTHER = 99
_ANSWERS_MAX = 100


def classes_of(facts: Facts) -> list[Class]:
    """The classes that fit, the best one first; one may still lack what it requires."""
    categories = facts.words("event.category")
    found = []
    if "alert" in facts.words("event.kind") or _FINDINGS.intersection(categories):
        found.append(FINDING)
    if facts.event.ecs.get("dns.question.name"):
        found.append(DNS)
    found += [kind for category, kind in _CATEGORIES if category in categories]
    by_source = _LOGSOURCES.get(facts.event.logsource.category)
    return [*found, by_source] if by_source is not None else found


def part_of(kind: Class, facts: Facts) -> Part | None:
    """The class's own part; None when the event lacks what the class requires."""
    return _PARTS[kind.uid](facts)


def _done(kind: Class, facts: Facts, otherwise: int) -> int:
    """The activity, by what the event says was done."""
    said = {
        *facts.words("event.type"),
        *facts.words("event.action"),
        facts.event.logsource.category,
    }
    for number, signs in _DONE[kind.uid].items():
        if said.intersection(signs):
            return number
    return otherwise


def _unnamed(facts: Facts) -> int:
    """An activity that the schema does not number: Other when it has a name, else Unknown."""
    return _OTHER if facts.words("event.action") else 0


def _authentication(facts: Facts) -> Part | None:
    who = user(facts, "user.name", "user.target.name", "source.user.name", "user.email", "user.id")
    host = device(facts)
    host.pop("type_id", None)
    to = endpoint(facts, "destination") or host
    service = facts.text("service.name", "process.name")
    if not who or not (to or service):
        return None
    said = {*facts.words("event.type"), *facts.words("event.action")}
    activity = _TICKETS.get(facts.text("event.code"), 1)
    if any(sign in one for one in said for sign in _LOGOFF if sign != "end") or "end" in said:
        activity = 2
    return activity, {"user": who} | kept(
        dst_endpoint=to,
        src_endpoint=endpoint(facts, "source"),
        service={"name": service} if service else {},
    )


def _process(facts: Facts) -> Part | None:
    what, where = process(facts), device(facts)
    actor = kept(process=parent(facts), user=user(facts, "user.name", "user.effective.name"))
    if not what or not where or not actor:
        return None
    parts = {"process": what, "device": where, "actor": actor}
    return _done(PROCESS, facts, _unnamed(facts)), parts


def _file(facts: Facts) -> Part | None:
    what, where = file(facts), device(facts)
    actor = kept(process=process(facts), user=user(facts, "user.name"))
    if not what or not where or not actor:
        return None
    return _done(FILE, facts, _unnamed(facts)), {"file": what, "device": where, "actor": actor}


def _ends(facts: Facts) -> Object:
    return kept(
        src_endpoint=endpoint(facts, "source"),
        dst_endpoint=endpoint(facts, "destination"),
        connection_info=connection(facts),
        traffic=traffic(facts),
    )


def _network(facts: Facts) -> Part | None:
    parts = _ends(facts)
    if "src_endpoint" not in parts and "dst_endpoint" not in parts:
        return None
    return _done(NETWORK, facts, 6), parts


def _http(facts: Facts) -> Part | None:
    method = facts.text("http.request.method").upper()
    url = kept(
        url_string=facts.text("url.full", "url.original"),
        hostname=facts.text("url.domain"),
        path=facts.text("url.path"),
        query_string=facts.text("url.query"),
        scheme=facts.text("url.scheme"),
        port=facts.number("url.port", PORT_MAX),
    )
    request = kept(
        http_method=method,
        url=url,
        user_agent=facts.text("user_agent.original"),
        referrer=facts.text("http.request.referrer"),
        version=facts.text("http.version"),
    )
    if not request:
        return None
    code = facts.number("http.response.status_code")
    response = {"code": code} if code is not None else {}
    if response:
        response |= kept(length=facts.number("http.response.body.bytes"))
    known = {caption.upper(): number for number, caption in HTTP.activities.items()}
    activity = known.get(method, _OTHER if method else 0)
    return activity, kept(http_request=request, http_response=response, **_ends(facts))


def _dns(facts: Facts) -> Part | None:
    name = facts.text("dns.question.name")
    if not name:
        return None
    query = {"hostname": name} | kept(
        type=facts.text("dns.question.type"), **{"class": facts.text("dns.question.class")}
    )
    answers = _answers(facts)
    code = facts.text("dns.response_code").upper()
    rcode, rcode_id = _CODES.get(code, (code, _OTHER))
    kind = facts.text("dns.type").lower()
    activity = {"query": 1, "answer": 2}.get(kind, 6 if code or answers else 1)
    parts = kept(answers=answers, **_ends(facts)) | {"query": query}
    if code:
        parts |= {"rcode": rcode, "rcode_id": rcode_id}
    return activity, parts


def _answers(facts: Facts) -> list[Object]:
    found: dict[str, None] = {}
    for name in ("dns.answers.data", "dns.resolved_ip"):
        for value in leaves(facts.event.ecs.get(name)):
            found[shown(value)] = None
    return [{"rdata": one} for one in list(found)[:_ANSWERS_MAX] if one]


def _finding(facts: Facts) -> Part | None:
    rule, code = facts.text("rule.name"), facts.text("rule.id")
    title = rule or facts.text("message") or facts.event.source
    analytic = {"type_id": 1, **kept(name=rule, uid=code)} if rule or code else {}
    attacks = [
        {"technique": {"uid": shown(one)}}
        for one in leaves(facts.event.ecs.get("threat.technique.id"))
    ]
    info = {"uid": facts.event.id, "title": title} | kept(analytic=analytic, attacks=attacks)
    evidence = kept(
        src_endpoint=endpoint(facts, "source"),
        dst_endpoint=endpoint(facts, "destination"),
        process=process(facts),
        file=file(facts),
        actor=kept(user=user(facts, "user.name")),
    )
    return 1, {"finding_info": info} | kept(evidences=[evidence] if evidence else [])


_PARTS: Mapping[int, Callable[[Facts], Part | None]] = {
    FILE.uid: _file,
    PROCESS.uid: _process,
    FINDING.uid: _finding,
    AUTHENTICATION.uid: _authentication,
    NETWORK.uid: _network,
    HTTP.uid: _http,
    DNS.uid: _dns,
}


def activity_name(kind: Class, number: int, action: Any) -> str:
    """The caption of an activity; for one without a number, the event's own word."""
    if number == _OTHER:
        return str(action) or "Other"
    return kind.activities.get(number, "Unknown")
