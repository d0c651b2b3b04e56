"""Says why a rule is true of an event, or what is missing: walks the rule without the index."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cgii.detect.fields import Place, spoken_texts, without_spaces
from cgii.detect.logsources import Alternative, LogSources
from cgii.detect.nodes import KEYWORD, All, Item, Node, Not, OneOf, Selection
from cgii.detect.predicates import TEXT_KINDS, Kind, Predicate, compare_texts, tester
from cgii.detect.routes import lowered, merge_renames
from cgii.detect.rules import Filter, SingleRule
from cgii.detect.values import MISSING, elements, fold, text_of
from cgii.model.event import Event, MatchedField

VALUE_CHARS_MAX = 500  # of a value shown in an explanation


@dataclass(frozen=True)
class Failure:
    """One thing that kept a rule from being true."""

    selection: str
    field: str  # "" for a keyword
    wanted: str
    found: str | None  # None: the event has no such field


@dataclass(frozen=True)
class Explanation:
    """The verdict of one rule on one event and its reasons."""

    matched: bool
    fields: tuple[MatchedField, ...] = ()  # what was true, when it matched
    failures: tuple[Failure, ...] = ()  # what was false, the first selection that failed first
    logsource: bool = True  # whether the event is of the kind that the rule is about
    hidden_by: tuple[Filter, ...] = ()  # without these filters the rule would have matched


def explain(rule: SingleRule, event: Event, table: LogSources | None = None) -> Explanation:
    """Why the rule matched the event, or did not. Without `table` only its own logsource counts."""
    holding = kinds_of(rule, event, table or LogSources())
    if not holding:
        return Explanation(False, failures=_wrong_source(rule, event), logsource=False)
    return explain_as(rule, event, holding)


def kinds_of(rule: SingleRule, event: Event, table: LogSources) -> list[Alternative]:
    """The kinds of event of the rule's logsource that this event is."""
    facts = Facts(event)
    return [
        alternative
        for alternative in table.alternatives(rule.logsource, lowered(event.logsource))
        if alternative.when is None or facts.holds(alternative.when)
    ]


def facts_of(rule: SingleRule, event: Event, table: LogSources) -> "Facts":
    """What the event says to this rule, with its fields found where the logsource keeps them."""
    return Facts(event, merge_renames(kinds_of(rule, event, table)))


def explain_as(rule: SingleRule, event: Event, holding: list[Alternative]) -> Explanation:
    """The same for an event that is known to be of these kinds."""
    facts = Facts(event, merge_renames(holding))
    if facts.holds(rule.node):
        return Explanation(True, tuple(dict.fromkeys(facts.reasons(rule.node, ""))))
    failures = tuple(dict.fromkeys(facts.failures(rule.node, "")))
    if not rule.filters or not facts.holds(rule.detection):
        return Explanation(False, failures=failures)
    hidden_by = tuple(one for one in rule.filters if not facts.holds(one.node))
    return Explanation(False, failures=failures, hidden_by=hidden_by)


def _wrong_source(rule: SingleRule, event: Event) -> tuple[Failure, ...]:
    pairs = (
        ("product", rule.logsource.product, event.logsource.product),
        ("category", rule.logsource.category, event.logsource.category),
        ("service", rule.logsource.service, event.logsource.service),
    )
    return tuple(
        Failure("logsource", name, wanted, found or None) for name, wanted, found in pairs if wanted
    )


Row = tuple[Kind, str, Node]
Run = tuple[str | None, list[Row]]


class Runs:
    """The parts of nodes, those that seek texts in one field together: lists have thousands.

    For the nodes of one rule set, which it keeps.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Node, list[Run]]] = {}

    def of(self, node: All | OneOf) -> list[Run]:
        """The parts in their order; a run without a field is of parts of any kind."""
        known = self._known.get(id(node))
        if known is None:
            known = self._known[id(node)] = node, _runs(node.parts)
        return known[1]


def _runs(parts: Sequence[Node]) -> list[Run]:
    found: list[Run] = []
    for part in parts:
        field, row = None, (Kind.ANY, "", part)
        if isinstance(part, Item) and part.field != KEYWORD:
            predicate = part.predicate
            if predicate.kind in TEXT_KINDS and not predicate.cased:
                field, row = part.field, (predicate.kind, predicate.argument, part)
        if not found or found[-1][0] != field:
            found.append((field, []))
        found[-1][1].append(row)
    return found


@dataclass
class Facts:
    """What an event says, asked item by item: the exact meaning that the index must have."""

    event: Event
    renames: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    runs: Runs = field(default_factory=Runs)

    def __post_init__(self) -> None:
        self.fields = without_spaces(self.event.fields)
        self.ecs = self.event.ecs
        self._known: dict[int, bool] = {}  # of nodes, by identity: a tree asks for some often
        self._texts: dict[tuple[str, bool], list[str]] = {}

    def place(self, name: str) -> Place:
        """Where the event keeps a field."""
        return Place((name, *self.renames.get(name, ())))

    def holds(self, node: Node) -> bool:
        """Whether the node is true of the event."""
        known = self._known.get(id(node))
        if known is None:
            known = self._known[id(node)] = self._is_true(node)
        return known

    def _is_true(self, node: Node) -> bool:
        if isinstance(node, Item):
            return self.item_holds(node)
        if isinstance(node, All):
            return all(map(self.holds, node.parts))
        if isinstance(node, OneOf):
            return next(self._true(node), None) is not None
        if isinstance(node, Not):
            return not self.holds(node.part)
        return self.holds(node.part)

    def _true(self, node: All | OneOf) -> Iterator[Node]:
        """Those of its parts that are true, in their order."""
        for name, rows in self.runs.of(node):
            if name is None:
                yield from (part for _, _, part in rows if self.holds(part))
                continue
            texts = self.texts(name, cased=False)
            if len(texts) == 1:  # as usual
                rows = [row for row in rows if row[1] in texts[0]]
            for kind, wanted, part in rows if texts else ():
                if any(compare_texts(kind, text, wanted) for text in texts):
                    yield part

    def item_holds(self, item: Item) -> bool:
        """Whether the item is true of the event."""
        predicate = item.predicate
        if predicate.kind is Kind.REFERENCE:
            other, side = predicate.argument
            theirs = self.texts(other, cased=predicate.cased)
            mine = self.texts(item.field, cased=predicate.cased)
            return any(compare_texts(side, one, another) for one in mine for another in theirs)
        if item.field == KEYWORD:
            return any(map(tester(predicate), spoken_texts(self.event)))
        if predicate.kind in TEXT_KINDS:
            found = self.texts(item.field, cased=predicate.cased)
            return any(compare_texts(predicate.kind, one, predicate.argument) for one in found)
        value = self.place(item.field).find(self.fields, self.ecs)
        return value_satisfies(predicate, value)

    def texts(self, name: str, *, cased: bool) -> list[str]:
        """The texts of a field, folded unless letters count."""
        known = self._texts.get((name, cased))
        if known is None:
            found = map(text_of, elements(self.place(name).find(self.fields, self.ecs)))
            known = [text if cased else fold(text) for text in found if text is not None]
            self._texts[name, cased] = known
        return known

    def shown(self, item: Item) -> str | None:
        """The value at which the item looked, cut; None if there is none."""
        if item.field == KEYWORD:
            test = tester(item.predicate)
            texts = [text for text in spoken_texts(self.event) if test(text)]
        else:
            value = self.place(item.field).find(self.fields, self.ecs)
            if value is MISSING:
                return None
            members = elements(value)
            fitting: list[Any] = []
            if item.predicate.kind is not Kind.REFERENCE:
                fitting = [m for m in members if value_satisfies(item.predicate, m)]
            texts = [text_of(one) or "" for one in (fitting or members)]
        return ", ".join(texts)[:VALUE_CHARS_MAX]

    def reasons(self, node: Node, selection: str) -> Iterator[MatchedField]:
        """What made a true node true."""
        if isinstance(node, Item):
            value = self.shown(node)
            yield MatchedField(selection, node.field, value or "", node.wanted)
        elif isinstance(node, Selection):
            yield from self.reasons(node.part, node.name)
        elif isinstance(node, All | OneOf):
            for part in self._true(node):
                yield from self.reasons(part, selection)

    def failures(self, node: Node, selection: str) -> Iterator[Failure]:
        """What made a false node false."""
        if isinstance(node, Item):
            yield Failure(selection, node.field, node.wanted, self.shown(node))
        elif isinstance(node, Selection):
            yield from self.failures(node.part, node.name)
        elif isinstance(node, Not):
            for true in self.reasons(node.part, selection):
                yield Failure(true.selection, true.field, f"no {true.wanted}", true.value)
        else:
            for part in node.parts:
                if not self.holds(part):
                    yield from self.failures(part, selection)


def value_satisfies(predicate: Predicate, value: object) -> bool:
    """Whether a field's value (MISSING is one) satisfies the predicate, element by element."""
    kind = predicate.kind
    if kind is Kind.KEY:
        return value is not MISSING
    members = [] if value is MISSING else elements(value)
    if kind is Kind.NULL:
        return not members or any(member is None for member in members)
    if kind is Kind.ANY:
        return any(member is not None for member in members)
    texts = (text_of(member) for member in members)
    test = tester(predicate)
    return any(text is not None and test(text) for text in texts)
