"""What correlations mean, by brute force over all events at once; shares no code with the engine.

Times are whole seconds. An oracle gets every event of one key, each once, and looks at all of them
for every question. It is slow and says what the manual says, nothing more.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

SHOWN = 20  # names that an alert keeps


class Seen(NamedTuple):
    """An event of one key."""

    at: int
    name: str
    rules: frozenset[int] = frozenset({0})  # places in the list of rules
    value: str | int | float | None = None


class Told(NamedTuple):
    """An alert: its window, how many events, the newest of them, what was measured."""

    began: int
    last: int
    count: int
    names: tuple[str, ...]
    figure: float | None = None


Question = Callable[[Sequence[Seen]], bool]  # of the events in a window
Measure = Callable[[Sequence[Seen]], float | None]


def exactly(value: object) -> Fraction:
    """A number without rounding."""
    return Fraction(str(value))


def average(events: Sequence[Seen]) -> Fraction:
    """Of the events' values."""
    return total(events) / len(events)


def total(events: Sequence[Seen]) -> Fraction:
    """The sum of the events' values."""
    return sum((exactly(one.value) for one in events), Fraction(0))


def percentile(events: Sequence[Seen], share: float) -> Fraction:
    """Between the two nearest values, in proportion."""
    values = sorted(exactly(one.value) for one in events)
    place = exactly(share) / 100 * (len(values) - 1)
    below = values[int(place)]
    above = values[min(int(place) + 1, len(values) - 1)]
    return below + (above - below) * (place - int(place))


def rules_seen(events: Sequence[Seen]) -> set[int]:
    """The places of all rules that some event matched."""
    return {place for one in events for place in one.rules}


def has_chain(events: Sequence[Seen], length: int, used: tuple[Seen, ...] = ()) -> bool:
    """Whether different events match the rules 0, 1, … one after the other (or at once)."""
    if len(used) == length:
        return True
    return any(
        has_chain(events, length, (*used, one))
        for one in events
        if len(used) in one.rules and one not in used and (not used or used[-1].at <= one.at)
    )


def sliding(
    events: Sequence[Seen], span: int, holds: Question, measure: Measure = lambda _: None
) -> list[Told]:
    """For every moment look at the window (now - span, now], then join what follows on."""
    everything = sorted(set(events))
    moments = sorted({one.at for one in everything})
    alerts: list[Told] = []
    stories: list[list[Seen]] = []
    was_hot = False
    for number, now in enumerate(moments):
        window = [one for one in everything if now - span < one.at <= now]
        is_alone = number == 0 or now - moments[number - 1] >= span
        if not holds(window):
            was_hot = False
            continue
        if was_hot and not is_alone:
            story = stories[-1] + [one for one in window if one not in stories[-1]]
            stories[-1] = story
            alerts[-1] = alerts[-1]._replace(last=now)
        else:
            stories.append(window)
            alerts.append(Told(now, now, 0, ()))
        was_hot = True
        alerts[-1] = alerts[-1]._replace(
            count=len(stories[-1]), names=_names(stories[-1]), figure=measure(window)
        )
    return alerts


def tumbling(
    events: Sequence[Seen], span: int, holds: Question, measure: Measure = lambda _: None
) -> list[Told]:
    """The first event opens a window; the next one after its end opens another."""
    left = sorted(set(events))
    alerts = []
    while left:
        end = left[0].at + span
        window = [one for one in left if one.at < end]
        if holds(window):
            alerts.append(_ended(window, end, measure(window)))
        left = [one for one in left if one.at >= end]
    return alerts


def unless(
    events: Sequence[Seen], span: int, wanted: frozenset[int], holds: Question
) -> list[Told]:
    """Every event of a wanted rule opens a window, unless one that led to an alert still lasts."""
    everything = sorted(set(events))
    alerts: list[Told] = []
    for one in everything:
        if not one.rules & wanted or (alerts and one.at < alerts[-1].last):
            continue
        window = [other for other in everything if one.at <= other.at < one.at + span]
        if holds(window):
            alerts.append(_ended(window, one.at + span, float(len(rules_seen(window)))))
    return alerts


def absence(events: Sequence[Seen], span: int) -> list[Told]:
    """Events of the first rule alone, none of the others within the span after it."""
    everything = sorted(set(events))
    asking = [one for one in everything if one.rules == {0}]
    answers = [one for one in everything if one.rules != {0}]
    alerts: list[Told] = []
    for one in asking:
        if alerts and one.at < alerts[-1].last:
            continue
        end = one.at + span
        if not any(one.at <= answer.at < end for answer in answers):
            alerts.append(_ended([other for other in asking if one.at <= other.at < end], end))
    return alerts


def silence(events: Sequence[Seen], span: int, needed: int = 1) -> list[Told]:
    """After an event nothing for a whole span, while before there had been enough."""
    everything = sorted(set(events))
    alerts = []
    for number, one in enumerate(everything):
        if any(other.at < one.at + span for other in everything[number + 1 :]):
            continue
        heard = [o for o in everything[: number + 1] if one.at - span < o.at]
        if len(heard) >= needed:
            heard = heard[-needed:]
            alerts.append(Told(one.at, one.at + span, needed, _names(heard)))
    return alerts


def first_seen(events: Sequence[Seen], span: int, learning: int) -> list[Told]:
    """Values that did not come for a span, of a key known for the learning period."""
    everything = sorted(set(events))
    alerts = []
    for number, one in enumerate(everything):
        known = [one]
        for other in reversed(everything[:number]):
            if known[-1].at - other.at >= span:
                break
            known.append(other)
        is_new = not any(o.value == one.value and one.at - o.at < span for o in known[1:])
        if is_new and one.at - known[-1].at >= learning:
            alerts.append(Told(one.at, one.at, 1, (one.name,)))
    return alerts


def _ended(window: Sequence[Seen], end: int, figure: float | None = None) -> Told:
    return Told(window[0].at, end, len(window), _names(window), figure)


def _names(events: Sequence[Seen]) -> tuple[str, ...]:
    return tuple(one.name for one in events)[-SHOWN:]
