"""What a rule means, in words: when it is true, and what each of its parts asks of a record."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cgii.detect.nodes import KEYWORD, All, Item, Node, Not, OneOf, Selection
from cgii.detect.predicates import Kind
from cgii.detect.rules import SingleRule
from cgii.web.language import gettext

VALUES_SHOWN = 24  # of one field; the rule's text has them all
LINES_SHOWN = 80  # of one part
WRITTEN = re.compile(r"(?:(?P<marks>[a-z0-9|]+) )?(?:'(?P<text>.*)'|(?P<bare>.*))", re.DOTALL)
OPEN = frozenset({Kind.STARTS, Kind.ENDS, Kind.CONTAINS})


@dataclass(frozen=True)
class Ask:
    """One thing asked of a field: `CommandLine contiene «a» o «b»`. Without a field: a heading."""

    depth: int
    field: str
    verb: str
    values: tuple[str, ...] = ()
    more: int = 0  # values that are not shown
    is_all: bool = False  # every value, not one of them
    note: str = ""


@dataclass(frozen=True)
class Part:
    """A selection of the rule, or a filter's."""

    name: str
    asks: tuple[Ask, ...]
    more: int = 0  # asks that are not shown


@dataclass(frozen=True)
class Word:
    """A piece of the condition; a name is a part's."""

    text: str
    is_name: bool = False


@dataclass(frozen=True)
class Meaning:
    """The whole rule."""

    condition: tuple[Word, ...]
    parts: tuple[Part, ...]


def meaning_of(rule: SingleRule) -> Meaning:
    """When a single-event rule is true, its filters included."""
    parts: dict[str, Part] = {}
    for node in (rule.detection, *(one.node for one in rule.filters)):
        for selection in _selections(node):
            parts.setdefault(selection.name, _part(selection))
    return Meaning(tuple(_condition(rule.node, is_inner=False)), tuple(parts.values()))


def _selections(node: Node) -> list[Selection]:
    if isinstance(node, Selection):
        return [node]
    if isinstance(node, All | OneOf):
        return [found for part in node.parts for found in _selections(part)]
    return _selections(node.part) if isinstance(node, Not) else []


def _condition(node: Node, *, is_inner: bool) -> list[Word]:
    if isinstance(node, Selection):
        return [Word(node.name, is_name=True)]
    if isinstance(node, Not):
        return [Word(gettext("no")), *_condition(node.part, is_inner=True)]
    if isinstance(node, Item):
        [ask] = _asks(node, 0)
        return [Word(f"{ask.field} {ask.verb} {', '.join(ask.values)}".strip())]
    joint = Word(gettext("y") if isinstance(node, All) else gettext("o"))
    words: list[Word] = []
    for part in node.parts:
        words += [joint, *_condition(part, is_inner=True)]
    return [Word("("), *words[1:], Word(")")] if is_inner else words[1:]


def _part(selection: Selection) -> Part:
    asks = _asks(selection.part, 0)
    return Part(selection.name, tuple(asks[:LINES_SHOWN]), max(0, len(asks) - LINES_SHOWN))


def _asks(node: Node, depth: int) -> list[Ask]:
    if isinstance(node, Item):
        return [_ask([node], depth, is_all=False)]
    if isinstance(node, Selection):
        return _asks(node.part, depth)
    if isinstance(node, Not):
        if isinstance(node.part, Item):
            ask = _ask([node.part], depth, is_all=False)
            said = gettext("no {verb}").format(verb=ask.verb)
            return [Ask(depth, ask.field, said, ask.values, note=ask.note)]
        return [Ask(depth, "", gettext("nada de esto:")), *_asks(node.part, depth + 1)]
    is_all = isinstance(node, All)
    together = _same(node.parts)
    if together:
        return [_ask(together, depth, is_all=is_all)]
    heading = gettext("todo esto:") if is_all else gettext("al menos una de estas:")
    inner = [ask for part in node.parts for ask in _asks(part, depth + 1)]
    if is_all and depth == 0:  # the usual case needs no heading
        return [ask for part in node.parts for ask in _asks(part, 0)]
    return [Ask(depth, "", heading), *inner]


def _same(parts: Sequence[Node]) -> list[Item]:
    """The parts, when they ask the same of the same field and differ in the value only."""
    items = [part for part in parts if isinstance(part, Item)]
    if len(items) < len(parts) or len({(one.field, _verb(one), _note(one)) for one in items}) > 1:
        return []
    return items


def _ask(items: Sequence[Item], depth: int, *, is_all: bool) -> Ask:
    values = tuple(dict.fromkeys(value for one in items if (value := _value(one))))
    first = items[0]
    field = first.field if first.field != KEYWORD else gettext("El texto del registro")
    more = max(0, len(values) - VALUES_SHOWN)
    shown = values[:VALUES_SHOWN]
    return Ask(depth, field, _verb(first), shown, more, is_all, _note(first))


def _verb(item: Item) -> str:
    kind, argument = item.predicate.kind, item.predicate.argument
    if item.field == KEYWORD and kind is Kind.EXACT:
        return gettext("contiene")
    if kind is Kind.COMPARE:
        return _comparison(argument[0])
    if kind is Kind.TIME:
        part = {"minute": gettext("el minuto"), "hour": gettext("la hora"),
                "day": gettext("el día del mes"), "week": gettext("la semana"),
                "month": gettext("el mes"), "year": gettext("el año")}[argument[0]]  # fmt: skip
        return f"({part}) {_comparison(argument[1])}"
    verbs = {
        Kind.EXACT: gettext("es"),
        Kind.NUMBER: gettext("es"),
        Kind.STARTS: gettext("empieza con"),
        Kind.ENDS: gettext("termina en"),
        Kind.CONTAINS: gettext("contiene"),
        Kind.GLOB: gettext("tiene la forma"),
        Kind.REGEX: gettext("cumple la expresión"),
        Kind.CIDR: gettext("está en la red"),
        Kind.ANY: gettext("tiene algún valor"),
        Kind.KEY: gettext("existe"),
        Kind.NULL: gettext("está vacío o no existe"),
        Kind.REFERENCE: gettext("se compara con el campo"),
    }
    return verbs.get(kind, str(kind.value))


def _comparison(sign: str) -> str:
    return {
        "lt": gettext("es menor que"),
        "lte": gettext("es a lo sumo"),
        "gt": gettext("es mayor que"),
        "gte": gettext("es al menos"),
        "eq": gettext("es igual a"),
    }.get(sign, sign)


def _value(item: Item) -> str:
    if item.predicate.kind in (Kind.ANY, Kind.KEY, Kind.NULL):
        return ""
    found = WRITTEN.fullmatch(item.wanted)
    if found is None:
        return item.wanted
    text: str = found["text"] if found["text"] is not None else found["bare"]
    if item.predicate.kind in OPEN and not found["marks"]:
        text = text.strip("*")
    return text


def _note(item: Item) -> str:
    found = WRITTEN.fullmatch(item.wanted)
    marks = (found["marks"] or "").split("|") if found else []
    notes = []
    if any(mark.startswith("base64") for mark in marks):
        notes.append(gettext("escrito en base64"))
    if any(mark in ("wide", "utf16", "utf16le", "utf16be") for mark in marks):
        notes.append(gettext("en UTF-16"))
    if "windash" in marks:
        notes.append(gettext("con cualquier guion"))
    if "cased" in marks:
        notes.append(gettext("distingue mayúsculas"))
    return ", ".join(notes)
