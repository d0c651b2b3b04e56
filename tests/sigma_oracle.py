"""A second Sigma evaluator, slow and plain: from a rule's YAML and an event's fields to a verdict.

It shares no code with the engine (not even its YAML reader or its regular expressions), so that
a mistake would have to be made twice. No logsources, no mapping of fields: what stands in `fields`.
"""

import base64
import ipaddress
import itertools
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import yaml


class Plain(yaml.SafeLoader):
    """YAML 1.2 scalars: no yes/no, no octal, no dates."""


Plain.yaml_implicit_resolvers = {}
for tag, shape in {
    "bool": "true|True|TRUE|false|False|FALSE",
    "null": "|~|null|Null|NULL",
    "int": "[-+]?(0|[1-9][0-9]*)",
    "float": "[-+]?[0-9]+[.][0-9]+",
}.items():
    Plain.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"({shape})$"), None)

GONE = object()
# One character of a pattern: ("one", c) ("any",) ("many",) ("set", chars)
Char = tuple[str, ...]


def verdict(
    rule_text: str,
    fields: Mapping[str, Any],
    *,
    original: str = "",
    placeholders: Mapping[str, Sequence[str]] | None = None,
) -> bool:
    """Whether the only rule of the text is true of the event."""
    rule = yaml.load(rule_text, Plain)
    return detection_holds(rule["detection"], fields, original, placeholders or {})


def detection_holds(
    detection: Mapping[str, Any],
    fields: Mapping[str, Any],
    original: str = "",
    placeholders: Mapping[str, Sequence[str]] | None = None,
) -> bool:
    """The same for a detection that has been read."""
    event = Seen(fields, original, placeholders or {})
    truth = {name: event.part(part) for name, part in detection.items() if name != "condition"}
    conditions = detection["condition"]
    listed = conditions if isinstance(conditions, list) else [conditions]
    return any(condition_holds(text, truth) for text in listed)


def condition_holds(text: str, truth: Mapping[str, bool]) -> bool:
    """Rewrites the condition as a Python expression of True and False, then evaluates that."""

    def several(found: "re.Match[str]") -> str:
        pattern = found[2]
        if pattern.lower() == "them":
            chosen = [value for name, value in truth.items() if name[0] != "_"]
        else:
            shape = "".join(".*" if c == "*" else re.escape(c) for c in pattern)
            chosen = [value for name, value in truth.items() if re.fullmatch(shape, name)]
        assert chosen
        return str(all(chosen) if found[1].lower() == "all" else any(chosen))

    text = re.sub(r"(?i)(?<![\w*-])(1|any|all)\s+of\s+([^\s()]+)", several, text)
    words = re.findall(r"[()]|[^\s()]+", text)
    plain = [
        word.lower() if word.lower() in ("and", "or", "not") else
        word if word in ("(", ")", "True", "False") and word not in truth else str(truth[word])
        for word in words
    ]  # fmt: skip
    assert set(plain) <= {"and", "or", "not", "(", ")", "True", "False"}
    return bool(eval(" ".join(plain)))


class Seen:
    """One event, asked line by line."""

    def __init__(
        self, fields: Mapping[str, Any], original: str, placeholders: Mapping[str, Sequence[str]]
    ) -> None:
        self.fields = {}
        for name, value in sorted(fields.items(), key=lambda pair: " " in pair[0]):
            self.fields.setdefault(name.replace(" ", ""), value)
        self.placeholders = placeholders
        self.texts = [original, *all_strings(list(fields.values()))]

    def part(self, part: Any) -> bool:
        """A selection or a member of one."""
        if isinstance(part, dict):
            return all(self.line(key, value) for key, value in part.items())
        if isinstance(part, list):
            return any(self.part(one) for one in part)
        return self.line("", part)

    def value(self, name: str) -> Any:
        """The value of a field: by its whole name, else along the dots; GONE when there is none."""
        if name in self.fields:
            return self.fields[name]
        return walk(self.fields, name.split(".")) if "." in name else GONE

    def line(self, key: str, value: Any) -> bool:
        """`field|modifiers: values`."""
        name, *modifiers = key.split("|")
        name = name.replace(" ", "")
        values = value if isinstance(value, list) else [value]
        answers = [self.one(name, modifiers, v) for v in (values or [None])]
        answer = all(answers) if "all" in modifiers else any(answers)
        return answer is not ("neq" in modifiers)

    def one(self, name: str, modifiers: list[str], wanted: Any) -> bool:
        """One value of a line."""
        rest = [m for m in modifiers if m not in ("all", "neq", "cased")]
        cased = "cased" in modifiers
        found = self.value(name) if name else GONE
        if "exists" in rest:
            return (found is not GONE) is wanted
        members = flat(found)
        if wanted is None:
            return found is GONE or not members or None in members
        if "fieldref" in rest:
            side = next((m for m in rest if m != "fieldref"), "equals")
            others = [as_text(v) for v in flat(self.value(wanted.replace(" ", "")))]
            mine = [as_text(v) for v in members]
            return any(
                related(side, fold(a, cased), fold(b, cased))
                for a in mine
                for b in others
                if a is not None and b is not None
            )
        texts = [as_text(v) for v in members] if name else self.texts
        test = special_test(rest, wanted, self.placeholders)
        is_number = isinstance(wanted, (int, float)) and not isinstance(wanted, bool)
        if test is None and is_number and not rest and name:
            test = lambda text: as_number(text) == wanted  # noqa: E731
        if test is not None:
            return any(text is not None and test(text) for text in texts)
        patterns = [read_pattern(str(as_text(wanted)))]
        for modifier in rest:
            patterns = [new for p in patterns for new in self.rewrite(modifier, p)]
        if not name:
            patterns = [[("many",), *p, ("many",)] for p in patterns]
        elif any(p and set(p) == {("many",)} for p in patterns):
            return any(v is not None for v in members)  # objects too
        return any(
            text is not None and fits(p, fold(text, cased), cased)
            for text in texts
            for p in patterns
        )

    def rewrite(self, modifier: str, pattern: list[Char]) -> list[list[Char]]:
        """What one modifier makes of one pattern."""
        many: Char = ("many",)
        if modifier == "contains":
            return [[many, *pattern, many]]
        if modifier == "startswith":
            return [[*pattern, many]]
        if modifier == "endswith":
            return [[many, *pattern]]
        if modifier == "windash":
            return [[dashed(pattern, place) for place in range(len(pattern))]]
        if modifier == "expand":
            return self.expanded(pattern)
        data = "".join(c[1] for c in pattern)
        if modifier in ENCODINGS:
            return [[("one", chr(b)) for b in ENCODINGS[modifier](data)]]
        raw = data.encode() if all(ord(c) < 128 for c in data) else as_bytes(data)
        if modifier == "base64":
            return [[("one", c) for c in base64.b64encode(raw).decode()]]
        assert modifier == "base64offset", modifier
        return [[("one", c) for c in middle(raw, shift)] for shift in range(3)]

    def expanded(self, pattern: list[Char]) -> list[list[Char]]:
        """`%name%` in a pattern of plain characters replaced by each of its values."""
        text = "".join(c[1] if c[0] == "one" else "*" if c[0] == "many" else "?" for c in pattern)
        pieces = re.split(r"%([^%\s]+)%", text)
        choices = [[p] if n % 2 == 0 else list(self.placeholders[p]) for n, p in enumerate(pieces)]
        return [read_pattern("".join(choice)) for choice in itertools.product(*choices)]


def special_test(rest: list[str], wanted: Any, placeholders: Mapping[str, Sequence[str]]) -> Any:
    """A function from a text to whether it fits, for what is no Sigma string; else None."""
    if rest and rest[0] == "re":
        if "expand" in rest:
            wanted = re.sub(
                r"%([^%\s]+)%",
                lambda found: "(?:" + "|".join(map(re.escape, placeholders[found[1]])) + ")",
                wanted,
            )
        return regex_test(rest[1:], wanted)
    if rest and rest[0] == "cidr":
        return cidr_test(wanted)
    if rest and (rest[-1] in SIGNS or rest[0] in PARTS):
        return number_test(rest, wanted)
    return None


SIGNS = ("lt", "lte", "gt", "gte")
PARTS = ("minute", "hour", "day", "week", "month", "year")
ENCODINGS = {
    "wide": lambda text: text.encode("utf-16-le"),
    "utf16le": lambda text: text.encode("utf-16-le"),
    "utf16be": lambda text: text.encode("utf-16-be"),
    "utf16": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
}


def as_bytes(text: str) -> bytes:
    """Characters that stand for bytes (after an encoding) or, failing that, UTF-8."""
    return text.encode("latin-1") if "\0" in text else text.encode()


def middle(raw: bytes, shift: int) -> str:
    """The characters of Base64 that only `raw` decides when `shift` bytes stand before it."""
    seen = set()
    for before, after in itertools.product((0, 85, 170, 255), repeat=2):
        code = base64.b64encode(bytes([before]) * shift + raw + bytes([after]) * 3).decode()
        seen.add(code)
    length = min(map(len, seen))
    first = (0, 2, 3)[shift]
    stop = (shift + len(raw)) * 8 // 6
    same = [c for c in range(first, min(stop, length)) if len({code[c] for code in seen}) == 1]
    assert same == list(range(first, stop))
    return next(iter(seen))[first:stop]


def dashed(pattern: list[Char], place: int) -> Char:
    """A dash that begins an option stands for any of the five."""

    def is_word(at: int) -> bool:
        if not 0 <= at < len(pattern) or pattern[at][0] != "one":
            return False
        return pattern[at][1].isalnum() or pattern[at][1] == "_"

    char = pattern[place]
    if char in (("one", "-"), ("one", "/")) and not is_word(place - 1) and is_word(place + 1):
        return ("set", "-/–—―")
    return char


def read_pattern(text: str) -> list[Char]:
    """A Sigma string character by character."""
    found: list[Char] = []
    place = 0
    while place < len(text):
        char = text[place]
        if char == "\\" and place + 1 < len(text) and text[place + 1] in "\\*?":
            found.append(("one", text[place + 1]))
            place += 2
            continue
        found.append({"*": ("many",), "?": ("any",)}.get(char, ("one", char)))
        place += 1
    return found


def fits(pattern: list[Char], text: str, cased: bool) -> bool:
    """Whether the whole text fits, by the set of places that each step may have reached."""
    places = {0}
    for char in pattern:
        if char[0] == "many":
            places = set(range(min(places), len(text) + 1)) if places else places
        elif char[0] == "any":
            places = {place + 1 for place in places if place < len(text)}
        else:
            wanted = [fold(c, cased) for c in char[1]]
            places = {p + 1 for p in places if p < len(text) and text[p] in wanted}
    return len(text) in places


def fold(text: str, cased: bool) -> str:
    """Lower case, one character for each."""
    if cased:
        return text
    odd = {"İ": "i", "Σ": "σ", "ς": "σ"}
    return "".join(odd.get(c, c.lower()) for c in text)


def related(side: str, mine: str, other: str) -> bool:
    """How a field stands to another."""
    return {
        "equals": mine == other,
        "startswith": mine.startswith(other),
        "endswith": mine.endswith(other),
        "contains": other in mine,
    }[side]


def regex_test(following: list[str], wanted: str) -> Any:
    """An unanchored search that minds case; `$` is the very end, not before a last new line."""
    flags = re.ASCII
    if not {"m", "multiline"} & set(following):
        wanted = re.sub(r"(?<!\\)\$", r"\\Z", wanted)
    for modifier in following:
        flags |= {"i": re.I, "m": re.M, "s": re.S, "ignorecase": re.I, "multiline": re.M,
                  "dotall": re.S}.get(modifier, 0)  # fmt: skip
    return lambda text: re.search(wanted, text, flags) is not None


def cidr_test(wanted: str) -> Any:
    """An address inside a network."""
    network = ipaddress.ip_network(wanted)

    def test(text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return address in network

    return test


def number_test(rest: list[str], wanted: Any) -> Any:
    """A comparison of a number, or of a part of a time."""
    sign = rest[-1] if rest[-1] in SIGNS else "eq"
    part = rest[0] if rest[0] in PARTS else None

    def test(text: str) -> bool:
        if part:
            try:
                moment = datetime.fromisoformat(text.strip())
            except ValueError:
                return False
            number: Any = moment.isocalendar()[1] if part == "week" else getattr(moment, part)
        else:
            number = as_number(text)
        if number is None:
            return False
        limit = float(wanted)
        return {"lt": number < limit, "lte": number <= limit, "gt": number > limit,
                "gte": number >= limit, "eq": number == limit}[sign]  # fmt: skip

    return test


def as_number(text: str) -> float | None:
    """The decimal number that a text writes."""
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", text, re.ASCII):
        return None
    return float(text)


def as_text(value: Any) -> str | None:
    """A scalar as text; None for null and for objects."""
    if value is None or isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value)


def flat(value: Any) -> list[Any]:
    """The members of a list at any depth; a lone value is one."""
    if value is GONE:
        return []
    return [m for one in value for m in flat(one)] if isinstance(value, list) else [value]


def all_strings(value: Any) -> list[str]:
    """Every text inside a value."""
    if isinstance(value, str):
        return [value]
    inner = list(value.values()) if isinstance(value, dict) else value
    return [s for one in inner for s in all_strings(one)] if isinstance(inner, list) else []


def walk(tree: Any, names: list[str]) -> Any:
    """Along the dots, any number of names at once; through lists, whatever is found."""
    if isinstance(tree, list):
        found = [v for v in (walk(one, names) for one in tree) if v is not GONE]
        return found or GONE
    if not isinstance(tree, dict):
        return GONE
    for size in range(1, len(names) + 1):
        head = ".".join(names[:size])
        if head in tree:
            value = tree[head] if size == len(names) else walk(tree[head], names[size:])
            if value is not GONE:
                return value
    return GONE
