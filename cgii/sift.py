"""From raw records straight to matches: only a record that matches a rule becomes an event.

For those who look for matches and keep nothing else, as `cgii scan` does. The rules see every
record as they would see its event; what is left out is work that nobody would look at.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from cgii.base import limits
from cgii.collect.definition import Definitions
from cgii.collect.normalize import normalize
from cgii.collect.quick import Fields, QuickReader, Shape
from cgii.detect.alerts import Match
from cgii.detect.detector import Detector
from cgii.detect.fields import texts_of_record
from cgii.detect.keywords import LineSearch
from cgii.detect.recipes import NO_ECS, Recipe, Way, taker
from cgii.model.event import Event, Origin, Raw, Rejected

NUL = b"\\u0000"
TELLING = (str, int, bool)  # types of values by which ways are remembered


@dataclass(frozen=True, slots=True)
class Sifted:
    """What became of the raw records of one batch."""

    events: int  # how many could be read
    matches: list[Match]
    rejected: list[Rejected]


@dataclass(slots=True)
class Told:
    """What is known of a record: the numbers of the rules that match, and how it was read."""

    numbers: Sequence[int]
    fields: Fields
    way: Way


class Sieve:
    """Sifts the records of one source with one detector. For one thread."""

    def __init__(self, source: str, definitions: Definitions, detector: Detector) -> None:
        self._definitions = definitions
        self._detector = detector
        definition = definitions.by_name.get(source)
        self._reader = QuickReader(definition) if definition is not None else None
        self._ecs_names = self._reader.ecs_names if self._reader is not None else frozenset()
        self._lines = LineSearch()

    def sift(self, origin: Origin, raws: Sequence[Raw], *, received_at: datetime) -> Sifted:
        """The matches of a batch, in its order; `origin` is of this sieve's source."""
        kept: list[Raw] = []
        known: dict[int, Told] = {}  # by the place in `kept`
        lines = [data if type(data) is bytes else b"" for _, data, _ in raws]
        spoken = self._lines.found_in(lines)
        for number, line in enumerate(lines):
            one = self._tell(line, spoken.get(number, ()), received_at)
            if one is False:
                continue
            if one is not None:
                known[len(kept)] = one
            kept.append(raws[number])
        read = normalize(origin, kept, self._definitions, received_at=received_at)
        refused = {one.seq for one in read.rejected}
        places = (place for place, raw in enumerate(kept) if raw.seq not in refused)
        matches: list[Match] = []
        for place, event in zip(places, read.events, strict=True):
            told = known.get(place)
            if told is not None:
                matches += self._matches(event, told)
            else:
                matches += self._detector.match([event])
        return Sifted(len(raws) - len(read.rejected), matches, read.rejected)

    def _tell(
        self, line: bytes, spoken: Collection[bytes], received_at: datetime
    ) -> Told | Literal[False] | None:
        """What matches a record that can be read; False: no rule; None: the long way can tell."""
        reader = self._reader
        found = reader.fields_of(line, received_at) if reader is not None else None
        if found is None:
            return None
        fields, shape = found
        try:
            way = shape.known[shape.key(fields)]
        except (KeyError, TypeError):
            way = self._way(fields, shape)
        if way is None:
            return None
        proposed = way.proposed(fields)
        keywords = way.index.keywords
        if keywords is not None and (
            not keywords.sought.isdisjoint(spoken)
            if self._lines.covers(keywords)
            else keywords.may_stand_in(line)
        ):
            if NUL in line:
                return None  # in an event it is made visible
            proposed += keywords.proposed(texts_of_record(fields, line.decode()))
        if not proposed:
            return False
        numbers = way.verdict(proposed, fields, partial(_spoken, fields, line))
        return Told(numbers, fields, way) if numbers else False

    def _way(self, fields: Fields, shape: Shape) -> Way | None:
        """How to match such records, remembered for the next one of its shape and class.

        None when rules of this class read the ECS view, which is not made here, or the parser
        refuses what tells the class.
        """
        reader = self._reader
        if reader is None or not reader.accepts(fields):
            return None
        route = self._detector.router.route(reader.logsource_of(fields))
        plan = route.plan(fields, NO_ECS)
        way: Way | None = None
        if plan.names.isdisjoint(self._ecs_names):
            way = Recipe(plan, fields) if shape.is_settled else Way(plan)
        mine = (*reader.told_by, *route.names)
        # The shape knows the types, so 1 and true are not taken for each other. What is missing
        # at its own name may be elsewhere in the event.
        if all(type(fields.get(name)) in TELLING for name in mine):
            if not shape.told_by.issuperset(mine):
                shape.told_by = shape.told_by.union(mine)
                shape.key = taker(sorted(shape.told_by))
                shape.known.clear()
            elif len(shape.known) >= limits.PLANS_MAX:
                shape.known.clear()
            shape.known[shape.key(fields)] = way
        return way

    def _matches(self, event: Event, told: Told) -> list[Match]:
        """The matches with their reasons, which may be known from a record with such values."""
        matches: list[Match] = []
        for number in told.numbers:
            reasons = told.way.reasons(number, told.fields)
            if reasons is None:
                match = self._detector.told(event, number)
                names = self._detector.read_by(number, event.logsource)
                if names.isdisjoint(self._ecs_names):
                    told.way.keep_reasons(number, names, told.fields, match.explanation)
            else:
                match = Match(self._detector.rules.single[number], event, reasons)
            matches.append(match)
        return matches


def _spoken(fields: Fields, line: bytes) -> list[str]:
    return texts_of_record(fields, line.decode())
