"""What a rule is once it is read: single-event or correlation, with all it says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from cgii.base import ids, limits
from cgii.detect.detections import at_key, read_detection
from cgii.detect.logsources import read_logsource
from cgii.detect.modifiers import Budget
from cgii.detect.nodes import All, Node
from cgii.detect.rule_files import Document, Marked, RuleError
from cgii.detect.terms import Terms
from cgii.model.event import LogSource

LEVELS = ("informational", "low", "medium", "high", "critical")
STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")


@dataclass(frozen=True)
class Heading:
    """What rules of every kind say of themselves."""

    id: str
    name: str
    title: str
    level: str
    status: str
    description: str
    tags: tuple[str, ...]
    references: tuple[str, ...]
    false_positives: tuple[str, ...]
    path: str
    line: int
    text: str  # the rule's own YAML
    group_by: tuple[str, ...]  # () means: by the address, host or user of the event
    rsit: tuple[str, str] | None  # (class, type)
    severity: str  # of an incident made from it; "" leaves it to the RSIT type


@dataclass(frozen=True)
class Filter:
    """A Sigma filter: a further condition on other rules; what it says must be true as well."""

    id: str
    title: str
    path: str
    line: int
    text: str
    rules: tuple[str, ...] | None  # ids or names; None means any rule
    logsource: LogSource
    node: Node
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class SingleRule(Heading):
    """A rule over one event."""

    logsource: LogSource
    node: Node  # with the filters that apply to it
    unused: tuple[str, ...] = ()  # selections that the condition leaves out
    filters: tuple[Filter, ...] = ()

    @property
    def detection(self) -> Node:
        """What the rule itself looks for, without its filters."""
        return self.node.parts[0] if self.filters and isinstance(self.node, All) else self.node


@dataclass(frozen=True)
class CorrelationRule(Heading):
    """A rule over what other rules found: single ones, or correlations."""

    rule_ids: tuple[str, ...]
    rule_names: tuple[str, ...]  # as written: ids or names
    window_fields: tuple[str, ...]  # group-by
    aliases: Mapping[str, Mapping[str, str]]  # alias → rule id → field
    terms: Terms
    generate: bool
    logsources: Mapping[str, LogSource] = field(default_factory=dict)  # of the counted rules
    value_fields: tuple[str, ...] = ()  # what is counted, summed or remembered
    listed: tuple[str, ...] = ()  # the rules' ids in the order of the list, one perhaps twice
    depth: int = 1  # 1 counts single rules only, 2 also correlations over those, …

    @cached_property
    def version(self) -> str:
        """Another one means that windows kept so far say nothing about this rule."""
        counted = repr((self.listed, self.window_fields, self.aliases, self.value_fields))
        return ids.digest(self.terms.fingerprint, counted)[:12]

    @property
    def lag_seconds(self) -> int:
        """How much later than its events a result may come, in the time of the events."""
        if self.terms.is_ending:
            return self.terms.tolerance_seconds + limits.LATE_TOLERANCE_SECONDS
        return self.terms.tolerance_seconds - limits.LATE_TOLERANCE_SECONDS

    def mask_of(self, rule_id: str) -> int:
        """The places of a rule in the list, as bits."""
        return sum(1 << place for place, one in enumerate(self.listed) if one == rule_id)

    def field_of(self, rule_id: str, name: str) -> str:
        """The field that a group-by name means for events of the given rule."""
        return self.aliases.get(name, {}).get(rule_id, name)


def read_heading(document: Document) -> Heading:
    """The attributes that rules of every kind share."""
    data = document.data
    title = data.get("title")
    if not isinstance(title, str) or not title.strip():
        raise RuleError("falta el título (title)", document.line)
    own = data.get("cgii") or {}
    if not isinstance(own, dict):
        raise at_key(data, "cgii", "«cgii» tiene que ser un mapa")
    tags = _texts(data, "tags")
    rule_id = str(data.get("id") or ids.digest("rule", document.text))
    if len(rule_id) > limits.RULE_ID_CHARS_MAX:
        raise at_key(data, "id", f"id de más de {limits.RULE_ID_CHARS_MAX} caracteres")
    return Heading(
        id=rule_id,
        name=str(data.get("name") or ""),
        title=title.strip()[: limits.NAME_CHARS_MAX],
        level=_one_of(data, "level", LEVELS, "medium"),
        status=_one_of(data, "status", STATUSES, "experimental"),
        description=str(data.get("description") or "").strip(),
        tags=tags,
        references=_texts(data, "references"),
        false_positives=_texts(data, "falsepositives"),
        path=document.path,
        line=document.line,
        text=document.text,
        group_by=tuple(map(str, own.get("group-by") or ())),
        rsit=_rsit(str(own.get("rsit") or ""), tags),
        severity=str(own.get("severity") or ""),
    )


def _one_of(data: Marked, key: str, allowed: Sequence[str], default: str) -> str:
    value = data.get(key)
    if value is None:
        return default
    if str(value).lower() not in allowed:
        raise at_key(data, key, f"{key} «{value}» no existe; use {', '.join(allowed)}")
    return str(value).lower()


def _texts(data: Marked, key: str) -> tuple[str, ...]:
    value = data.get(key)
    if value is None:
        return ()
    return tuple(str(one) for one in (value if isinstance(value, list) else [value]))


def _rsit(declared: str, tags: Sequence[str]) -> tuple[str, str] | None:
    for word in (declared, *(tag.removeprefix("rsit.") for tag in tags if tag[:5] == "rsit.")):
        parts = word.split(".")
        if len(parts) == 2 and all(parts):
            return parts[0], parts[1]
    return None


def read_single(document: Document, placeholders: Mapping[str, Sequence[str]]) -> SingleRule:
    """The rule of a document; RuleError says what is wrong and where."""
    data = document.data
    heading = read_heading(document)
    try:
        logsource = read_logsource(data.get("logsource"))
    except RuleError as error:
        raise at_key(data, "logsource", error.reason) from error
    detection = data.get("detection")
    if not isinstance(detection, Marked):
        raise at_key(data, "detection", "detection tiene que ser un mapa")
    if "timeframe" in detection:
        raise at_key(detection, "timeframe", "timeframe ya no existe: use una regla de correlación")
    try:
        found = read_detection(detection, Budget(placeholders))
    except RuleError as error:
        raise RuleError(error.reason, error.line or data.lines["detection"]) from error
    return SingleRule(**vars(heading), logsource=logsource, node=found.node, unused=found.unused)
