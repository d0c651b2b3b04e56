"""Several workers over one store of windows tell what the oracle tells, chains included."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from cgii.base import limits
from cgii.detect.detector import Detector
from cgii.detect.examine import Examined
from cgii.detect.hits import micros
from cgii.detect.terms import SECOND
from cgii.detect.window_rows import load_windows, save_windows
from cgii.detect.windows import WindowKey
from cgii.model.alerts import CorrelationWindow
from cgii.model.event import Alert, Event
from cgii.store.database import Database
from tests import correlation_oracle as oracle
from tests.correlation_oracle import Seen, Told
from tests.unit.detect.build import NOON, event, rules

START = micros(NOON)
SPAN = 60
TEXT = """
title: A
id: a
logsource: {}
detection:
  sel: {kind|contains: a}
  condition: sel
---
title: B
id: b
logsource: {}
detection:
  sel: {kind|contains: b}
  condition: sel
---
title: Muchos
id: many
correlation:
  type: event_count
  rules: [a]
  group-by: [who, host]
  timespan: 1m
  condition: {gte: 2}
generate: true
---
title: Valores
id: values
correlation:
  type: value_count
  rules: [a, b]
  group-by: [host]
  timespan: 1m
  condition: {field: who, gte: 2}
---
title: Orden
id: order
correlation:
  type: temporal_ordered
  rules: [a, b]
  group-by: [who]
  timespan: 1m
---
title: Ausencia
id: absent
correlation:
  type: absence
  rules: [a, b]
  group-by: [who, host]
  timespan: 1m
generate: true
---
title: Cadena de muchas
id: over-many
correlation:
  type: event_count
  rules: [many]
  group-by: [host]
  timespan: 1m
  condition: {gte: 2}
generate: true
---
title: Cadena de ausencias
id: over-absent
correlation:
  type: value_count
  rules: [absent, many]
  group-by: [host]
  timespan: 5m
  condition: {field: who, gte: 2}
generate: true
"""
RULES = rules(TEXT)


def keyed(events: Iterable[Event], *names: str) -> dict[tuple[str, ...], list[Event]]:
    found: dict[tuple[str, ...], list[Event]] = defaultdict(list)
    for one in events:
        found[tuple(one.fields[name] for name in names)].append(one)
    return found


def as_seen(one: Event, kinds: str, value: str | None = None) -> Seen:
    places = frozenset(n for n, kind in enumerate(kinds) if kind in one.fields["kind"])
    return Seen((micros(one.at) - START) // SECOND, one.id, places, value)


def told_of(
    events: Iterable[Event], kinds: str, names: Sequence[str],
    asked: Callable[[list[Seen]], list[Told]], value: str = "",
) -> dict[tuple[str, ...], list[Told]]:  # fmt: skip
    """What an oracle says of each key."""
    found = {}
    for key, own in keyed(events, *names).items():
        seen = [as_seen(one, kinds, one.fields.get(value)) for one in own]
        found[key] = asked([one for one in seen if one.rules])
    return found


def expected(events: Sequence[Event]) -> set[tuple[object, ...]]:
    """(rule, key, alert's time, events) of every alert, by brute force."""
    many = told_of(
        events, "a", ("who", "host"), lambda own: oracle.sliding(own, SPAN, lambda w: len(w) >= 2)
    )
    values = told_of(
        events, "ab", ("host",),
        lambda own: oracle.sliding(own, SPAN, lambda w: len({o.value for o in w}) >= 2),
        "who",
    )  # fmt: skip
    order = told_of(
        events, "ab", ("who",),
        lambda own: oracle.sliding(own, SPAN, lambda w: oracle.has_chain(w, 2)),
    )  # fmt: skip
    absent = told_of(events, "ab", ("who", "host"), lambda own: oracle.absence(own, SPAN))
    found: set[tuple[object, ...]] = set()
    for name, told in (("many", many), ("values", values), ("order", order)):
        found |= {(name, key, one.began, one.count) for key, all_ in told.items() for one in all_}
    found |= {("absent", key, one.last, one.count) for key, all_ in absent.items() for one in all_}
    over_many: dict[str, list[Seen]] = defaultdict(list)
    over_both: dict[str, list[Seen]] = defaultdict(list)
    for (who, host), all_ in many.items():
        for one in all_:
            over_many[host].append(Seen(one.began, f"m{who}{one.began}"))
            over_both[host].append(Seen(one.began, f"m{who}{one.began}", value=who))
    for (who, host), all_ in absent.items():
        for one in all_:
            over_both[host].append(Seen(one.last, f"x{who}{one.last}", value=who))
    for host, own in over_many.items():
        over = oracle.sliding(own, SPAN, lambda w: len(w) >= 2)
        found |= {("over-many", (host,), one.began, one.count) for one in over}
    for host, own in over_both.items():
        over = oracle.sliding(own, 300, lambda w: len({o.value for o in w}) >= 2)
        found |= {("over-absent", (host,), one.began, one.count) for one in over}
    return found


class Store:
    """What a data base keeps: windows in rows, alerts by id."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.alerts: dict[str, Alert] = {}
        self.keys: set[WindowKey] = set()
        self.late = 0
        with database.transaction() as session:
            session.execute(delete(CorrelationWindow))

    def take(self, detector: Detector, batch: Sequence[Event]) -> None:
        """One batch in one transaction, as the pipeline does it."""
        examiner = detector.examiner
        matches = detector.match(batch)
        gathered = examiner.gather(matches)
        with self.database.transaction() as session:
            windows = load_windows(session, examiner.keys_of(gathered))
            examined = examiner.examine(matches, windows, gathered)
            assert set(examined.windows) <= examiner.keys_of(gathered)
            save_windows(session, examined.windows, now=NOON, keep_seconds={})
        self._keep(examined)

    def decide(self, detector: Detector, until: int) -> None:
        """What time alone decides by `until`, in seconds."""
        examiner = detector.examiner
        with self.database.transaction() as session:
            windows = load_windows(session, self.keys)
            moment = START + until * SECOND
            keys = examiner.due_keys(windows, lambda rule: moment - rule.terms.tolerance)
            windows |= load_windows(session, examiner.with_outer(keys) - set(windows))
            examined = examiner.decide(keys, windows, lambda rule: moment - rule.terms.tolerance)
            save_windows(session, examined.windows, now=NOON, keep_seconds={})
        self._keep(examined)

    def _keep(self, examined: Examined) -> None:
        self.late += sum(examined.losses.late.values())
        self.keys |= set(examined.windows)
        for gone in examined.withdrawn:
            self.alerts.pop(gone, None)
        for alert in examined.alerts:
            assert (alert.id in examined.opened) == (alert.id not in self.alerts)
            self.alerts[alert.id] = alert

    @property
    def told(self) -> set[tuple[object, ...]]:
        """The alerts in the oracle's words."""
        return {
            (
                alert.rule_id,
                tuple(value for _, value in alert.key),
                (micros(alert.at) - START) // SECOND,
                alert.event_count,
            )
            for alert in self.alerts.values()
            if alert.rule_kind == "correlation"
        }


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Events of two people on two hosts, in bursts and gaps."""
    gaps = draw(st.lists(st.sampled_from((0, 1, 5, 29, 59, 60, 61, 301)), max_size=25))
    at, found = 0, []
    for number, gap in enumerate(gaps):
        at += gap
        fields = {
            "kind": draw(st.sampled_from(("a", "a", "b", "ab"))),
            "who": draw(st.sampled_from(("ana", "eva"))),
            "host": draw(st.sampled_from(("h1", "h1", "h2"))),
        }
        found.append(event(fields, number=number, seconds=at))
    return found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(streams(), st.randoms(use_true_random=False))
def test_correlation_is_the_same_whoever_of_two_workers_takes_a_batch(
    record: Database, events: list[Event], chance: random.Random
) -> None:
    store = Store(record)
    workers = [Detector(RULES), Detector(RULES)]
    arrival = {one.id: (micros(one.at), chance.randint(0, 300 * SECOND)) for one in events}
    stream = sorted(events, key=lambda one: sum(arrival[one.id]))
    while stream:
        size = chance.randint(1, 6)
        batch, stream = stream[:size], stream[size:]
        if chance.random() < 0.2:
            workers[chance.randint(0, 1)] = Detector(RULES)  # it was started again
        now = min(sum(arrival[one.id]) for one in batch) - START
        store.decide(chance.choice(workers), now // SECOND)  # the clock, in between
        store.take(chance.choice(workers), chance.sample(batch, len(batch)))
    for _ in range(limits.CORRELATION_DEPTH_MAX):
        store.decide(workers[0], 10**6)
    assert store.late == 0
    assert store.told == expected(events)


def test_correlation_figures_do_not_depend_on_the_batch(record: Database) -> None:
    events = [
        event({"kind": kind, "who": who, "host": "h1"}, number=number, seconds=7 * number)
        for number, (kind, who) in enumerate([("a", "ana"), ("ab", "eva"), ("b", "ana")] * 20)
    ]
    by_one = Store(record)
    detector = Detector(RULES)
    for one in events:
        by_one.take(detector, [one])
    by_one.decide(detector, 10**6)
    at_once = Store(record)
    at_once.take(detector, events)
    at_once.decide(detector, 10**6)
    assert at_once.alerts == by_one.alerts
    assert len(by_one.alerts) > 5
