"""What is known of flat records of one shape and class: which values to read, what came of them.

Traffic repeats itself: the same program is started with the same words again and again. So the
verdict on the values that the proposed rules read, and the reasons for it, are remembered.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import getitem, itemgetter
from typing import Any

from cgii.base import limits
from cgii.detect.fields import Fields
from cgii.detect.nodes import KEYWORD
from cgii.detect.plans import Index, Plan, Spoken
from cgii.detect.screens import Proposed, ValueMemory
from cgii.model.event import MatchedField

Reasons = tuple[MatchedField, ...]
NO_ECS: Fields = {}


def taker(names: Sequence[str]) -> Callable[[Fields], tuple[Any, ...]]:
    """Gives the values under these names, all of which are there, natively.

    Of a single name it gives the value twice, since one alone would be no tuple.
    """
    if not names:
        return lambda fields: ()
    return itemgetter(*names) if len(names) > 1 else itemgetter(names[0], names[0])


class Recollection:
    """What was found for the values under some names. Equal values must be of one type."""

    __slots__ = ("_known", "_memory", "_take")

    def __init__(self, names: Iterable[str], memory: ValueMemory) -> None:
        self._take = taker(sorted(names))
        self._memory = memory
        self._known: dict[tuple[Any, ...], Any] = {}

    def find(self, fields: Fields) -> Any:
        """What was kept for these values; None if nothing was."""
        try:
            return self._known.get(self._take(fields))
        except TypeError:  # a list among the values
            return None

    def keep(self, fields: Fields, found: Any) -> None:
        """Keep what was found for these values, unless they are lists or very long."""
        values = self._take(fields)
        chars = sum(len(value) for value in values if type(value) is str)
        if chars > limits.VALUE_CACHE_CHARS_MAX or any(type(value) is list for value in values):
            return
        if len(self._known) >= limits.RECOLLECTIONS_MAX:
            self._known.clear()
        self._memory.spend(chars)
        self._known[values] = found


class Way:
    """How to match records of one class of events whose plan reads nothing of their ECS view."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.index = plan.index  # by which the last record was looked at

    def proposed(self, fields: Fields) -> list[Proposed]:
        """The candidates that the fields propose, by `self.index`; what is always asked too."""
        self.index = self.plan.index  # one for the whole record: a plan may learn at any moment
        return self.plan.proposed(self.index, fields, NO_ECS)

    def verdict(self, proposed: list[Proposed], fields: Fields, spoken: Spoken) -> Sequence[int]:
        """The numbers of the proposed rules that match, in order."""
        return self.plan.evaluated(proposed, fields, NO_ECS, spoken)

    def reasons(self, number: int, fields: Fields) -> Reasons | None:
        """Why that rule matches these fields, if that is remembered."""
        return None

    def keep_reasons(self, number: int, names: set[str], fields: Fields, reasons: Reasons) -> None:
        """Remember why that rule matches; `names` are all that it reads, KEYWORD for more."""


class Recipe(Way):
    """The same for flat records that have the same names and types: their values are remembered.

    `names` are those of their fields; nothing lies under a dotted name.
    """

    def __init__(self, plan: Plan, names: Iterable[str]) -> None:
        super().__init__(plan)
        self._names = frozenset(names)
        self._reasons: dict[int, Recollection | None] = {}
        self._verdicts: dict[tuple[Proposed, ...], Recollection | None] = {}
        self._follow(plan.index)
        plan.memory.join(self)

    def _follow(self, index: Index) -> None:
        """Read what this choice of witnesses asks for."""
        self.index = index
        pairs = list(zip(index.names, index.screens, strict=True))
        there = [(name, screen) for name, screen in pairs if name in self._names]
        self._take = taker([name for name, _ in there])
        self._screens = tuple(screen for _, screen in there)
        # A field is missing only if it is there under none of its names.
        missing = {id(screen): screen for _, screen in pairs}
        for screen in self._screens:
            missing.pop(id(screen), None)
        always = [index.always, *(screen.of_any(None) for screen in missing.values())]
        self._always = [one for one in always if one]
        self._verdicts = {}

    def forget(self) -> None:
        """Start to remember anew."""
        self._reasons.clear()
        self._verdicts.clear()

    def proposed(self, fields: Fields) -> list[Proposed]:
        """The candidates that the fields propose, by `self.index`; what is always asked too."""
        plan = self.plan
        if plan.index is not self.index:
            self._follow(plan.index)
        plan.due -= 1
        if plan.due < 0:
            plan.observe(fields)
        values = self._take(fields)
        try:
            found = [*filter(None, map(getitem, self._screens, values))]
        except TypeError:  # a list cannot be looked up
            pairs = zip(self._screens, values, strict=False)
            found = [*filter(None, (screen.of_any(value) for screen, value in pairs))]
        return found + self._always if self._always else found

    def verdict(self, proposed: list[Proposed], fields: Fields, spoken: Spoken) -> Sequence[int]:
        """The numbers of the proposed rules that match, in order; remembered by what they read."""
        asked = tuple(proposed)
        try:
            recollection = self._verdicts[asked]
        except KeyError:
            recollection = self._open(asked)
        if recollection is None:
            return self.plan.evaluated(proposed, fields, NO_ECS, spoken)
        known: list[int] | None = recollection.find(fields)
        if known is None:
            known = self.plan.evaluated(proposed, fields, NO_ECS, spoken)
            recollection.keep(fields, known)
        return known

    def _open(self, asked: tuple[Proposed, ...]) -> Recollection | None:
        """What to remember verdicts by; None if some rule looks at more than fields."""
        if len(self._verdicts) >= limits.RECOLLECTIONS_MAX:
            self._verdicts.clear()
        places = self.plan.read_by({number for one in asked for number in one})
        found = self._recollection(name for place in places for name in place.names)
        self._verdicts[asked] = found
        self.plan.memory.spend(0)
        return found

    def _recollection(self, names: Iterable[str]) -> Recollection | None:
        wanted = set(names)
        if KEYWORD in wanted:
            return None
        return Recollection(wanted & self._names, self.plan.memory)

    def reasons(self, number: int, fields: Fields) -> Reasons | None:
        """Why that rule matches these fields, if it was told for such values."""
        recollection = self._reasons.get(number)
        found: Reasons | None = recollection.find(fields) if recollection is not None else None
        return found

    def keep_reasons(self, number: int, names: set[str], fields: Fields, reasons: Reasons) -> None:
        """Remember why that rule matches."""
        if number not in self._reasons:
            self._reasons[number] = self._recollection(names)
        recollection = self._reasons[number]
        if recollection is not None:
            recollection.keep(fields, reasons)
