"""Every type of correlation means what the oracle says, whatever the batches and the order."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgii.base import limits
from cgii.detect.advance import advance, decide
from cgii.detect.hits import Hit
from cgii.detect.temporal_conditions import parse_expression
from cgii.detect.terms import SECOND, Terms
from cgii.detect.windows import Episode, Step, Window
from tests import correlation_oracle as oracle
from tests.correlation_oracle import Seen, Told

TOLERANCE = limits.LATE_TOLERANCE_SECONDS
NEVER = 10**18  # microseconds: later than anything
Oracle = Callable[[Sequence[Seen], int], list[Told]]


@dataclass(frozen=True)
class Case:
    """A correlation: its terms for a span, and what they mean."""

    terms: Callable[[int], Terms]
    means: Oracle


def counting(kind: str, measure: Callable[[Sequence[Seen]], object], **terms: object) -> list[Case]:
    """A figure with each kind of condition."""
    found = []
    for bounds in (
        (("gte", 3),), (("gt", 2.5),), (("gte", 2), ("gt", 1)),
        (("lt", 3),), (("lte", 2),), (("eq", 2),), (("neq", 2),), (("gte", 2), ("lt", 4)),
    ):  # fmt: skip
        tests = [(COMPARE[name], oracle.exactly(limit)) for name, limit in bounds]

        def holds(window: Sequence[Seen], tests: object = tests) -> bool:
            figure = oracle.exactly(measure(window))
            return all(compare(figure, limit) for compare, limit in tests)  # type: ignore[attr-defined]

        def told(window: Sequence[Seen]) -> float | None:
            return None if kind == "event_count" else float(oracle.exactly(measure(window)))

        at_once = all(name in ("gt", "gte") for name, _ in bounds)
        means = oracle.sliding if at_once else oracle.tumbling
        found.append(
            Case(
                lambda span, bounds=bounds: Terms(span, kind, bounds, **terms),  # type: ignore[misc]
                lambda events, span, means=means, holds=holds: means(events, span, holds, told),  # type: ignore[misc]
            )
        )
    return found


COMPARE = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
    "eq": operator.eq, "neq": operator.ne,
}  # fmt: skip


def in_words(text: str, wanted: set[int], holds: Callable[[set[int]], bool]) -> Case:
    """A temporal correlation with a condition in words."""
    expression = parse_expression(text, ["a", "b", "c"])

    def means(events: Sequence[Seen], span: int) -> list[Told]:
        def asked(window: Sequence[Seen]) -> bool:
            return holds(oracle.rules_seen(window))

        if " not " not in f" {text}":
            return oracle.sliding(events, span, asked, lambda w: float(len(oracle.rules_seen(w))))
        return oracle.unless(events, span, frozenset(wanted), asked)

    return Case(lambda span: Terms(span, "temporal", (), 3, expression), means)


NUMBERS = {
    "value_sum": oracle.total,
    "value_avg": oracle.average,
    "value_median": lambda events: oracle.percentile(events, 50),
    "value_percentile": lambda events: oracle.percentile(events, 90),
}
CASES = {
    "event_count": counting("event_count", len),
    "value_count": counting("value_count", lambda events: len({one.value for one in events})),
    "temporal": [
        *counting("temporal", lambda events: len(oracle.rules_seen(events)), rule_count=3),
        in_words("a and (b or c)", {0, 1, 2}, lambda seen: 0 in seen and bool(seen & {1, 2})),
        in_words("a and b and not c", {0, 1}, lambda seen: {0, 1} <= seen and 2 not in seen),
        in_words("not b and a or c and a", {0, 2}, lambda s: 0 in s and (1 not in s or 2 in s)),
    ],
    "temporal_ordered": [
        Case(
            lambda span: Terms(span, "temporal_ordered", (("gte", 3),), 3),
            lambda events, span: oracle.sliding(events, span, lambda w: oracle.has_chain(w, 3)),
        )
    ],
    "absence": [Case(lambda span: Terms(span, "absence", (), 3), oracle.absence)],
    "silence": [
        Case(lambda span: Terms(span, "silence", (("gte", 1),)), oracle.silence),
        Case(
            lambda span: Terms(span, "silence", (("gte", 3),)),
            lambda events, span: oracle.silence(events, span, 3),
        ),
    ],
    "first_seen": [
        Case(
            lambda span, days=days: Terms(span, "first_seen", learning_seconds=span * days // 4),  # type: ignore[misc]
            lambda events, span, days=days: oracle.first_seen(events, span, span * days // 4),  # type: ignore[misc]
        )
        for days in (0, 1, 4)
    ],
    **{
        kind: counting(kind, measure, **({"percentile": 90} if "percentile" in kind else {}))
        for kind, measure in NUMBERS.items()
    },
}
TYPES = sorted(CASES)


@st.composite
def streams(draw: st.DrawFn, kind: str) -> list[Seen]:
    """Events in bursts and gaps, a few at the same second."""
    gaps = draw(st.lists(st.sampled_from((0, 0, 1, 2, 5, 9, 10, 11, 299, 301, 900)), max_size=40))
    values: st.SearchStrategy[object] = st.just(None)
    if kind in NUMBERS:
        values = st.sampled_from((-4, 0, 1, 2, 3, 0.1, 0.2, 2.5, 10**15))
    elif kind in ("value_count", "first_seen"):
        values = st.sampled_from("abcde")
    rules: st.SearchStrategy[frozenset[int]] = st.just(frozenset({0}))
    if kind in ("temporal", "temporal_ordered", "absence"):
        rules = st.sampled_from(([0], [1], [2], [0, 1], [0, 2], [0, 1, 2])).map(frozenset)
    at, found = 100_000, []
    for number, gap in enumerate(gaps):
        at += gap
        name = f"e{draw(st.integers(0, 9))}{number:03d}"
        found.append(Seen(at, name, draw(rules), draw(values)))  # type: ignore[arg-type]
    return found


@st.composite
def arrivals(draw: st.DrawFn, events: list[Seen]) -> list[list[Seen]]:
    """The events delayed by no more than the tolerance, some twice, cut into batches."""
    delays = [draw(st.integers(0, TOLERANCE)) for _ in events]
    order = sorted(range(len(events)), key=lambda i: (events[i].at + delays[i], i))
    stream = [events[i] for i in order]
    if stream and draw(st.booleans()):
        stream.insert(1, stream[0])  # sent twice
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def hit(one: Seen) -> Hit:
    mask = sum(1 << place for place in one.rules)
    return Hit(one.at * SECOND, one.name, "s", None, mask, one.value)


class Store:
    """Keeps alerts and a window as a data base would."""

    def __init__(self) -> None:
        self.alerts: dict[tuple[int, tuple[str, ...]], Episode] = {}
        self.window = Window()
        self.late = 0

    def take(self, step: Step) -> None:
        """Write what a step tells."""
        for one in step.withdrawn:
            del self.alerts[self._name(one)]
        for one in step.changed:
            assert (self._name(one) not in self.alerts) == (one in step.opened)
            self.alerts[self._name(one)] = one
        self.late += step.late

    def _name(self, one: Episode) -> tuple[int, tuple[str, ...]]:
        return one.began, one.values[:1] if one.is_named else ()

    def restart(self) -> None:
        """Nothing stays but what was written down."""
        again = Window.from_json(self.window.to_json())
        assert again == self.window
        self.window = again

    @property
    def told(self) -> list[Told]:
        """The alerts in the oracle's words."""
        return sorted(
            Told(e.began // SECOND, e.last // SECOND, e.count, e.samples, e.figure)
            for e in self.alerts.values()
        )


def play(
    batches: Sequence[Sequence[Seen]], terms: Terms, *, restarts: Sequence[bool] = (True,)
) -> Store:
    store = Store()
    for number, batch in enumerate(batches):
        if restarts[number % len(restarts)]:
            store.restart()
        store.take(advance(store.window, [hit(one) for one in batch], terms))
    store.take(decide(store.window, terms, until=NEVER))
    return store


@pytest.mark.parametrize("kind", TYPES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_correlation_is_the_same_whatever_batches_order_and_restarts(
    kind: str, data: st.DataObject
) -> None:
    case = data.draw(st.sampled_from(CASES[kind]))
    events = data.draw(streams(kind))
    span = data.draw(st.sampled_from((1, 10, 300, 900)))
    batches = data.draw(arrivals(events))
    restarts = data.draw(st.lists(st.booleans(), min_size=1, max_size=3))
    with patch.object(limits, "WINDOW_SLACK_ENTRIES", data.draw(st.sampled_from((0, 16)))):
        store = play(batches, case.terms(span), restarts=restarts)
    assert store.late == 0
    assert store.told == sorted(case.means(events, span))


@pytest.mark.parametrize("kind", TYPES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_correlation_with_events_in_order_withdraws_nothing(kind: str, data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES[kind]))
    events = sorted({one.at: one for one in data.draw(streams(kind))}.values())
    terms, window = case.terms(10), Window()
    for one in events:
        step = advance(window, [hit(one)], terms)
        assert step.withdrawn == ()
        assert step.late == 0


@pytest.mark.parametrize("kind", TYPES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_correlation_decided_by_the_clock_tells_what_the_next_event_would(
    kind: str, data: st.DataObject
) -> None:
    case = data.draw(st.sampled_from(CASES[kind]))
    terms = case.terms(10)
    events = data.draw(streams(kind))
    by_clock, by_event = Store(), Store()
    for one in events:
        by_event.take(advance(by_event.window, [hit(one)], terms))
        by_clock.take(decide(by_clock.window, terms, until=(one.at - TOLERANCE) * SECOND))
        by_clock.take(advance(by_clock.window, [hit(one)], terms))
    for store in (by_clock, by_event):
        store.take(decide(store.window, terms, until=NEVER))
    assert by_clock.told == by_event.told == sorted(case.means(events, 10))
