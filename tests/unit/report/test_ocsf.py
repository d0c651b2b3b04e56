"""OCSF documents hold what the schema asks of their class, for every kind of record we read."""

import ipaddress
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.collect.definition import load_definitions
from cgii.collect.normalize import normalize
from cgii.model.event import Event, LogSource, Origin, Raw
from cgii.report.ocsf import ocsf_document
from tests.event_oracle import NOON, make_event

COLLECTORS = Path(__file__).parents[3] / "collectors"
# The schema's own words, version 1.3: class → name, required attributes, of which one at least.
CLASSES: dict[int, tuple[str, set[str], set[str]]] = {
    0: ("Base Event", set(), set()),
    1001: ("File System Activity", {"actor", "device", "file"}, set()),
    1007: ("Process Activity", {"actor", "device", "process"}, set()),
    2004: ("Detection Finding", {"finding_info"}, set()),
    3002: ("Authentication", {"user"}, {"service", "dst_endpoint"}),
    4001: ("Network Activity", set(), {"src_endpoint", "dst_endpoint"}),
    4002: ("HTTP Activity", {"http_request"}, set()),
    4003: ("DNS Activity", {"query"}, set()),
}
CATEGORIES = {
    0: "Uncategorized",
    1: "System Activity",
    2: "Findings",
    3: "Identity & Access Management",
    4: "Network Activity",
}
ACTIVITIES: dict[int, dict[int, str]] = {
    0: {},
    1001: {1: "Create", 2: "Read", 3: "Update", 4: "Delete", 5: "Rename", 6: "Set Attributes",
           7: "Set Security", 8: "Get Attributes", 9: "Get Security", 10: "Encrypt",
           11: "Decrypt", 12: "Mount", 13: "Unmount", 14: "Open"},
    1007: {1: "Launch", 2: "Terminate", 3: "Open", 4: "Inject", 5: "Set User ID"},
    2004: {1: "Create", 2: "Update", 3: "Close"},
    3002: {1: "Logon", 2: "Logoff", 3: "Authentication Ticket", 4: "Service Ticket Request",
           5: "Service Ticket Renew"},
    4001: {1: "Open", 2: "Close", 3: "Reset", 4: "Fail", 5: "Refuse", 6: "Traffic"},
    4002: {1: "Connect", 2: "Delete", 3: "Get", 4: "Head", 5: "Options", 6: "Post", 7: "Put",
           8: "Trace"},
    4003: {1: "Query", 2: "Response", 6: "Traffic"},
}  # fmt: skip
SEVERITIES = ["Unknown", "Informational", "Low", "Medium", "High", "Critical", "Fatal"]
# Object → what it must have, and of which it must have one.
OBJECTS: dict[str, tuple[set[str], set[str]]] = {
    "user": (set(), {"name", "uid", "account"}),
    "actor": (set(), {"process", "user", "session", "invoked_by"}),
    "device": ({"type_id"}, {"hostname", "ip", "uid", "name"}),
    "file": ({"name", "type_id"}, set()),
    "process": (set(), {"name", "pid", "uid"}),
    "src_endpoint": (set(), {"ip", "hostname", "name", "uid"}),
    "dst_endpoint": (set(), {"ip", "hostname", "name", "uid"}),
    "connection_info": ({"direction_id"}, set()),
    "finding_info": ({"uid", "title"}, set()),
    "analytic": ({"type_id"}, set()),
    "hashes": ({"algorithm_id", "value"}, set()),
    "query": ({"hostname"}, set()),
    "answers": ({"rdata"}, set()),
    "http_response": ({"code"}, set()),
}
OBSERVABLES = {1: "Hostname", 2: "IP Address", 3: "MAC Address", 4: "User Name",
               5: "Email Address", 6: "URL String", 7: "File Name", 8: "Hash",
               9: "Process Name"}  # fmt: skip
NUMBERS = {"port", "pid", "size", "code", "bytes", "bytes_in", "bytes_out", "packets", "length"}


def check(event: Event) -> dict[str, Any]:
    """The document, once it has been found to keep to the schema."""
    made: dict[str, Any] = orjson.loads(orjson.dumps(ocsf_document(event)))
    uid, activity = made["class_uid"], made["activity_id"]
    name, required, one_of = CLASSES[uid]
    assert made["class_name"] == name
    assert made["category_uid"] == uid // 1000
    assert made["category_name"] == CATEGORIES[uid // 1000]
    assert made["type_uid"] == uid * 100 + activity
    assert activity in {0, 99, *ACTIVITIES[uid]}
    assert made["activity_name"]
    assert activity == 99 or made["activity_name"] == {0: "Unknown", **ACTIVITIES[uid]}[activity]
    assert made["severity"] == SEVERITIES[made["severity_id"]]
    assert made["time"] == (event.at - NOON) // timedelta(milliseconds=1) + round(
        NOON.timestamp() * 1000
    )
    assert required <= made.keys()
    assert not one_of or one_of & made.keys()
    metadata = made["metadata"]
    assert metadata["version"] == "1.3.0"
    assert metadata["product"]["name"]
    assert metadata["product"]["vendor_name"]
    assert metadata["uid"] == event.id
    assert ("host" in metadata.get("profiles", [])) == ("device" in made and uid // 1000 != 1)
    if "status_id" in made:
        assert made["status"] == {1: "Success", 2: "Failure"}[made["status_id"]]
    told = {key: part for key, part in made.items() if key not in ("unmapped", "raw_data")}
    _check_parts(told, "")
    for seen in made.get("observables", ()):
        assert seen["type"] == OBSERVABLES[seen["type_id"]]
        assert seen["value"] == _at(made, seen["name"])
    assert made["raw_data"] == event.original
    return made


def _check_parts(value: Any, owner: str) -> None:
    if isinstance(value, list):
        for one in value:
            _check_parts(one, owner)
    elif isinstance(value, dict):
        required, one_of = OBJECTS.get(owner, (set(), set()))
        assert required <= value.keys(), owner
        assert not one_of or one_of & value.keys(), owner
        for name, inner in value.items():
            _check_parts(inner, name)
            if name == "ip":
                ipaddress.ip_address(inner)
            if name in NUMBERS:
                assert isinstance(inner, int)
                assert inner >= 0
            if name == "port":
                assert inner <= 65_535
            assert inner not in ("", None, {}, []) or name in ("original", "ecs", "fields")


def _at(made: Any, path: str) -> Any:
    for step in path.replace("[", ".[").split("."):
        made = made[int(step[1:-1])] if step.startswith("[") else made[step]
    return made


def _records() -> list[Event]:
    """The examples of all sources, as the centre reads them."""
    definitions = load_definitions(None)
    found: list[Event] = []
    for path in sorted(COLLECTORS.glob("*.examples.jsonl")):
        raws = []
        for seq, line in enumerate(path.read_bytes().splitlines()):
            if line.strip().startswith(b"{"):
                raw = json.loads(line)["raw"]
                raws.append(Raw(seq, raw.encode() if isinstance(raw, str) else raw))
        origin = Origin(path.name.partition(".")[0], "test", "1", 7, 1)
        found += normalize(origin, raws, definitions, received_at=NOON).events
    return found


def test_every_record_of_our_sources_keeps_to_the_schema() -> None:
    records = _records()
    made = Counter(check(event)["class_uid"] for event in records)
    assert len(records) > 300
    assert set(made) == CLASSES.keys(), made  # each class is met
    assert made[0] < len(records) / 2, made


VALUES = st.one_of(
    st.sampled_from(["", "a", "10.1.2.3", "::1", "22", "-1", "70000", "no address", "C:\\y.exe"]),
    st.integers(-5, 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    st.lists(st.sampled_from(["10.1.2.3", "b", "", "9"]), max_size=3),
)
NAMES = """source.ip source.port source.domain destination.ip destination.port host.name host.ip
    user.name user.email process.name process.pid process.executable process.parent.pid file.name
    file.path file.hash.md5 file.size dns.question.name dns.response_code dns.resolved_ip rule.name
    url.full url.path http.request.method http.response.status_code network.transport
    network.direction network.bytes message event.action event.code service.name""".split()
ODD = st.fixed_dictionaries(
    {
        "event.category": st.sampled_from(
            ["authentication", "process", "file", "web", "network", ["malware"], "other", 5]
        )
    },
    optional=dict.fromkeys(NAMES, VALUES)
    | {"event.kind": st.sampled_from(["alert", "event"]), "event.type": VALUES},
)


@given(ecs=ODD, category=st.sampled_from(["", "process_creation", "file_event", "webserver"]))
def test_odd_values_keep_to_the_schema(ecs: dict[str, Any], category: str) -> None:
    check(make_event(1, ecs=ecs, logsource=LogSource("linux", category, "")))


SSH = {
    "event.category": "authentication",
    "event.action": "ssh_login",
    "event.outcome": "failure",
    "user.name": "root",
    "source.ip": "203.0.113.9",
    "source.port": 2022,
    "host.name": "srv1.entidad.gob.bo",
    "process.name": "sshd",
}


def test_a_failed_login_says_who_from_where_to_where() -> None:
    made = check(make_event(1, ecs=SSH))
    assert (made["class_uid"], made["activity_name"], made["type_uid"]) == (3002, "Logon", 300201)
    assert (made["status_id"], made["severity_id"]) == (2, 1)
    assert made["user"]["name"] == "root"
    assert made["src_endpoint"] == {"ip": "203.0.113.9", "port": 2022}
    assert made["dst_endpoint"]["hostname"] == "srv1.entidad.gob.bo"
    assert made["service"] == {"name": "sshd"}
    seen = {(one["name"], one["value"]) for one in made["observables"]}
    assert ("src_endpoint.ip", "203.0.113.9") in seen
    assert ("user.name", "root") in seen


@pytest.mark.parametrize(
    ("ecs", "expected"),
    [
        ({**SSH, "event.type": "end"}, (3002, 2)),
        ({**SSH, "event.action": "vpn_disconnected"}, (3002, 2)),
        ({**SSH, "event.code": "4769"}, (3002, 4)),
        ({**SSH, "user.name": ""}, (0, 99)),  # whose login it was is required
        ({**SSH, "event.kind": "alert"}, (2004, 1)),
        ({"event.category": "network", "source.ip": "10.0.0.1", "event.type": "denied"}, (4001, 5)),
        ({"event.category": "network", "source.ip": "10.0.0.1"}, (4001, 6)),
        ({"event.category": "network", "source.ip": "nobody"}, (0, 0)),
        ({"event.category": "web", "http.request.method": "post"}, (4002, 6)),
        ({"event.category": "web", "http.request.method": "PATCH"}, (4002, 99)),
        ({"event.category": "network", "dns.question.name": "a.bo"}, (4003, 1)),
        ({"dns.question.name": "a.bo", "dns.response_code": "NXDOMAIN"}, (4003, 6)),
        ({"event.category": "iam", "event.action": "user_added"}, (0, 99)),
    ],
)
def test_an_event_is_of_its_class(ecs: dict[str, Any], expected: tuple[int, int]) -> None:
    made = check(make_event(1, ecs=ecs))
    assert (made["class_uid"], made["activity_id"]) == expected


def test_nothing_is_lost_and_nothing_is_told_twice() -> None:
    ecs = {**SSH, "cloud.provider": "aws", "user.name": ["root", "admin"]}
    made = check(make_event(1, ecs=ecs, fields={"x": 1}, notes=("year",)))
    left = made["unmapped"]
    assert left["fields"] == {"x": 1}
    assert left["notes"] == ["year"]
    assert left["sensor_id"] == 7
    assert left["ecs"]["cloud.provider"] == "aws"
    assert left["ecs"]["user.name"] == ["root", "admin"]  # only one of them has a place
    assert "source.ip" not in left["ecs"]


@pytest.mark.parametrize(
    ("level", "severity"),
    [("debug", 1), ("Warning", 3), ("error", 4), ("CRIT", 5), ("emerg", 6), ("3", 1)],
)
def test_the_severity_is_read_from_words(level: str, severity: int) -> None:
    ecs = {"log.level": level, "event.severity": 1}
    assert check(make_event(1, ecs=ecs))["severity_id"] == severity
