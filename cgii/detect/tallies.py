"""Measures the events of a sliding window: one class per kind of figure, all without rounding.

Events come in groups of one moment, in the order of time, and leave in the same order.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from cgii.detect.hits import Hit
from cgii.detect.terms import Exact, Terms, exact


class Tally(Protocol):
    """What a window holds at its last moment."""

    def add(self, hits: Sequence[Hit]) -> None:
        """Events of one moment come in."""

    def drop(self, hit: Hit) -> None:
        """The oldest event goes."""

    def holds(self, now: int) -> bool:
        """Whether the condition is fulfilled for the window that ends at `now`."""

    def figure(self) -> float | None:
        """What to tell of it; None where the number of events says it all."""


def tally_for(terms: Terms) -> Tally:
    """An empty tally."""
    return TALLIES[terms.kind](terms)


class Counted:
    """event_count."""

    __slots__ = ("count", "terms")

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.count = 0

    def add(self, hits: Sequence[Hit]) -> None:
        """Events of one moment come in."""
        self.count += len(hits)

    def drop(self, hit: Hit) -> None:
        """The oldest event goes."""
        self.count -= 1

    def holds(self, now: int) -> bool:
        """Whether there are as many as asked for."""
        return self.terms.reached(self.count)

    def figure(self) -> float | None:
        """Nothing more."""
        return None


class Distinct:
    """value_count."""

    __slots__ = ("terms", "values")

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.values: Counter[object] = Counter()

    def add(self, hits: Sequence[Hit]) -> None:
        """Events of one moment come in."""
        for hit in hits:
            self.values[hit.value] += 1

    def drop(self, hit: Hit) -> None:
        """The oldest event goes."""
        self.values[hit.value] -= 1
        if not self.values[hit.value]:
            del self.values[hit.value]

    def holds(self, now: int) -> bool:
        """Whether there are as many values as asked for."""
        return self.terms.reached(len(self.values))

    def figure(self) -> float | None:
        """How many values."""
        return len(self.values)


class Summed:
    """value_sum and value_avg."""

    __slots__ = ("count", "is_average", "terms", "total")

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.is_average = terms.kind == "value_avg"
        self.count = 0
        self.total: Exact = 0

    def add(self, hits: Sequence[Hit]) -> None:
        """Events of one moment come in."""
        self.count += len(hits)
        for hit in hits:
            self.total += _number(hit)

    def drop(self, hit: Hit) -> None:
        """The oldest event goes."""
        self.count -= 1
        self.total -= _number(hit)

    def _measured(self) -> Exact:
        return Fraction(self.total) / self.count if self.is_average else self.total

    def holds(self, now: int) -> bool:
        """Whether the sum or the average is as asked for; never of nothing."""
        return self.count > 0 and self.terms.reached(self._measured())

    def figure(self) -> float | None:
        """The sum or the average."""
        return float(self._measured())


class Ranked:
    """value_median and value_percentile, interpolated between the two nearest values."""

    __slots__ = ("share", "terms", "values")

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.share = Fraction(exact(terms.percentile if terms.kind == "value_percentile" else 50))
        self.values: list[Exact] = []

    def add(self, hits: Sequence[Hit]) -> None:
        """Events of one moment come in."""
        for hit in hits:
            insort(self.values, _number(hit))

    def drop(self, hit: Hit) -> None:
        """The oldest event goes."""
        del self.values[bisect_left(self.values, _number(hit))]

    def _measured(self) -> Exact:
        rank = self.share * (len(self.values) - 1) / 100
        low = int(rank)
        if rank == low:
            return self.values[low]
        return self.values[low] + (self.values[low + 1] - self.values[low]) * (rank - low)

    def holds(self, now: int) -> bool:
        """Whether the value at that rank is as asked for; never of nothing."""
        return bool(self.values) and self.terms.reached(self._measured())

    def figure(self) -> float | None:
        """The value at that rank."""
        return float(self._measured())


class Together:
    """temporal: which of the listed rules were seen, in any order."""

    __slots__ = ("counts", "mask", "terms")

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.counts = [0] * terms.rule_count
        self.mask = 0

    def add(self, hits: Sequence[Hit]) -> None:
        """Events of one moment come in."""
        for hit in hits:
            self.mask |= hit.mask
            for place in range(len(self.counts)):
                self.counts[place] += hit.mask >> place & 1

    def drop(self, hit: Hit) -> None:
        """The oldest event goes."""
        for place in range(len(self.counts)):
            if hit.mask >> place & 1:
                self.counts[place] -= 1
                if not self.counts[place]:
                    self.mask &= ~(1 << place)

    def holds(self, now: int) -> bool:
        """Whether the rules that were seen are those asked for."""
        if self.terms.expression is not None:
            return self.terms.expression.holds(self.mask)
        return self.terms.reached(self.mask.bit_count())

    def figure(self) -> float | None:
        """How many different rules."""
        return self.mask.bit_count()


class InOrder:
    """temporal_ordered: an event for each listed rule, one after the other.

    `starts[i]` is the latest moment at which a chain over the first i + 1 rules may have begun.
    Nothing has to be taken out of it: a chain is too long when it began before the window.
    """

    __slots__ = ("span", "starts")

    def __init__(self, terms: Terms) -> None:
        self.span = terms.span
        self.starts: list[int | None] = [None] * terms.rule_count

    def add(self, hits: Sequence[Hit]) -> None:
        """Events of one moment, which may stand in any order among themselves."""
        now = hits[0].at
        if len(hits) == 1:
            self._add_one(hits[0].mask, now)
            return
        masks = Counter(hit.mask for hit in hits)
        before = list(self.starts)
        for begin in range(len(before)):
            start = now if begin == 0 else before[begin - 1]
            if start is None:
                continue
            for end in range(begin, len(before)):
                if not _fits(range(begin, end + 1), masks):
                    break
                known = self.starts[end]
                self.starts[end] = start if known is None else max(known, start)

    def drop(self, hit: Hit) -> None:
        """The oldest event goes: nothing to do."""

    def _add_one(self, mask: int, now: int) -> None:
        starts = self.starts
        for place in range(len(starts) - 1, 0, -1):  # from behind: an event stands in one place
            start, known = starts[place - 1], starts[place]
            if mask >> place & 1 and start is not None:
                starts[place] = start if known is None else max(known, start)
        if mask & 1:
            starts[0] = now

    def holds(self, now: int) -> bool:
        """Whether a whole chain lies in the window."""
        start = self.starts[-1]
        return start is not None and start > now - self.span

    def figure(self) -> float | None:
        """Nothing more."""
        return None


def _fits(places: range, masks: Counter[int]) -> bool:
    """Whether each place finds an event of its own (a matching, by augmenting paths)."""
    if len(places) == 1:
        return any(mask >> places[0] & 1 for mask in masks)
    taken: dict[tuple[int, int], int] = {}  # (mask, number) → place
    seats = [(m, n) for m, count in masks.items() for n in range(min(count, len(places)))]

    def seat(place: int, tried: set[tuple[int, int]]) -> bool:
        for one in seats:
            if one[0] >> place & 1 and one not in tried:
                tried.add(one)
                if one not in taken or seat(taken[one], tried):
                    taken[one] = place
                    return True
        return False

    return all(seat(place, set()) for place in places)


def _number(hit: Hit) -> Exact:
    value = hit.value
    assert isinstance(value, int | float), "numeric correlations take numbers only"
    return exact(value)


TALLIES: Mapping[str, Callable[[Terms], Tally]] = {
    "event_count": Counted,
    "value_count": Distinct,
    "value_sum": Summed,
    "value_avg": Summed,
    "value_percentile": Ranked,
    "value_median": Ranked,
    "temporal": Together,
    "temporal_ordered": InOrder,
}
