"""Turns one line of a selection, `field|modifiers: values`, into a node (Sigma V7, M1–M9)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cgii.base import limits
from cgii.detect import patterns, predicates
from cgii.detect.nodes import KEYWORD, Item, Node, Not, all_of, one_of
from cgii.detect.predicates import OPERATORS, TIME_PARTS, Kind, Predicate
from cgii.detect.rule_files import RuleError
from cgii.detect.values import number_of, text_of

REGEX_FLAGS = {
    "i": "i", "m": "m", "s": "s", "ignorecase": "i", "multiline": "m", "dotall": "s",
}  # fmt: skip
COMPARISONS = ("lt", "lte", "gt", "gte")
SIDES = {"contains": Kind.CONTAINS, "startswith": Kind.STARTS, "endswith": Kind.ENDS}
MARKS = ("all", "cased", "neq")
FIRST = ("re", "cidr", "exists")  # what reads the raw value has to come first
KNOWN = frozenset(
    {*patterns.REWRITES, *REGEX_FLAGS, *COMPARISONS, *TIME_PARTS, *MARKS, *FIRST}
    | {"fieldref", "expand"}
)


@dataclass
class Budget:
    """How much of the bounds a rule has used, and the site's values for placeholders."""

    placeholders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    values: int = 0

    def spend(self, count: int) -> None:
        """Count values; raises RuleError past limits.RULE_VALUES_MAX."""
        self.values += count
        if self.values > limits.RULE_VALUES_MAX:
            raise RuleError(f"tiene más de {limits.RULE_VALUES_MAX} valores")


def compile_line(key: str, value: object, budget: Budget) -> Node:
    """The node for `key: value`; the key may be only modifiers, for keywords."""
    name, *modifiers = key.split("|")
    name = name.strip().replace(" ", "")
    _check(name, modifiers)
    values = value if isinstance(value, list) else [value]
    budget.spend(len(values))
    if not values:
        values = [None]  # an empty list means null
    elif len(values) > 1 and None in values:
        raise RuleError(f"«{key}»: null no puede estar dentro de una lista")
    nodes = [_value_node(name, modifiers, one, budget) for one in values]
    whole = all_of(nodes) if "all" in modifiers else one_of(nodes)
    return Not(whole) if "neq" in modifiers else whole


def _check(name: str, modifiers: Sequence[str]) -> None:
    for modifier in modifiers:
        if modifier not in KNOWN:
            raise RuleError(f"modificador desconocido «{modifier}»")
    if len(set(modifiers)) < len(modifiers):
        raise RuleError(f"un modificador está repetido en «{name}|{'|'.join(modifiers)}»")
    working = [m for m in modifiers if m not in MARKS]
    for modifier in FIRST:
        if modifier in working[1:]:
            raise RuleError(f"el modificador «{modifier}» tiene que ser el primero")
    if "exists" in modifiers and len(modifiers) > 1:
        raise RuleError("exists no se combina con otros modificadores")
    if any(m in REGEX_FLAGS for m in working) and working[0] != "re":
        raise RuleError("los modificadores i, m y s solo acompañan a re")
    if name == KEYWORD and any(
        m not in ("all", "cased", "contains", "windash", "re", "expand", "base64offset",
                  "base64", "wide", "utf16", "utf16le", "utf16be", *REGEX_FLAGS)
        for m in modifiers
    ):  # fmt: skip
        raise RuleError("una palabra clave sin campo no admite ese modificador")


def _value_node(name: str, modifiers: Sequence[str], value: object, budget: Budget) -> Node:
    if isinstance(value, (dict, list)):
        raise RuleError(f"«{name}»: se esperaba un valor y hay un mapa o una lista")
    found = _predicates(name, modifiers, value, budget)
    wanted = _wanted(modifiers, value)
    nodes: list[Node] = []
    for predicate in found:
        if predicate.kind is Kind.KEY and not predicate.argument:
            nodes.append(Not(Item(name, Predicate(Kind.KEY, argument=True), wanted)))
        else:
            nodes.append(Item(name, predicate, wanted))
    return one_of(nodes)


def _wanted(modifiers: Sequence[str], value: object) -> str:
    shown = f"'{value}'" if isinstance(value, str) else str(text_of(value) or "null")
    kept = [m for m in modifiers if m != "all"]
    return f"{'|'.join(kept)} {shown}" if kept else shown


def _predicates(
    name: str, modifiers: Sequence[str], value: object, budget: Budget
) -> list[Predicate]:
    working = [m for m in modifiers if m not in MARKS]
    first = working[0] if working else ""
    cased = "cased" in modifiers
    if value is None:
        if working or name == KEYWORD:
            raise RuleError("null no admite modificadores ni puede ser palabra clave")
        return [Predicate(Kind.NULL)]
    if first == "re" and "expand" in working and isinstance(value, str):
        value = patterns.expand_expression(value, budget.placeholders)
        working = [m for m in working if m != "expand"]
    if first in RAW:
        return [RAW[first](working[1:], value)]
    if "fieldref" in working:
        return [_reference(working, value, cased=cased)]
    if first in COMPARISONS or first in TIME_PARTS:
        return [_comparison(working, value)]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and not working and name != KEYWORD:
        return [Predicate(Kind.NUMBER, value)]
    return _text_predicates(name, working, value, cased=cased, budget=budget)


def _text_predicates(
    name: str, working: Sequence[str], value: object, *, cased: bool, budget: Budget
) -> list[Predicate]:
    text = text_of(value)
    if text is None:
        raise RuleError("tipo de valor no admitido")
    found = [patterns.parse(text)]
    for modifier in working:
        if modifier == "expand":
            found = [new for p in found for new in patterns.expand(p, budget.placeholders)]
            continue
        if modifier not in patterns.REWRITES:
            raise RuleError(f"«{modifier}» no se puede combinar así con otros modificadores")
        found = [new for p in found for new in patterns.REWRITES[modifier](p)]
    budget.spend(len(found) - 1)
    if name == KEYWORD:
        found = [new for p in found for new in patterns.contains(p)]
    result = [predicates.of_pattern(patterns.finished(p), cased=cased) for p in found]
    if name == KEYWORD and any(p.kind is Kind.ANY for p in result):
        raise RuleError("una palabra clave vacía se cumpliría siempre")
    return result


def _regex(following: Sequence[str], value: object) -> Predicate:
    if not isinstance(value, str):
        raise RuleError("re necesita un texto")
    flags, pattern = "", value
    for modifier in following:
        if modifier in REGEX_FLAGS:
            flags += REGEX_FLAGS[modifier]
        elif modifier in SIDES:
            before = ".*" if modifier in ("contains", "endswith") else ""
            after = ".*" if modifier in ("contains", "startswith") else ""
            pattern = f"{before}(?:{pattern}){after}"
        else:
            raise RuleError(f"«{modifier}» no se combina con re")
    pattern = f"(?{flags}){pattern}" if flags else pattern
    predicates.expression_of(pattern)
    return Predicate(Kind.REGEX, pattern, cased=True)


def _cidr(following: Sequence[str], value: object) -> Predicate:
    if following:
        raise RuleError(f"«{following[0]}» no se combina con cidr")
    if not isinstance(value, str):
        raise RuleError("cidr necesita un texto")
    return Predicate(Kind.CIDR, str(predicates.network_of(value)))


def _exists(_following: Sequence[str], value: object) -> Predicate:
    if not isinstance(value, bool):
        raise RuleError("exists necesita true o false")
    return Predicate(Kind.KEY, value)


RAW: Mapping[str, Callable[[Sequence[str], object], Predicate]] = {
    "re": _regex,
    "cidr": _cidr,
    "exists": _exists,
}


def _reference(working: Sequence[str], value: object, *, cased: bool) -> Predicate:
    if not isinstance(value, str) or not value.strip():
        raise RuleError("fieldref necesita el nombre de un campo")
    sides = [m for m in working if m in SIDES]
    other = [m for m in working if m not in SIDES and m != "fieldref"]
    if other or len(sides) > 1:
        raise RuleError("fieldref solo se combina con startswith, endswith o contains")
    side = SIDES[sides[0]] if sides else Kind.EXACT
    return Predicate(Kind.REFERENCE, (value.strip().replace(" ", ""), side), cased)


def _comparison(working: Sequence[str], value: object) -> Predicate:
    *parts, compare = working if working[-1] in COMPARISONS else [*working, "eq"]
    if len(parts) > 1 or any(p not in TIME_PARTS for p in parts) or compare not in OPERATORS:
        raise RuleError(f"«{'|'.join(working)}» no es una comparación")
    number: Any = number_of(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise RuleError(f"«{working[-1]}» necesita un número")
    if parts:
        return Predicate(Kind.TIME, (parts[0], compare, number))
    return Predicate(Kind.COMPARE, (compare, number))
