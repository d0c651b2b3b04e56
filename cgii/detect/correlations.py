"""Reads correlation rules: what they count, by which fields, and those that count others."""

from collections.abc import Iterable, Mapping

from cgii.base import limits
from cgii.base.errors import ContentError
from cgii.detect.correlation_terms import read_terms
from cgii.detect.detections import at_key
from cgii.detect.rule_files import Document, Marked, RuleError
from cgii.detect.rules import CorrelationRule, SingleRule, read_heading
from cgii.detect.terms import NUMERIC, VALUED
from cgii.model.event import LogSource

Counted = SingleRule | CorrelationRule
PATH_MAX = 100  # correlations under way at once; a longer chain is refused before it is read
TOO_DEEP = f"encadena más de {limits.CORRELATION_DEPTH_MAX} correlaciones"


def read_correlations(
    documents: Iterable[Document], singles: Mapping[str, SingleRule]
) -> tuple[list[CorrelationRule], list[ContentError]]:
    """The correlations of documents, and those refused; `singles` by id and by name."""
    reader = _Reader(list(documents), singles)
    for document in reader.documents:
        reader.read(document)
    return list(reader.found.values()), reader.rejected


class _Reader:
    """Reads each document once, those that it counts first."""

    def __init__(self, documents: list[Document], singles: Mapping[str, SingleRule]) -> None:
        self.documents = documents
        self.singles = singles
        self.found: dict[str, CorrelationRule] = {}
        self.rejected: list[ContentError] = []
        self._by_name: dict[str, Document] = {}
        for key in ("name", "id"):  # an id counts more than a name
            for document in reversed(documents):
                if document.data.get(key):
                    self._by_name[str(document.data[key])] = document
        self._read: dict[int, CorrelationRule | None] = {}
        self._path: list[Document] = []

    def read(self, document: Document) -> CorrelationRule | None:
        """The rule of a document, None if it was refused."""
        if id(document) in self._read:
            return self._read[id(document)]
        self._path.append(document)
        rule: CorrelationRule | None = None
        try:
            rule = read_correlation(document, self)
            if rule.id in self.found or rule.id in self.singles:
                other = self.found.get(rule.id) or self.singles[rule.id]
                rule = None
                raise RuleError(f"el id {other.id} ya está en {other.path}")
            self.found[rule.id] = rule
        except RuleError as error:
            line = error.line or document.line
            self.rejected.append(ContentError(document.path, error.reason, line))
        finally:
            self._path.pop()
        self._read[id(document)] = rule
        return rule

    def counted(self, name: str) -> Counted:
        """The rule of that name. RuleError when there is none, or when it counts the asking one."""
        if name in self.singles:
            return self.singles[name]
        document = self._by_name.get(name)
        if document is None:
            raise RuleError(f"la regla «{name}» no existe o fue rechazada")
        if any(one is document for one in self._path):
            names = [_name(one) for one in self._path]
            circle = [*names[names.index(_name(document)) :], _name(document)]
            raise RuleError(f"la correlación se cuenta a sí misma: {' → '.join(circle)}")
        if len(self._path) > PATH_MAX:
            raise RuleError(TOO_DEEP)
        rule = self.read(document)
        if rule is None:
            raise RuleError(f"la correlación «{name}» fue rechazada")
        if rule.depth >= limits.CORRELATION_DEPTH_MAX:
            raise RuleError(TOO_DEEP)
        return rule


def _name(document: Document) -> str:
    return str(document.data.get("name") or document.data.get("id") or document.data.get("title"))


def read_correlation(document: Document, reader: _Reader) -> CorrelationRule:
    """The correlation of one document."""
    data = document.data
    heading = read_heading(document)
    body = data["correlation"]
    if not isinstance(body, Marked):
        raise at_key(data, "correlation", "correlation tiene que ser un mapa")
    named = _names(body, "rules")
    if not named:
        raise at_key(body, "rules", "falta la lista de reglas (rules)")
    if len(named) > limits.CORRELATION_RULES_MAX:
        raise at_key(body, "rules", f"lista más de {limits.CORRELATION_RULES_MAX} reglas")
    rules = [_counted(body, name, reader) for name in named]
    if body.get("type") != "temporal_ordered":  # only there a rule may stand twice
        unique = {rule.id: (name, rule) for name, rule in zip(named, rules, strict=True)}
        named, rules = [n for n, _ in unique.values()], [r for _, r in unique.values()]
    by_name = dict(zip(named, rules, strict=True)) | {rule.id: rule for rule in rules}
    lag = max(rule.lag_seconds if isinstance(rule, CorrelationRule) else 0 for rule in rules)
    terms = read_terms(body, named, tolerance_seconds=limits.LATE_TOLERANCE_SECONDS + lag)
    window_fields = tuple(_names(body, "group-by"))
    found = CorrelationRule(
        **{**vars(heading), "group_by": heading.group_by or window_fields},
        rule_ids=tuple(dict.fromkeys(rule.id for rule in rules)),
        rule_names=tuple(named),
        window_fields=window_fields,
        aliases=_aliases(body, by_name),
        terms=terms,
        generate=_generate(data, body),
        logsources=_logsources(rules),
        value_fields=_value_fields(body, terms.kind),
        listed=tuple(rule.id for rule in rules),
        depth=1 + max(rule.depth if isinstance(rule, CorrelationRule) else 0 for rule in rules),
    )
    _fields_exist(body, found, rules)
    return found


def _names(body: Marked, key: str) -> list[str]:
    value = body.get(key)
    if value is None:
        return []
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) and one.strip() for one in values):
        raise at_key(body, key, f"«{key}» tiene que ser una lista de textos")
    return [one.strip() for one in values]


def _counted(body: Marked, name: str, reader: _Reader) -> Counted:
    try:
        return reader.counted(name)
    except RuleError as error:
        raise at_key(body, "rules", error.reason) from error


def _aliases(body: Marked, rules: Mapping[str, Counted]) -> dict[str, dict[str, str]]:
    value = body.get("aliases") or {}
    if not isinstance(value, dict):
        raise at_key(body, "aliases", "aliases tiene que ser un mapa")
    found: dict[str, dict[str, str]] = {}
    for alias, fields in value.items():
        if not isinstance(fields, dict) or not all(isinstance(f, str) for f in fields.values()):
            raise at_key(
                body, "aliases", f"el alias «{alias}» tiene que nombrar un campo por regla"
            )
        named = {name: rules.get(name) or _by_rule_name(rules, name) for name in fields}
        for name, rule in named.items():
            if rule is None:
                reason = f"el alias «{alias}» nombra «{name}», que no está en la lista de reglas"
                raise at_key(body, "aliases", reason)
        found[alias] = {rule.id: fields[name] for name, rule in named.items() if rule}
    return found


def _by_rule_name(rules: Mapping[str, Counted], name: str) -> Counted | None:
    return next((rule for rule in rules.values() if rule.name == name), None)


def _value_fields(body: Marked, kind: str) -> tuple[str, ...]:
    if kind not in VALUED:
        return ()
    condition = body["condition"]
    fields = tuple(_names(condition, "field")) if isinstance(condition, Marked) else ()
    if not fields:
        raise at_key(body, "condition", f"«{kind}» necesita un campo (field) en condition")
    if kind in NUMERIC and len(fields) > 1:
        raise at_key(body, "condition", f"«{kind}» mide un solo campo (field)")
    return fields


def _fields_exist(body: Marked, rule: CorrelationRule, rules: Iterable[Counted]) -> None:
    """A correlation's result has no fields but those by which it groups."""
    for counted in rules:
        if not isinstance(counted, CorrelationRule):
            continue
        for key, fields in (("group-by", rule.window_fields), ("condition", rule.value_fields)):
            for name in fields:
                own = rule.field_of(counted.id, name)
                if own not in counted.window_fields:
                    reason = f"la correlación «{counted.title}» no agrupa por «{own}»"
                    raise at_key(body, key, reason)


def _logsources(rules: Iterable[Counted]) -> dict[str, LogSource]:
    found: dict[str, LogSource] = {}
    for rule in rules:
        if isinstance(rule, SingleRule):
            found[rule.id] = rule.logsource
        else:
            found |= rule.logsources
    return found


def _generate(data: Marked, body: Marked) -> bool:
    for place in (data, body):
        value = place.get("generate")
        if value is not None:
            if not isinstance(value, bool):
                raise at_key(place, "generate", "generate tiene que ser true o false")
            return value
    return False
