"""A search that every event fulfils of which some rule may be true: what a store can rule out.

Only what a store has an index for: the source of an event, and the fields that tell its class. It
takes for granted that a source gives the same kinds of log as when its events were stored.
"""

from collections.abc import Iterable, Mapping, Set
from itertools import product

from cgii.base import limits
from cgii.detect.logsources import Alternative, LogSources, attributes
from cgii.detect.nodes import All, Item, Node, OneOf, Selection, items
from cgii.detect.predicates import Kind
from cgii.detect.rules import SingleRule
from cgii.detect.ruleset import RuleSet
from cgii.model.event import LogSource

# By source the values of product, category and service that its events have; None means any.
Produced = Mapping[str, tuple[Set[str] | None, ...]]

NOTHING = 'source:"-"'  # no source has this name
VALUES_MAX = 40  # alternatives of one field; a longer list is not worth asking for
# Under these names the store keeps facts of its own or of ECS, which a rule would not see.
NOT_PRODUCERS = frozenset({"source", "entity_id", "sensor_id", "message", "tags", "labels"})
ALWAYS_SO_CALLED = frozenset({"EventID", "Channel"})  # whatever blanks their producer writes


def narrowing(rules: RuleSet, produced: Produced, stored: Iterable[str]) -> str:
    """The search in Lucene syntax; empty when nothing can be ruled out.

    `stored` are the sources that events in the store come from: nothing is known of those that
    are not among the `produced`.
    """
    strange = [name for name in dict.fromkeys(stored) if name not in produced]
    if not all(map(_is_plain, (*strange, *produced))):
        return ""
    names = _class_fields(rules.logsources)
    found: dict[str, None] = {_from(strange): None} if strange else {}
    for rule in rules.single:
        wanted = _of_rule(rule, rules.logsources, produced=produced, names=names)
        if wanted is None:
            return ""
        found.update(dict.fromkeys(wanted))
    text = _any(found) or NOTHING
    return text if _is_askable(text) else ""


def _is_askable(text: str) -> bool:
    return len(text) <= limits.QUERY_CHARS_MAX and text.count(":") <= limits.QUERY_CONDITIONS_MAX


def _class_fields(table: LogSources) -> frozenset[str]:
    """Fields that tell the class of an event and are called alike in rules, events and the store.

    Names with dots may be paths, names with capitals may be written with blanks: both are found in
    other ways by rules than by the store.
    """
    found = {
        item.field
        for alternatives in table.meanings.values()
        for alternative in alternatives
        if alternative.when is not None
        for item in items(alternative.when)
    }
    plain = {name for name in found if name.isalnum() and name.islower()}
    return frozenset(plain - NOT_PRODUCERS | ALWAYS_SO_CALLED)


def _of_rule(
    rule: SingleRule, table: LogSources, *, produced: Produced, names: Set[str]
) -> list[str] | None:
    """One search for each way in which an event may be what the rule is about; None: any event."""
    meant = table.meaning(rule.logsource)
    renamed = {name for one in meant for name in one.fields}
    own = _of_node(rule.node, names - renamed)
    ways: dict[str, dict[str, None]] = {}
    for way in meant:
        told = _of_node(way.when, names) if way.when is not None else ""
        giving = [name for name, parts in produced.items() if _gives(way, parts, table)]
        ways.setdefault(told, {}).update(dict.fromkeys(giving))
    direct = Alternative(rule.logsource)
    giving = [name for name, parts in produced.items() if _gives(direct, parts, table)]
    ways.setdefault("", {}).update(dict.fromkeys(giving))
    if not own and len(ways.get("", ())) == len(produced):
        return None
    return [_all((_from(sources), told or own)) for told, sources in ways.items() if sources]


def _gives(way: Alternative, parts: tuple[Set[str] | None, ...], table: LogSources) -> bool:
    """Whether events of a source with these parts can be of this kind."""
    asked = attributes(way.of)
    choices = [
        sorted(part if part is not None else {"", one})
        for part, one in zip(parts, asked, strict=True)
    ]
    for values in product(*choices):
        event = LogSource(*values)
        if way.fits(event):
            return True
        if not table.knows(event) and Alternative(way.of, is_open=True).fits(event):
            return True
    return False


def _from(sources: Iterable[str]) -> str:
    return _any(f'source:"{name}"' for name in sources)


def _of_node(node: Node, names: Set[str]) -> str:
    """What must hold if the node does; empty when nothing is known."""
    if isinstance(node, Item):
        return _of_item(node, names)
    if isinstance(node, Selection):
        return _of_node(node.part, names)
    if isinstance(node, All):
        parts = [one for part in node.parts if (one := _of_node(part, names))]
        # One is enough, and the number of an event rules out more than its channel.
        parts.sort(key=lambda one: "EventID:" not in one)
        return parts[0] if parts else ""
    if isinstance(node, OneOf):
        parts = [_of_node(part, names) for part in node.parts]
        if not all(parts) or len(parts) > VALUES_MAX:
            return ""
        return _any(parts)
    return ""


def _of_item(item: Item, names: Set[str]) -> str:
    kind, value = item.predicate.kind, item.predicate.argument
    if item.field not in names:
        return ""
    if kind is Kind.EXACT and isinstance(value, str) and _is_plain(value):
        return f'{item.field}:"{value}"'
    # Numbers stand in the store as they came; only EventID is brought to one form before.
    if kind is Kind.NUMBER and item.field == "EventID" and value == int(value) >= 0:
        return f'{item.field}:"{int(value)}"'
    return ""


def _is_plain(value: str) -> bool:
    """Whether the store compares the text as rules do, and its language needs no escapes for it."""
    needs_escape = '"' in value or "\\" in value
    return bool(value.strip()) and value.isascii() and value.isprintable() and not needs_escape


def _all(parts: Iterable[str]) -> str:
    return _joined(parts, " AND ")


def _any(parts: Iterable[str]) -> str:
    return _joined(parts, " OR ")


def _joined(parts: Iterable[str], word: str) -> str:
    distinct = [one for one in dict.fromkeys(parts) if one]
    if len(distinct) == 1:
        return distinct[0]
    return word.join(f"({one})" if " " in one else one for one in distinct)
