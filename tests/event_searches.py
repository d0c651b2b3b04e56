"""Events and searches made up at random, rich in what a store may get wrong."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from cgii.model.event import Event
from tests.event_oracle import NOON, make_event

TEXTS = st.sampled_from(
    [
        "root", "Root", "ROOT admin", "admin", "Sesión", "sesion", "10.1.2.3", "10.1.20.3",
        "192.168.0.9", "2001:DB8::1", "2001:db8:0:0::1", "C:\\Windows\\cmd.exe", "cmd.exe", "",
        "a=b", "a b", "b a", "x\x01y", "x\0y", "e=root", '"quoted"', "100%", "a_b", "ñandú", "日本",
        "1.2.3.4.5", "v10.1.2.3x", "-5", "5", "5.0", "05", "1024", "true", "*", "?", "[x]", "'",
        "--", "½", "x" * 600, "{", "failed password for root", "x" * 2_100,
        "x" * 2_100 + "y", "ROOT\u212a",
        "9007199254740993", "fe80::1%eth0", "::ffff:10.1.2.3", "010.1.2.3", "a\\b", "-0", "1e3",
    ]
)  # fmt: skip
VALUES = st.one_of(
    TEXTS,
    st.integers(-10, 2000),
    st.sampled_from([2**53 + 1, -(2**60), 2**63, 0.5, -0.0, 1e300]),
    st.booleans(),
    st.none(),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(st.sampled_from(["ip", "name", "x", "x.y"]), TEXTS, max_size=2),
    st.lists(st.dictionaries(st.sampled_from(["x", "y"]), TEXTS, max_size=2), max_size=2),
)
NAMES = [
    "user.name", "source.ip", "host.name", "event.code", "event.outcome", "process.name", "host.ip",
    "message", "source", "entity_id", "CommandLine", "alert.x", "alert", "event.original",
    "source.port", "user", "host",
]  # fmt: skip
TREES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)
LINES = st.one_of(
    TEXTS,
    st.builds("<38>sshd: Failed password for {} from {} port {}".format, TEXTS, TEXTS, TEXTS),
    st.builds('{{"user":"{}"}}'.format, TEXTS),
)


@st.composite
def events(draw: Any) -> list[Event]:
    """A few events, some in the same second, received in two months."""
    return [
        make_event(
            seq,
            at=NOON + timedelta(seconds=draw(st.integers(0, 3))),
            received_at=NOON + timedelta(days=draw(st.sampled_from([0, 20]))),
            fields=draw(TREES),
            ecs=draw(TREES),
            original=draw(LINES),
            source=draw(st.sampled_from(["linux_auth", "Zeek"])),
            entity_id=draw(st.sampled_from([None, 1, 2, 12])),
        )
        for seq in range(draw(st.integers(1, 6)))
    ]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


PATTERNS = st.sampled_from(
    ["root", "ro*", "*oot", "r?ot", "*", "10.1.*", "10.1.2*", "*\\\\cmd.exe", "*.exe", "*.1.2.3*",
     "v10.1.2*", "*2.3", "xxx*", "*xy", "a??????????*", "*a????????", "*:*", "C\\:\\Win*",
     "10.1.0.0/16", "fe80\\:\\:/10", "*\\**", "a?b", "SES*", "*a*", "failed", "C\\:*",
     "10.0.0.0/8", "x*", "-5", "5"]
)  # fmt: skip
BARE = st.one_of(PATTERNS, TEXTS.map(_quoted))
RANGES = st.sampled_from(
    [
        ">=5",
        "<1024",
        "[1 TO 100]",
        "{5 TO 1024}",
        "[a TO z]",
        ">root",
        "<=m",
        "[* TO 5]",
        ">9007199254740992",
        "[-5 TO 0.5]",
        "<-1",
        ">=-0.5",
        "[10.1.2.3 TO 10.1.20.3]",
        "{10.1.2.3 TO 192.168.0.9]",
        ">9.0.0.0",
        "<=192.168.0.9",
        '["2001:db8::" TO "fe80::1"]',
        '<"2001:db8::1"',
    ]
)
REGEXES = st.sampled_from(
    [
        "/ro+t/",
        "/.*admin.*/",
        "/[0-9.]+/",
        "/c:.*exe/",
        "/^(root|ana)$/",
        "/[^a-z]+/",
        "/s.si[oó]n/",
        "/\\d{1,4}/",
        "/\\w+ \\w+/",
        "/(?i)x.*/",
        "/x{3,}y?/",
        "/[a-f\\d]*?/",
        "/.*(a|e).{30}/",
        "/\\W*/",
    ]
)
NAMED = st.builds(
    "{}:{}".format,
    st.sampled_from([*NAMES, "usuario", "ip", "logsource.product"]),
    st.one_of(BARE, RANGES, REGEXES),
)
TIMED = st.sampled_from(
    ["alert.x.y:*", "alert:*a*", "message:sesi*", 'message:"for root"', "event.original:*root*",
     "C\\:\\Win*",
     "@timestamp:>=2026-11-22T12:00:01Z", "@timestamp:[2026-11-22 TO 2026-11-22T12:00:02]",
     "event.ingested:2026-12-12", "_exists_:user.name", "_exists_:CommandLine", "*:*"]
)  # fmt: skip
LEAVES = st.one_of(BARE, NAMED, NAMED, TIMED)


def _joined(inner: Any) -> Any:
    return st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("(NOT {})".format, inner),
        st.builds("({} {})".format, inner, inner),
    )


SEARCHES = st.recursive(LEAVES, _joined, max_leaves=5)
GUARDS = st.one_of(st.none(), st.frozensets(st.sampled_from([1, 2, 12, 99]), max_size=3))
