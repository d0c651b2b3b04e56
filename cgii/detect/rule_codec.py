"""A single-event rule as JSON and back, for the cache: trees of nodes become nested lists."""

from collections.abc import Mapping
from dataclasses import fields
from sys import intern
from typing import Any

from cgii.detect.nodes import All, Item, Node, Not, OneOf, Selection
from cgii.detect.predicates import Kind, Predicate
from cgii.detect.rules import SingleRule
from cgii.model.event import LogSource

APART = frozenset({"path", "logsource", "node", "filters"})  # not stored as they are
PLAIN = tuple(field.name for field in fields(SingleRule) if field.name not in APART)
KINDS = {kind.value: kind for kind in Kind}
GROUPS: dict[type, str] = {All: "all", OneOf: "one"}


def encode_rule(rule: SingleRule) -> dict[str, Any]:
    """What JSON can hold of a rule without filters; its path is left to where its file lies."""
    if rule.filters:
        raise TypeError("filters belong to the rule set, not to the rule")
    source = rule.logsource
    return {
        **{name: getattr(rule, name) for name in PLAIN},
        "logsource": [source.product, source.category, source.service],
        "node": _encode(rule.node),
    }


def decode_rule(data: Mapping[str, Any], path: str) -> SingleRule:
    """The rule again; KeyError, TypeError or ValueError when this is none."""
    plain = {name: _tupled(data[name]) for name in PLAIN}
    return SingleRule(
        **plain, path=path, logsource=LogSource(*data["logsource"]), node=_decode(data["node"])
    )


def _encode(node: Node) -> list[Any]:
    if isinstance(node, Item):
        predicate, argument = node.predicate, node.predicate.argument
        if predicate.kind is Kind.REFERENCE:
            argument = [argument[0], argument[1].value]
        return ["item", node.field, predicate.kind.value, argument, predicate.cased, node.wanted]
    if isinstance(node, Not):
        return ["not", _encode(node.part)]
    if isinstance(node, Selection):
        return ["selection", node.name, _encode(node.part)]
    return [GROUPS[type(node)], *map(_encode, node.parts)]


def _decode(data: list[Any]) -> Node:
    kind = data[0]
    if kind == "item":
        _, name, predicate, argument, cased, wanted = data
        return Item(intern(name), Predicate(*_asked(KINDS[predicate], argument), cased), wanted)
    if kind == "not":
        return Not(_decode(data[1]))
    if kind == "selection":
        return Selection(data[1], _decode(data[2]))
    if kind == "all":
        return All(tuple(map(_decode, data[1:])))
    if kind == "one":
        return OneOf(tuple(map(_decode, data[1:])))
    raise ValueError(f"{kind!r} is no node")


def _asked(kind: Kind, argument: Any) -> tuple[Kind, Any]:
    if kind is Kind.REFERENCE:
        return kind, (argument[0], KINDS[argument[1]])
    return kind, _tupled(argument)


def _tupled(value: Any) -> Any:
    """JSON has lists only; every sequence of a rule is a tuple."""
    return tuple(map(_tupled, value)) if isinstance(value, list) else value
