"""What a correlation asks for: its type, how long, how many; and when that can be decided."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from cgii.base import ids, limits
from cgii.detect.temporal_conditions import Expression

LENGTHS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
Number = int | float
Exact = int | Fraction
SECOND = 1_000_000
COMPARE: Mapping[str, Callable[[Exact, Exact], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}
SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "neq": "≠"}
DECIDED_AT_ONCE = frozenset({"gt", "gte"})
COUNTED = frozenset({"event_count", "value_count", "temporal", "temporal_ordered", "silence"})
NUMERIC = frozenset({"value_sum", "value_avg", "value_percentile", "value_median"})
VALUED = NUMERIC | {"value_count", "first_seen"}
TEMPORAL = frozenset({"temporal", "temporal_ordered"})
# Types that Sigma does not have.
OURS = frozenset({"first_seen", "absence", "silence"})
KINDS = COUNTED | VALUED | OURS


def exact(number: Number) -> Exact:
    """A number without rounding, a decimal one as it is written: 0.1 is a tenth."""
    return number if isinstance(number, int) else Fraction(repr(number))


def length_of(seconds: int) -> str:
    """A timespan for people: `5 min`, `36 h`, `30 d`."""
    for size, unit in LENGTHS:
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


@dataclass(frozen=True)
class Terms:
    """The type of a correlation and its figures."""

    timespan_seconds: int
    kind: str = "event_count"
    bounds: tuple[tuple[str, Number], ...] = ()  # (operator, threshold), all have to hold
    rule_count: int = 1  # rules in the list, as often as they stand there
    expression: Expression | None = None  # of temporal, in place of bounds
    percentile: Number = 50
    learning_seconds: int = 0  # of first_seen
    # Events that come out of order by more than this are late; a correlation over others that are
    # decided at the end of their windows has to wait for them too.
    tolerance_seconds: int = limits.LATE_TOLERANCE_SECONDS

    @cached_property
    def span(self) -> int:
        """The timespan in microseconds."""
        return self.timespan_seconds * SECOND

    @cached_property
    def tolerance(self) -> int:
        """The tolerance in microseconds."""
        return self.tolerance_seconds * SECOND

    @cached_property
    def learning(self) -> int:
        """The learning period in microseconds."""
        return self.learning_seconds * SECOND

    @cached_property
    def _tests(self) -> tuple[tuple[Callable[[Exact, Exact], bool], Exact], ...]:
        return tuple((COMPARE[name], exact(threshold)) for name, threshold in self.bounds)

    def reached(self, figure: Exact) -> bool:
        """Whether the figure is within all bounds."""
        for compare, threshold in self._tests:  # noqa: SIM110  # a generator takes three times as long
            if not compare(figure, threshold):
                return False
        return True

    @cached_property
    def is_ending(self) -> bool:
        """Whether only the end of the window decides."""
        if self.kind in ("absence", "silence"):
            return True
        if self.expression is not None:
            return self.expression.negates
        return any(name not in DECIDED_AT_ONCE for name, _ in self.bounds)

    @cached_property
    def needed(self) -> int:
        """Of gt and gte over a count: how many are enough."""
        enough = [int(t) + 1 if name == "gt" else -int(-t // 1) for name, t in self.bounds]
        return max(1, *enough) if enough else 1

    @cached_property
    def is_one_too_few(self) -> bool:
        """Whether one event, whichever it is, never fulfils the condition; False when in doubt."""
        if self.kind in ("event_count", "value_count"):
            return not self.reached(1)
        return self.kind == "temporal_ordered" and self.rule_count > 1

    @property
    def fingerprint(self) -> str:
        """Another one means that what is kept of older windows has lost its meaning."""
        return ids.digest("terms", repr(self))[:12]

    @property
    def wanted(self) -> str:
        """The condition in short: `>= 5 en 5 min`."""
        if self.kind == "first_seen":
            days = f"{self.timespan_seconds / 86_400:g}"
            return f"no visto en {days} d"
        if self.kind == "absence":
            return f"no le sigue en {length_of(self.timespan_seconds)}"
        if self.kind == "silence":
            return f"callado {length_of(self.timespan_seconds)}"
        if self.expression is not None:
            return f"{self.expression.text} en {length_of(self.timespan_seconds)}"
        bounds = " y ".join(f"{SIGNS[name]} {threshold:g}" for name, threshold in self.bounds)
        return f"{bounds} en {length_of(self.timespan_seconds)}"
