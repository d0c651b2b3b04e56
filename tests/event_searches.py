"""Events and searches made up at random, rich in what a store may get wrong."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from cgii.model.event import Event
from cgii.store.events_month import HOT
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
        # What begins like the key of a hot field, is like a mark, or stands for another sign.
        "e", "E=", "a=linux_auth", "b=1", "l=x", "=", "ee e=x", "=words", "x\xa0y", "x y",
        "x\ue001y",
        "x\x1fy", "x\x7fy", "x\u2028y",
        # What folds to more, to less or to something else.
        "Stra\xdfe", "STRASSE", "\u0130stanbul", "\u0131stanbul", "istanbul", "cafe\u0301",
        "CAF\xc9",
        "\u0301", "\ufb01n", "fin", "\u03a3\u03a3", "\u03c3\u03c2", "\u0663", "\uff15", "\u2160",
        "\u017fs", "\u0436x", "\U0001f600x", "e\u65e5", "a\u200db",
        # Edges of numbers, addresses and lengths.
        "0", "00", "+5", "5.", ".5", "-5.50", "1_000", "0.0.0.0", "255.255.255.255", "::", "::1",
        "10.1.2.3:80",
        "10.1.2.", "999.1.2.3", "10.1.2.3 10.1.2.4", "1" * 41, "x" * 512, "x" * 513, "x" * 900,
        "x" * 901,
        "x" * 600 + " y", "NOT", "and", "a-b", "a:b", "(a)", "/a/", "a~", "~user.name",
    ]
)  # fmt: skip
VALUES = st.one_of(
    TEXTS,
    st.integers(-10, 2000),
    st.sampled_from([2**53 + 1, -(2**60), 2**63, 0.5, -0.0, 1e300, 5.0, 1e-7, 2.0**53]),
    st.sampled_from([[], {}, [[]], {"name": []}, {"name": None}, {"name": {"x": "e"}}]),
    st.lists(st.one_of(TEXTS, st.integers(-5, 5), st.lists(TEXTS, max_size=2)), max_size=3),
    st.booleans(),
    st.none(),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(st.sampled_from(["ip", "name", "x", "x.y"]), TEXTS, max_size=2),
    st.lists(st.dictionaries(st.sampled_from(["x", "y"]), TEXTS, max_size=2), max_size=2),
)
NAMES = [
    "user.name", "source.ip", "host.name", "event.code", "event.outcome", "process.name", "host.ip",
    "message", "source", "entity_id", "CommandLine", "alert.x", "alert", "event.original",
    "source.port", "user", "host", "destination.ip", "event.action", "rule.name", "user.name.x",
    "sensor_id", "logsource.product", "@timestamp", "event", "a b", "\xd1", "=words", "*", "x\\y",
]  # fmt: skip
TREES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4)
# JSON keeps these as something else.
UNKEPT = st.sampled_from([2**64, float("nan"), "a\ud800b", ["e", float("inf")], (1, "e")])
WILD_TREES = st.dictionaries(st.sampled_from(NAMES), st.one_of(VALUES, VALUES, UNKEPT), max_size=4)
LATER = st.one_of(
    st.builds(timedelta, seconds=st.integers(0, 3)),
    st.builds(timedelta, seconds=st.integers(0, 2), microseconds=st.sampled_from([1, 999, 1_000])),
    st.sampled_from([timedelta(microseconds=-1), timedelta(days=-25_000, microseconds=-1)]),
)
LINES = st.one_of(
    TEXTS,
    st.builds("<38>sshd: Failed password for {} from {} port {}".format, TEXTS, TEXTS, TEXTS),
    st.builds('{{"user":"{}"}}'.format, TEXTS),
)


@st.composite
def events(draw: Any) -> list[Event]:
    """A few events, some in the same second, received in two months."""
    return _drawn(draw, TREES)


@st.composite
def wild_events(draw: Any) -> list[Event]:
    """The same, also with values that come back as something else."""
    return _drawn(draw, WILD_TREES)


def _drawn(draw: Any, trees: st.SearchStrategy[dict[str, Any]]) -> list[Event]:
    return [
        make_event(
            seq,
            at=NOON + draw(LATER),
            received_at=NOON + timedelta(days=draw(st.sampled_from([0, 20]))),
            fields=draw(trees),
            ecs=draw(trees),
            original=draw(LINES),
            source=draw(st.sampled_from(["linux_auth", "Zeek"])),
            entity_id=draw(st.sampled_from([None, 1, 2, 12])),
            sensor_id=draw(st.sampled_from([None, 7, 70])),
        )
        for seq in range(draw(st.integers(1, 6)))
    ]


def _cut(text: str, begin: int, end: int, shape: str) -> str:
    """A part of a text as a pattern, each sign of it escaped."""
    part = text[begin : len(text) - end]
    return shape.format("".join(char if char.isalnum() else f"\\{char}" for char in part))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


PATTERNS = st.sampled_from(
    ["root", "ro*", "*oot", "r?ot", "*", "10.1.*", "10.1.2*", "*\\\\cmd.exe", "*.exe", "*.1.2.3*",
     "v10.1.2*", "*2.3", "xxx*", "*xy", "a??????????*", "*a????????", "*:*", "C\\:\\Win*",
     "10.1.0.0/16", "fe80\\:\\:/10", "*\\**", "a?b", "SES*", "*a*", "failed", "C\\:*",
     "10.0.0.0/8", "x*", "-5", "5"]
)  # fmt: skip
ONES = st.sampled_from(
    ["e*", "a*", "*e", "?", "e?", "?e", "*1", "\xe9*", "E*", "\u0436*", "e\u0301*", "5*", "l\\=*",
     "*\\=*",
     "\\-5", "x\\ y*", "ss*", "\xdf*", "\u0130*", "i*", "\ufb01*", "f*", "k*", "\u212a*"]
)  # fmt: skip
CUTS = st.builds(
    _cut,
    TEXTS,
    st.integers(0, 3),
    st.sampled_from([0, 0, 1, 2, 5, 500]),
    st.sampled_from(["{}*", "*{}", "*{}*", "{}?", "?{}", "{}", "{}", "*{}?", "{}**"]),
)
BARE = st.one_of(PATTERNS, TEXTS.map(_quoted), ONES, CUTS)
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
        ">255.255.255.254",
        "<=0.0.0.0",
        '>="::"',
        '["::" TO "::1"]',
        "{10.1.2.2 TO 10.1.2.4}",
        ">=0",
        ">-0",
        "[-5.5 TO 5]",
        "{5 TO 5.0]",
        ">=9007199254740993",
        "<18446744073709551616",
        ">1",
        '>="e="',
        '[e TO "e\u0436"]',
        '<"\xdf"',
        '[* TO ""]',
        '["" TO *]',
        "[* TO *]",
    ]
)


def _name(name: str) -> str:
    return "".join(char if char.isalnum() or char in "_.@" else f"\\{char}" for char in name)


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
        "/[^[]+/",
        "/[^]\\W]*/",
        "/.[\\\\-p].*/",
        "/()*[^x]|(|a) ?b/",
    ]
)
NAMED = st.builds(
    "{}:{}".format,
    st.sampled_from([*NAMES, *HOT, "usuario", "ip"]).map(_name),
    st.one_of(BARE, RANGES, REGEXES),
)
TIMED = st.sampled_from(
    ["alert.x.y:*", "alert:*a*", "message:sesi*", 'message:"for root"', "event.original:*root*",
     "C\\:\\Win*",
     "@timestamp:>=2026-11-22T12:00:01Z", "@timestamp:[2026-11-22 TO 2026-11-22T12:00:02]",
     "event.ingested:2026-12-12", "@timestamp:2026-11-22T12:00:00.000Z",
     "@timestamp:>2026-11-22T12:00:00.000Z", "@timestamp:[* TO 2026-11-22T12:00:01.000Z}",
     "@timestamp:<2026-11-22T12:00", '@timestamp:"2026-11-22T08:00:01-04:00"',
     "@timestamp:<1970-01-01",
     "@timestamp:>=1958-06-13T11:59:59.999Z", "NOT @timestamp:2026-11-22T12:00:02", "message:e*",
     "event.original:e*", "message:(e* OR NOT root)", "usuario:(NOT e* OR root)", "+root -admin",
     "-e*",
     "NOT NOT e*", "NOT (NOT root AND NOT e*)", "_exists_:sensor_id", "_exists_:source.ip",
     "_exists_:*",
     "_exists_:a\\ b", "NOT _exists_:user", "_exists_:ip", "_exists_:event.original", "\xd1:*",
     "x\\\\y:*",
     "a\\ b:root", "=words:x*", "_exists_:user.name", "_exists_:CommandLine", "*:*"]
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
