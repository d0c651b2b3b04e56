"""Rules and events out of a small alphabet, so that chance makes them meet; for property tests."""

import json
from typing import Any

from hypothesis import strategies as st

FIELDS = ("a", "b", "c.d", "e f")
PLACEHOLDERS = {"name": ["ana", "b?"], "two": ["x", "-a b"]}
TEXTS = st.text(st.sampled_from("aAbB1 -/.\\*?%xİßΣς☃\n"), max_size=6)
NUMBERS = st.sampled_from([0, 1, -1, 10, 1.5, 4625, 1e3])
SCALARS = st.one_of(
    TEXTS, NUMBERS, st.booleans(), st.sampled_from(["1", "1.0", "true", "ana", "-a"])
)
PLAIN = st.text(st.sampled_from("aAbB1 -/."), min_size=3, max_size=6)
ADDRESSES = st.sampled_from(
    ["10.0.0.1", "10.1.2.3", "192.0.2.7", "2001:db8::1", "::ffff:10.0.0.9", "10.0.0.1:80", "a"]
)
TIMES = st.sampled_from(
    ["2026-11-20T23:05:00-04:00", "2026-01-01T00:00:00Z", "2024-12-30 08:59:59", "yesterday"]
)
VALUES = st.one_of(st.none(), SCALARS, ADDRESSES, TIMES, st.just({}), st.just({"g": "a"}))
EVENTS = st.dictionaries(
    st.sampled_from(("a", "b", "c.d", "e f", "ef", "z")),
    st.one_of(VALUES, st.lists(VALUES, max_size=3)),
    max_size=5,
) | st.fixed_dictionaries({"c": st.dictionaries(st.just("d"), VALUES, max_size=1)})

REGEXES = st.sampled_from(
    ["a", "^a", "a$", "[ab]+", "(?i)b", "a.b", "^$", "-[aA] ?b", "1{2}", "x|A", "a\\*", "%name%"]
)
NETWORKS = st.sampled_from(["10.0.0.0/8", "10.0.0.0/30", "2001:db8::/32", "192.0.2.7"])


def one_or_list(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value, or a list of one to three."""
    return st.one_of(values, st.lists(values, min_size=1, max_size=3))


def keyed(modifiers: st.SearchStrategy[str], values: st.SearchStrategy[Any]) -> Any:
    """Modifiers with values that they accept."""
    return st.tuples(modifiers, one_or_list(values))


MARKS = st.sampled_from(["", "|all", "|neq", "|cased", "|all|neq"])
STRINGS = st.sampled_from(["", "|contains", "|startswith", "|endswith"])
LINES = st.one_of(
    keyed(st.tuples(STRINGS, MARKS).map("".join), SCALARS),
    keyed(st.just("|windash|contains"), TEXTS.filter(lambda t: t.count("-") + t.count("/") < 4)),
    keyed(st.tuples(st.just("|expand"), STRINGS).map("".join),
          st.sampled_from(["%name%", "a%name%", "%two%*", "%name%%two%"])),
    keyed(st.sampled_from(["|re", "|re|i", "|re|i|s", "|re|m", "|re|contains", "|re|neq"]),
          REGEXES.filter(lambda text: "%" not in text)),
    keyed(st.just("|re|expand"), REGEXES),
    keyed(st.sampled_from(["|cidr", "|cidr|neq"]), NETWORKS),
    keyed(st.sampled_from(["|lt", "|lte", "|gt", "|gte", "|gte|neq"]), NUMBERS),
    keyed(st.sampled_from(["|hour|gte", "|minute", "|week", "|month|lt", "|year", "|day|neq"]),
          st.integers(1, 60)),
    keyed(st.sampled_from(["|base64|contains", "|base64offset|contains",
                           "|wide|base64offset|contains", "|utf16|base64", "|utf16be|base64"]),
          PLAIN),
    st.tuples(st.sampled_from(["|fieldref", "|fieldref|contains", "|fieldref|startswith",
                               "|endswith|fieldref", "|fieldref|cased", "|fieldref|neq"]),
              st.sampled_from(FIELDS)),
    st.tuples(st.sampled_from(["", "|neq"]), st.sampled_from([None, []])),
    st.tuples(st.just("|exists"), st.booleans()),
)  # fmt: skip
MAPS = st.lists(st.tuples(st.sampled_from(FIELDS), LINES), min_size=1, max_size=3).map(
    lambda pairs: {field + modifiers: value for field, (modifiers, value) in pairs}
)
WORDS = st.one_of(TEXTS.filter(lambda text: text.strip("*")), NUMBERS)
SELECTIONS = st.one_of(
    MAPS,
    st.lists(MAPS, min_size=1, max_size=2),
    st.lists(WORDS, min_size=1, max_size=3),
    WORDS,
    keyed(st.sampled_from(["|all", "|cased", "|re"]), st.sampled_from(["a", "A1", "b", "x.A"]))
    .map(lambda pair: {pair[0]: pair[1]}),
    st.lists(st.one_of(MAPS, WORDS), min_size=1, max_size=2),
)  # fmt: skip
NAMES = ("sel_a", "sel_b", "filter-1", "_own")
CONDITIONS = st.recursive(
    st.sampled_from([*NAMES, "1 of sel_*", "all of sel*", "any of them", "all of them", "1 of *"]),
    lambda inner: st.one_of(
        inner.map("not {}".format),
        inner.map("({})".format),
        st.tuples(inner, st.sampled_from(["and", "or", "AND", "and not"]), inner).map(" ".join),
    ),
    max_leaves=5,
)
DETECTIONS = st.fixed_dictionaries(
    {**dict.fromkeys(NAMES, SELECTIONS), "condition": one_or_list(CONDITIONS)}
)


def as_rule(detection: dict[str, Any], *, more: dict[str, Any] | None = None) -> str:
    """The rule's text: JSON is YAML."""
    whole = {"title": "Generada", "id": "generada", "detection": detection, **(more or {})}
    return json.dumps(whole, ensure_ascii=False)
