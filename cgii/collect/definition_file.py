"""Checks one definition file part by part and collects every mistake with its line."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cgii.base import limits
from cgii.base.errors import ContentError, Invalid
from cgii.base.yaml_lines import Place
from cgii.collect.convert import CONVERSIONS, Conversion, text
from cgii.collect.definition_parts import (
    Choice,
    EcsRules,
    Fingerprint,
    Layout,
    LogSourceRule,
    Looks,
    Message,
    TimeRule,
    all_like,
    one_like,
)
from cgii.collect.line_patterns import (
    Pattern,
    compile_pattern,
    first_and_last,
    literal_prefix,
)
from cgii.collect.one_way import one_way
from cgii.collect.shapes import Shape, indented_lines_continue
from cgii.collect.times import FORMATS, zone_named

PARSERS = (
    "json_lines", "syslog_lines", "patterns", "windows", "key_values", "columns", "cef", "leef",
    "auditd", "headed",
)  # fmt: skip
REQUIRED = ("name", "title", "description", "parser", "time", "logsource")
OPTIONAL = (
    "zone time_missing options ecs message patterns names numbers needs columns column_values "
    "composed fingerprint programs heading record"
).split()
OPTIONS: dict[str, Any] = {
    "embedded": (True, False),  # the record may stand behind a syslog header
    "separator": None,  # columns: any single character
    "assign": ("=", ":"),  # key_values: between a name and its value
    "between": (" ", ";"),  # key_values: after a value without quotes
}


class DefinitionFile:
    """One file while it is being read; `problems` grows."""

    def __init__(self, path: Path, data: Any, lines: Mapping[Place, int]) -> None:
        self.path = path
        self.data = data
        self.lines = lines
        self.problems: list[ContentError] = []

    def read(self) -> dict[str, Any] | None:
        """The compiled parts by the names of Definition's fields, or None if hopeless."""
        if not isinstance(self.data, dict):
            self._wrong((), "se esperaba una lista de claves y valores")
            return None
        for key in self.data:
            if key not in REQUIRED and key not in OPTIONAL:
                self._wrong((key,), f"clave desconocida «{key}»")
        for key in REQUIRED:
            if key not in self.data:
                self._wrong((), f"falta la clave «{key}»")
        name = self._text(("name",))
        if name and name != self.path.stem:
            self._wrong(("name",), f"el nombre debe ser el del archivo: «{self.path.stem}»")
        return {
            "name": name,
            "title": self._text(("title",)),
            "description": self._text(("description",)),
            "parser": self._one_of(("parser",), PARSERS),
            "options": self._options(),
            "zone": self._zone(),
            "times": self._times(),
            "time_may_be_missing": self._one_of(("time_missing",), ("reject", "received"))
            == "received",
            "logsource": self._logsource(),
            "ecs": self._ecs(),
            "message": self._message(),
            "patterns": self._patterns(),
            "numbers": frozenset(self._texts(("numbers",))),
            "needs": self._texts(("needs",)),
            "columns": self._columns(),
            "composed": self._composed(),
            "fingerprint": self._fingerprint(),
            "programs": frozenset(self._texts(("programs",))),
            "shape": self._shape(),
        }

    def _wrong(self, place: Place, reason: str) -> None:
        line = None
        for length in range(len(place), -1, -1):
            line = self.lines.get(place[:length])
            if line is not None:
                break
        self.problems.append(ContentError(self.path, reason, line))

    def _at(self, place: Place) -> Any:
        here = self.data
        for part in place:
            if isinstance(here, dict):
                here = here.get(part)
            elif isinstance(here, list) and isinstance(part, int) and part < len(here):
                here = here[part]
            else:
                return None
        return here

    def _text(self, place: Place) -> str:
        value = self._at(place)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if value is not None:
            self._wrong(place, f"«{place[-1]}» debe ser un texto")
        return ""

    def _texts(self, place: Place) -> tuple[str, ...]:
        value = self._at(place)
        if value is None:
            return ()
        items = value if isinstance(value, list) else [value]
        if all(isinstance(item, str) and item for item in items):
            return tuple(items)
        self._wrong(place, f"«{place[-1]}» debe ser un texto o una lista de textos")
        return ()

    def _mapping(self, place: Place) -> dict[str, Any]:
        value = self._at(place)
        if value is None:
            return {}
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return value
        self._wrong(place, f"«{place[-1]}» debe tener claves de texto")
        return {}

    def _one_of(self, place: Place, allowed: tuple[str, ...]) -> str:
        value = self._text(place)
        if value and value not in allowed:
            self._wrong(place, f"«{value}» no existe; use uno de: {', '.join(allowed)}")
        return value

    def _options(self) -> dict[str, Any]:
        options = self._mapping(("options",))
        for key, value in options.items():
            if key not in OPTIONS:
                self._wrong(("options", key), f"opción desconocida «{key}»")
            elif OPTIONS[key] is None and not (isinstance(value, str) and len(value) == 1):
                self._wrong(("options", key), f"«{key}» debe ser un solo carácter")
            elif OPTIONS[key] is not None and value not in OPTIONS[key]:
                allowed = ", ".join(f"«{one}»" for one in OPTIONS[key])
                self._wrong(("options", key), f"«{key}» debe ser uno de: {allowed}")
        return options

    def _zone(self) -> ZoneInfo:
        name = self._text(("zone",)) or "America/La_Paz"
        try:
            return zone_named(name)
        except Invalid:
            self._wrong(("zone",), f"la zona horaria «{name}» no existe")
            return ZoneInfo("UTC")

    def _times(self) -> tuple[TimeRule, ...]:
        value = self._at(("time",))
        if not isinstance(value, list) or not value:
            if value is not None:
                self._wrong(("time",), "«time» debe ser una lista de {field, format}")
            return ()
        rules = []
        for index in range(len(value)):
            place: Place = ("time", index)
            self._known_keys(place, ("field", "fields", "format"))
            several = self._texts((*place, "fields"))
            field = several[0] if several else self._text((*place, "field"))
            format_ = self._one_of((*place, "format"), tuple(FORMATS))
            if not field or not format_:
                self._wrong(place, "cada entrada de «time» necesita field y format")
            elif format_ in FORMATS:
                rules.append(TimeRule(field, FORMATS[format_], several[1:]))
        return tuple(rules)

    def _known_keys(self, place: Place, allowed: tuple[str, ...]) -> None:
        value = self._at(place)
        if not isinstance(value, dict):
            self._wrong(place, "se esperaban claves y valores")
            return
        for key in value:
            if key not in allowed:
                self._wrong((*place, key), f"clave desconocida «{key}»")

    def _conversion(self, place: Place) -> Conversion:
        return CONVERSIONS.get(self._one_of((*place, "as"), tuple(CONVERSIONS)), text)

    def _choice(self, place: Place, by_table_only: str | None) -> Choice:
        """`by_table_only`: what stands when a table has no such key."""
        self._known_keys(place, ("from", "as", "join", "table", "default"))
        names = self._texts((*place, "from"))
        if not names:
            self._wrong(place, "falta «from»: el campo del productor")
        table = self._at((*place, "table"))
        if table is not None and not isinstance(table, dict):
            self._wrong((*place, "table"), "«table» debe tener claves y valores")
            table = None
        join = self._at((*place, "join"))
        default = self._at((*place, "default"))
        return Choice(
            names,
            self._conversion(place),
            join if isinstance(join, str) else None,
            {str(key): value for key, value in table.items()} if table is not None else None,
            by_table_only if default is None and table is not None else default,
        )

    def _logsource(self) -> LogSourceRule:
        self._known_keys(("logsource",), ("product", "category", "service"))
        parts: dict[str, str | Choice] = {}
        for key, value in self._mapping(("logsource",)).items():
            place: Place = ("logsource", key)
            parts[key] = self._choice(place, "") if isinstance(value, dict) else self._text(place)
        return LogSourceRule(
            parts.get("product", ""), parts.get("category", ""), parts.get("service", "")
        )

    def _ecs(self) -> EcsRules:
        fixed: dict[str, Any] = {}
        plain: list[tuple[str, str, Conversion]] = []
        chosen: list[tuple[str, Choice]] = []
        for target, value in self._mapping(("ecs",)).items():
            place: Place = ("ecs", target)
            if isinstance(value, dict) and "value" in value:
                self._known_keys(place, ("value",))
                fixed[target] = value["value"]
                continue
            choice = (
                self._choice(place, None) if isinstance(value, dict) else Choice(self._texts(place))
            )
            only = choice.fields[0] if len(choice.fields) == 1 else ""
            if only and "." not in only and choice == Choice((only,), choice.convert):
                plain.append((target, only, choice.convert))
            else:
                chosen.append((target, choice))
        return EcsRules(fixed, tuple(plain), tuple(chosen))

    def _message(self) -> Message:
        if self._at(("message",)) is None:
            return Message(("message",))
        self._known_keys(("message",), ("fields", "template"))
        return Message(self._texts(("message", "fields")), self._text(("message", "template")))

    def _listed(self, key: str) -> list[Place]:
        """The places of a list's items; the parser of the same name cannot do without it."""
        value = self._at((key,))
        if value is None:
            if self.data.get("parser") == key:
                self._wrong(("parser",), f"el analizador «{key}» necesita «{key}»")
            return []
        if not isinstance(value, list) or len(value) > limits.COLLECTOR_PATTERNS_MAX:
            most = limits.COLLECTOR_PATTERNS_MAX
            self._wrong((key,), f"«{key}» debe ser una lista de hasta {most}")
            return []
        return [(key, index) for index in range(len(value))]

    def _patterns(self) -> tuple[Pattern, ...]:
        found = [self._pattern(place) for place in self._listed("patterns")]
        return tuple(pattern for pattern in found if pattern is not None)

    def _pattern(self, place: Place) -> Pattern | None:
        self._known_keys(place, ("name", "programs", "regex", "fields", "ecs"))
        name, regex = self._text((*place, "name")), self._text((*place, "regex"))
        if not name or not regex:
            self._wrong(place, "cada patrón necesita name y regex")
            return None
        compiled = self._compiled((*place, "regex"), regex)
        if compiled is None:
            return None
        renamed = self._mapping(("names",))
        names = [""] * compiled.groups
        for group, index in compiled.groupindex.items():
            names[index - 1] = str(renamed.get(group.decode(), group.decode()))
        return Pattern(
            name=name,
            programs=frozenset(self._texts((*place, "programs"))),
            prefix=literal_prefix(regex).encode(),
            between=first_and_last(regex),
            match=compiled.match,
            quick=one_way(regex),
            names=tuple(names),
            numbers=tuple(sorted({*names} & {*self._texts(("numbers",))})),
            fields=self._mapping((*place, "fields")),
            ecs=self._mapping((*place, "ecs")),
        )

    def _compiled(self, place: Place, regex: str) -> Any:  # re2 has no types
        try:
            return compile_pattern(regex)
        except ValueError as error:
            self._wrong(place, f"RE2 no acepta el patrón: {error}")
            return None

    def _columns(self) -> tuple[Layout, ...]:
        values = {name: self._value(name) for name in self._mapping(("column_values",))}
        return tuple(self._layout(place, values) for place in self._listed("columns"))

    def _value(self, name: str) -> tuple[str, str]:
        """What a column is like and unlike; each alone must be a regex."""
        place: Place = ("column_values", name)
        self._known_keys(place, ("like", "unlike"))
        told = (self._text((*place, key)) for key in ("like", "unlike"))
        like, unlike = (one if self._compiled(place, one) else "" for one in told)
        return like, unlike

    def _looks(self, place: Place, values: Sequence[tuple[str, str]]) -> Looks:
        regexes = all_like([like for like, _ in values]), one_like([never for _, never in values])
        compiled = (self._compiled(place, one) if one else None for one in regexes)
        return Looks(*(one and one.match for one in compiled))

    def _composed(self) -> dict[str, Message]:
        found = self._mapping(("composed",))
        return {name: Message((), self._text(("composed", name))) for name in found}

    def _layout(self, place: Place, values: Mapping[str, tuple[str, str]]) -> Layout:
        self._known_keys(place, ("when", "names"))
        names = self._at((*place, "names"))
        if not isinstance(names, list) or not all(isinstance(one, str | None) for one in names):
            self._wrong((*place, "names"), "«names» debe ser una lista de nombres de columnas")
            names = []
        conditions = self._at((*place, "when")) or {}
        when = {}
        for at, wanted in conditions.items() if isinstance(conditions, dict) else [(None, None)]:
            if type(at) is not int or at < 0:
                self._wrong((*place, "when"), "«when» lleva números de columna, desde 0")
                continue
            listed = wanted if isinstance(wanted, list) else [wanted]
            when[at] = frozenset(map(str, listed))
        looks = self._looks(place, [values.get(one or "", ("", "")) for one in names])
        return Layout(tuple(one or "" for one in names), when, looks)

    def _shape(self) -> Shape:
        heading, record = self._at(("heading",)), self._at(("record",))
        if heading is None and record is None:
            return Shape()
        if heading is not None and record is not None:
            self._wrong(("record",), "«record» y «heading» no van juntos")
        key = "heading" if heading is not None else "record"
        if key == "record" and self.data.get("parser") != "patterns":
            self._wrong(("record",), "«record» es de definiciones con el analizador «patterns»")
        self._known_keys(
            (key,), ("lines", "quoted") if key == "heading" else ("begins", "continues")
        )
        if self._one_of(("record", "continues"), ("indented",)):
            return Shape(begins=indented_lines_continue)
        regexes = self._texts((key, "lines" if key == "heading" else "begins"))
        if not regexes:
            self._wrong((key,), f"«{key}» necesita un patrón")
            return Shape()
        found = self._compiled((key,), "|".join(f"(?:{one})" for one in regexes))
        if found is None:
            return Shape()
        if key == "record":
            return Shape(begins=found.match)
        return Shape(heads=found.match, quoted=self._quoted())

    def _quoted(self) -> bytes:
        """What divides columns that may be quoted over several lines; empty if none are."""
        wanted = self._at(("heading", "quoted"))
        if not isinstance(wanted, bool | None):
            self._wrong(("heading", "quoted"), "«quoted» es true o false")
        separator = self._at(("options", "separator"))
        return str("," if separator is None else separator).encode() if wanted else b""

    def _fingerprint(self) -> Fingerprint:
        place: Place = ("fingerprint",)
        if self._at(place) is None:
            return Fingerprint()
        self._known_keys(place, ("rank", "share", "lines", "keys", "magic"))
        rank, share = self._at((*place, "rank")), self._at((*place, "share"))
        compiled = [
            self._compiled((*place, "lines"), regex) for regex in self._texts((*place, "lines"))
        ]
        matches: list[Callable[[bytes], Any]] = [found.match for found in compiled if found]
        keys = self._at((*place, "keys")) or []
        if not isinstance(keys, list) or not all(isinstance(names, list) for names in keys):
            self._wrong((*place, "keys"), "«keys» debe ser una lista de listas de nombres")
            keys = []
        return Fingerprint(
            rank if isinstance(rank, int) else 100,
            float(share) if isinstance(share, (int, float)) else 0.5,
            tuple(matches),
            tuple(tuple(str(name) for name in names) for names in keys),
            self._text((*place, "magic")).encode(),
            self._texts((*place, "lines")),
        )
