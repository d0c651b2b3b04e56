"""Looks for slips in rules that can be read: what is written, and surely meant otherwise."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cgii.base import limits
from cgii.detect.filters import astray, negates
from cgii.detect.lint_text import Slip, slips_in
from cgii.detect.logsources import LogSources, attributes
from cgii.detect.nodes import KEYWORD, All, Item, Node, Not, OneOf, items
from cgii.detect.predicates import Kind, expression_of
from cgii.detect.rules import CorrelationRule, Filter, SingleRule
from cgii.detect.ruleset import RuleSet
from cgii.model.event import LogSource

Rule = SingleRule | CorrelationRule
RARE = frozenset(Kind) - {Kind.KEY, Kind.NULL, Kind.REFERENCE}
METHOD = re.compile(r"attack\.(?:t[0-9]{4}(?:\.[0-9]{3})?|[gs][0-9]{4}|[a-z-]+)\Z")
HEADING = re.compile(r"^([a-z]+):", re.MULTILINE)


@dataclass(frozen=True)
class Hint:
    """A rule that works, but probably not as its author meant, or at more cost than needed."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: aviso: {self.reason}"


@dataclass(frozen=True)
class SourceFields:
    """What a source of ours gives: the values of each part of its logsource, and its fields.

    None means that the records themselves say it. Names are those of fields and of ECS.
    """

    name: str
    parts: tuple[frozenset[str] | None, frozenset[str] | None, frozenset[str] | None]
    fields: frozenset[str] | None

    def gives(self, wanted: LogSource) -> bool:
        """Whether its events can have every attribute that is asked for."""
        pairs = zip(attributes(wanted), self.parts, strict=True)
        return all(not asked or values is None or asked in values for asked, values in pairs)


def lint(rules: RuleSet, sources: Sequence[SourceFields] = ()) -> list[Hint]:
    """Every hint about the rules and filters, in the order of the rules."""
    found: list[Hint] = []
    for rule in rules.all:
        found += (_hint(rule, slip) for slip in _rule_slips(rule, rules.logsources, sources))
    for one in rules.filters:
        found += (_hint(one, slip) for slip in _filter_slips(one, rules.single))
    return found


def _hint(rule: Rule | Filter, slip: Slip) -> Hint:
    line = rule.line if slip.line is None else rule.line + slip.line - 1
    return Hint(rule.path, line, slip.reason)


def _rule_slips(rule: Rule, table: LogSources, sources: Sequence[SourceFields]) -> Iterator[Slip]:
    yield from _heading_slips(rule)
    if not isinstance(rule, SingleRule):
        return
    if rule.unused:
        yield Slip(f"la condición no usa: {', '.join(rule.unused)}")
    yield from slips_in(rule.text, "detection")
    yield from _expression_slips(rule.detection)
    if is_always_evaluated(rule.node):
        yield Slip(
            "nada de lo que pide es raro: se evalúa en casi todos los registros de su logsource"
        )
    for name in _unknown_fields(rule, table, sources):
        yield Slip(f"ninguna fuente de este logsource produce el campo «{name}»")


def _heading_slips(rule: Rule) -> Iterator[Slip]:
    written = set(HEADING.findall(rule.text))
    missing = [key for key in ("id", "level", "status", "tags") if key not in written]
    if missing:
        yield Slip(f"le falta: {', '.join(missing)}")
    for tag in rule.tags:
        if "." not in tag:
            yield Slip(f"la etiqueta «{tag}» no dice de qué familia es, como attack.t1059")
        elif tag.startswith("attack.") and not METHOD.match(tag):
            yield Slip(f"la etiqueta «{tag}» no tiene la forma de ATT&CK")


def _expression_slips(node: Node) -> Iterator[Slip]:
    for item in items(node):
        if item.predicate.kind is not Kind.REGEX:
            continue
        size = expression_of(item.predicate.argument).programsize
        if size > limits.REGEX_PROGRAM_STEPS:
            yield Slip(
                f"la expresión regular sobre «{item.field or 'texto'}» es cara ({size} pasos):"
                " acorte sus repeticiones con número"
            )


def _filter_slips(one: Filter, rules: Sequence[SingleRule]) -> Iterator[Slip]:
    if not negates(one.node):
        yield Slip("la condición del filtro no tiene «not»: deja pasar solo lo que describe")
    if one.unused:
        yield Slip(f"la condición no usa: {', '.join(one.unused)}")
    for reason in astray(one, rules):
        yield Slip(reason)
    yield from slips_in(one.text, "filter")


def is_always_evaluated(node: Node) -> bool:
    """Whether nothing that must be true is rare, so that no index can spare the evaluation."""
    if isinstance(node, Item):
        return node.predicate.kind not in RARE
    if isinstance(node, Not):
        return True
    if isinstance(node, All):
        return all(is_always_evaluated(part) for part in node.parts)
    if isinstance(node, OneOf):
        return any(is_always_evaluated(part) for part in node.parts)
    return is_always_evaluated(node.part)


def always_evaluated(rules: Iterable[SingleRule]) -> list[SingleRule]:
    """The rules that are evaluated on (almost) every event of their logsource."""
    return [rule for rule in rules if is_always_evaluated(rule.node)]


def _unknown_fields(
    rule: SingleRule, table: LogSources, sources: Sequence[SourceFields]
) -> list[str]:
    """Fields that no source can give to this rule; none unless all its sources are known fully."""
    ways: list[tuple[frozenset[str], dict[str, tuple[str, ...]]]] = []
    for source in sources:
        kinds = [
            (rule.logsource, {}),
            *((m.of, dict(m.fields)) for m in table.meaning(rule.logsource)),
        ]
        for wanted, names in kinds:
            if source.gives(wanted):
                if source.fields is None:
                    return []
                ways.append((source.fields, names))
    if not ways:
        return []
    asked = dict.fromkeys(item.field for item in items(rule.detection) if item.field != KEYWORD)
    return [
        name
        for name in asked
        if not any(_has(fields, (name, *renames.get(name, ()))) for fields, renames in ways)
    ]


def _has(fields: frozenset[str], names: Iterable[str]) -> bool:
    return any(name in fields or name.split(".")[0] in fields for name in names)
