"""Conditions of playbooks: comparisons of variables in the manner of STIX patterns."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Value = str | bool | int | float

ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
TOKEN = re.compile(
    r"""\s*(?:
        (?P<variable>__[A-Za-z0-9_-]+__):value
      | (?P<operator>!=|<=|>=|=|<|>|IN\b|AND\b|OR\b)
      | '(?P<text>(?:[^'\\]|\\.)*)'
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<truth>true|false)\b
      | (?P<sign>[(),\[\]])
    )""",
    re.VERBOSE,
)


class ConditionError(ValueError):
    """The text is no condition that we understand, or a value that it needs is not known."""


@dataclass(frozen=True)
class Comparison:
    """One variable against one or more values."""

    variable: str
    operator: str  # = != < <= > >= IN
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Condition:
    """True when all comparisons of any one group are true: AND binds closer than OR."""

    text: str
    groups: tuple[tuple[Comparison, ...], ...]

    @property
    def variables(self) -> set[str]:
        """Every variable that it looks at."""
        return {one.variable for group in self.groups for one in group}


def parse_condition(text: str) -> Condition:
    """Read `__a__:value = 'x' AND __n__:value >= 3 OR …`. Raises ConditionError."""
    tokens = _tokens(text)
    groups: list[tuple[Comparison, ...]] = []
    group: list[Comparison] = []
    while True:
        group.append(_comparison(tokens, text))
        joint = tokens.pop(0) if tokens else None
        if joint == ("operator", "AND"):
            continue
        groups.append(tuple(group))
        group = []
        if joint is None:
            return Condition(text, tuple(groups))
        if joint != ("operator", "OR"):
            raise ConditionError(f"se esperaba AND u OR en «{text}»")


def evaluate(condition: Condition, variables: Mapping[str, Any]) -> bool:
    """Whether the condition is true. A variable without a value raises ConditionError."""
    for name in sorted(condition.variables):
        if variables.get(name) is None:
            raise ConditionError(f"la variable {name} no tiene valor")
    return any(all(_is_true(one, variables) for one in group) for group in condition.groups)


def _tokens(text: str) -> list[tuple[str, str]]:
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    tokens: list[tuple[str, str]] = []
    place = 0
    while place < len(text.rstrip()):
        found = TOKEN.match(text, place)
        if found is None or found.lastgroup is None:
            raise ConditionError(f"no se entiende «{text[place:].strip()[:40]}»")
        value = found.group(found.lastgroup)
        tokens.append((found.lastgroup, value))
        place = found.end()
    if not tokens:
        raise ConditionError("la condición está vacía")
    return tokens


def _comparison(tokens: list[tuple[str, str]], text: str) -> Comparison:
    if len(tokens) < 3 or tokens[0][0] != "variable" or tokens[1][0] != "operator":
        raise ConditionError(f"se esperaba __variable__:value = valor en «{text}»")
    variable, sign = tokens.pop(0)[1], tokens.pop(0)[1]
    if sign in ("AND", "OR"):
        raise ConditionError(f"falta el operador de {variable}")
    if sign != "IN":
        return Comparison(variable, sign, (_value(tokens, text),))
    if tokens.pop(0) != ("sign", "("):
        raise ConditionError("después de IN se espera una lista entre paréntesis")
    values = [_value(tokens, text)]
    while tokens and tokens[0] == ("sign", ","):
        tokens.pop(0)
        values.append(_value(tokens, text))
    if not tokens or tokens.pop(0) != ("sign", ")"):
        raise ConditionError("falta cerrar el paréntesis de IN")
    return Comparison(variable, sign, tuple(values))


def _value(tokens: list[tuple[str, str]], text: str) -> Value:
    kind, value = tokens.pop(0) if tokens else ("", "")
    if kind == "text":
        return re.sub(r"\\(.)", r"\1", value)
    if kind == "number":
        return float(value) if "." in value else int(value)
    if kind == "truth":
        return value == "true"
    raise ConditionError(f"falta un valor en «{text}»")


def _is_true(one: Comparison, variables: Mapping[str, Any]) -> bool:
    value = variables[one.variable]
    if one.operator in ("=", "IN"):
        return any(_equal(value, wanted) for wanted in one.values)
    if one.operator == "!=":
        return not _equal(value, one.values[0])
    wanted = one.values[0]
    numbers = all(
        isinstance(side, int | float) and not isinstance(side, bool) for side in (value, wanted)
    )
    if not numbers:
        raise ConditionError(f"{one.variable} no se puede comparar con {one.operator}")
    return ORDER[one.operator](value, wanted)


def _equal(value: Any, wanted: Value) -> bool:
    # Playbooks write truth as true or as 'true'; numbers are not truths.
    if isinstance(value, bool) or isinstance(wanted, bool):
        return str(value).lower() == str(wanted).lower()
    if isinstance(value, str) != isinstance(wanted, str):
        return str(value) == str(wanted)
    return bool(value == wanted)
