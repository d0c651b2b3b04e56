"""What is to be done for a record, worked out once for all records with the same field names.

Of a definition's rules most speak of fields that a record does not have. A plan holds the others,
and what follows from the few fields that tables look at is remembered by their values. All of it
depends on the record alone, so it does not matter whose records came before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cgii.base import limits
from cgii.collect.convert import ABSENT_CHARS_MAX, lookup, text
from cgii.collect.definition import Definition
from cgii.collect.definition_parts import Choice, LogSourceRule, Sentence, TimeRule
from cgii.collect.parsers.record import are_usual
from cgii.model.event import LogSource

Fields = Mapping[str, Any]
# A step of the ECS view: target, a field's name (None: all fields) and what is made of its value.
Step = tuple[str, str | None, Callable[[Any], Any]]
# Values of these types are remembered; others may be equal and yet be written differently.
TELLING = frozenset({str, int, type(None)})


class Told(NamedTuple):
    """What follows from the values of the fields that tell: with None where steps come in."""

    ecs: dict[str, Any]
    logsource: LogSource


@dataclass(slots=True)
class Plan:
    """The rules for records with certain field names."""

    times: tuple[tuple[str | None, TimeRule], ...]  # with the name of a field that is surely there
    message: Sentence
    _logsource: LogSourceRule
    _parts: tuple[tuple[str, Any, Choice | None], ...]  # of the view in order: its value, or whence
    _steps: tuple[Step, ...]
    _told_by: tuple[str, ...]
    _only: str | None  # the one field that tells
    _known: dict[Any, Told] = field(default_factory=dict)

    def view(self, fields: Fields) -> tuple[dict[str, Any], LogSource]:
        """The ECS view of the fields, flat and dotted, and their logsource."""
        if self._only is not None:
            key = fields[self._only]
            is_short = type(key) is int or (
                type(key) is str and len(key) <= limits.RECORD_PLAN_VALUE_CHARS_MAX
            )
        else:
            key = tuple([lookup(fields, name) for name in self._told_by])
            is_short = all(map(_is_short, key))
        told = self._known.get(key) if is_short else None
        if told is None:
            told = self._tell(fields)
            if is_short:
                if len(self._known) >= limits.RECORD_PLAN_VALUES_MAX:
                    self._known.clear()
                self._known[key] = told
        ecs = told.ecs.copy()
        for target, name, convert in self._steps:
            value = fields if name is None else fields[name]
            if convert is not text:
                value = convert(value)
            elif type(value) is not str or len(value) <= ABSENT_CHARS_MAX:
                value = text(value)
            if value is None:
                del ecs[target]
            else:
                ecs[target] = value
        return ecs, told.logsource

    def _tell(self, fields: Fields) -> Told:
        ecs: dict[str, Any] = {}
        for target, value, choice in self._parts:
            if choice is None:
                ecs[target] = value
            elif (found := choice.of(fields)) is not None:
                ecs[target] = found
        return Told(ecs, self._logsource.of(fields))


def plan_of(definition: Definition, fields: Fields) -> Plan:
    """The plan for records with these field names; remembered if they are of usual length."""
    names = (*fields,)
    found = definition.plans.get(names)
    if found is None:
        found = _made(definition, frozenset(names))
        if are_usual(names):
            if len(definition.plans) >= limits.RECORD_PLANS_MAX:
                definition.plans.clear()
            definition.plans[names] = found
    return found


def _is_short(value: Any) -> bool:
    return type(value) in TELLING and (
        type(value) is not str or len(value) <= limits.RECORD_PLAN_VALUE_CHARS_MAX
    )


def _made(definition: Definition, names: frozenset[str]) -> Plan:
    def may_be_there(name: str) -> bool:
        return name in names or ("." in name and name.partition(".")[0] in names)

    def is_plain(name: str) -> bool:
        return name in names and ("." not in name or name.partition(".")[0] not in names)

    rule = definition.logsource
    choices = {target: _within(one, may_be_there) for target, one in _choices(definition).items()}
    telling = [one for one in choices.values() if one.table is not None]
    telling += [one for one in (rule.product, rule.category, rule.service) if type(one) is Choice]
    told_by = {name for one in telling for name in one.fields if may_be_there(name)}
    parts: list[tuple[str, Any, Choice | None]] = []
    steps: list[Step] = []
    parts += [(target, value, None) for target, value in definition.ecs.fixed.items()]
    for target, choice in choices.items():
        if told_by.issuperset(name for name in choice.fields if may_be_there(name)):
            parts.append((target, None, choice))
            continue
        parts.append((target, None, None))
        only = choice.fields[0]
        if len(choice.fields) == 1 and is_plain(only) and choice == Choice((only,), choice.convert):
            steps.append((target, only, choice.convert))
        else:
            steps.append((target, None, _reader(choice, names)))
    times = [
        (one.field if is_plain(one.field) and not one.more else None, one)
        for one in definition.times
        if all(map(may_be_there, (one.field, *one.more)))
    ]
    ordered = tuple(sorted(told_by))
    only_teller = ordered[0] if len(ordered) == 1 and is_plain(ordered[0]) else None
    return Plan(
        tuple(times),
        definition.message.within(may_be_there),
        rule,
        tuple(parts),
        tuple(steps),
        ordered,
        only_teller,
    )


def _reader(choice: Choice, names: frozenset[str]) -> Callable[[Any], Any]:
    """What gives the choice's value out of all fields; for one name in an object there is more."""
    only = choice.fields[0]
    outer, _, inner = only.partition(".")
    is_inside = only not in names and "." not in inner
    if len(choice.fields) > 1 or not is_inside or choice != Choice((only,), choice.convert):
        return choice.of
    convert = choice.convert

    def inside(fields: Fields) -> Any:
        here = fields[outer]
        found = here.get(inner) if type(here) is dict else lookup(fields, only)
        return None if found is None else convert(found)

    return inside


def _choices(definition: Definition) -> dict[str, Choice]:
    rules = definition.ecs
    plain = {target: Choice((name,), convert) for target, name, convert in rules.plain}
    return plain | dict(rules.chosen)


def _within(choice: Choice, may_be_there: Callable[[str], bool]) -> Choice:
    """The same choice without the fields that are not there; joined ones leave a gap there."""
    if choice.join is not None:
        return choice
    names = tuple(filter(may_be_there, choice.fields))
    return Choice(names, choice.convert, choice.join, choice.table, choice.default)
