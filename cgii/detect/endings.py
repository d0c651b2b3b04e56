"""Correlations that only the end of a window decides; nothing is told before, nothing taken back.

A window is decided once no event can come that belongs to it: its events are looked at in the order
of time, however they came. What each type takes for a window:

- figures with lt, lte, eq or neq: it opens with the first event and lasts one timespan; the next
  event after it opens the next;
- temporal with `not`: it opens with an event of a rule that is wanted; when it ends without an
  alert, the next such event in it opens another;
- absence: it opens with an event of the first listed rule and ends without an alert when an event
  of another listed rule comes;
- silence: it opens with each event and ends without an alert when another comes.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter

from cgii.base import limits
from cgii.detect.arrivals import sort_out
from cgii.detect.episodes import begin, samples_of
from cgii.detect.hits import Hit
from cgii.detect.tallies import Tally, tally_for
from cgii.detect.terms import Terms
from cgii.detect.windows import Episode, Step, Tip, Window

AT = attrgetter("at")


def wait(
    window: Window,
    hits: Sequence[Hit],
    terms: Terms,
    *,
    gone: Collection[str] = (),
    until: int | None = None,
) -> Step:
    """Add events; with `until`, also decide what ends by then whoever else speaks."""
    tip = window.tip or Tip({hit.event_id for hit in window.hits})
    window.tip = tip
    fresh, late = sort_out(window, hits, tip.known)
    leaving = {one for one in gone if one in tip.known}
    if leaving:
        window.hits = [hit for hit in window.hits if hit.event_id not in leaving]
        tip.known -= leaving
    for hit in fresh:
        if not window.hits or hit > window.hits[-1]:
            window.hits.append(hit)
        else:
            insort(window.hits, hit)
        tip.known.add(hit.event_id)
    if not fresh and not leaving and until is None:
        return Step(late=late)
    limit = [] if until is None else [until]
    if window.until is not None:
        limit.append(window.until)
    if fresh:
        limit.append(fresh[-1].at - terms.tolerance)
    window.until = max(limit, default=None)
    told = _decide(window, terms)
    evicted = 0
    if len(window.hits) > limits.WINDOW_ENTRIES_MAX:
        window.until = window.hits[-1].at  # as in sliding windows, the tolerance goes first
        told += _decide(window, terms)
        evicted = _evict(window, terms)
    return Step(tuple(told), tuple(told), (), late, evicted, is_changed=True)


def _decide(window: Window, terms: Terms) -> list[Episode]:
    told: list[Episode] = []
    decide = DECIDERS["not" if terms.expression else terms.kind]
    if window.until is None:
        return told
    before = len(window.hits)
    decide(window, terms, told)
    if window.tip is not None and len(window.hits) != before:
        window.tip.known = {hit.event_id for hit in window.hits}
    return told


def _evict(window: Window, terms: Terms) -> int:
    """Drop the oldest events of a window that is too full; it stays open, and counts on."""
    surplus = len(window.hits) - limits.WINDOW_ENTRIES_MAX
    if surplus <= 0:
        return 0
    if terms.expression is None:
        window.opened = window.hits[0].at if window.opened is None else window.opened
        window.dropped += surplus
    del window.hits[:surplus]
    window.tip = None
    return surplus


def _tell(window: Window, terms: Terms, hits: Sequence[Hit], tally: Tally | None) -> Episode:
    """The alert of a window that has ended; `hits` begins with the event that opened it."""
    began = hits[0].at if window.opened is None else window.opened
    end = began + terms.span
    found = begin(hits, hits[-1], tally or tally_for(Terms(terms.timespan_seconds)))
    return Episode(
        began, end, found.count + window.dropped, found.samples, found.source, found.sensor_id,
        found.figure, found.values, found.mask, end, found.trigger,
    )  # fmt: skip


def _forget(window: Window, count: int) -> None:
    del window.hits[:count]
    window.opened, window.dropped = None, 0


def _decide_figures(window: Window, terms: Terms, told: list[Episode]) -> None:
    assert window.until is not None
    while window.hits:
        opened = window.hits[0].at if window.opened is None else window.opened
        end = opened + terms.span
        window.due = end
        if window.until < end:
            return
        count = bisect_left(window.hits, end, key=AT)
        inside = window.hits[:count]
        tally = tally_for(terms)
        start = 0
        while start < count:  # events of one moment go together
            stop = start + 1
            while stop < count and inside[stop].at == inside[start].at:
                stop += 1
            tally.add(inside[start:stop])
            start = stop
        if terms.kind == "event_count":
            holds = terms.reached(count + window.dropped)
        else:
            holds = tally.holds(inside[-1].at)
        if holds:
            told.append(_tell(window, terms, inside, tally))
        _forget(window, count)
    window.due = None


def _decide_expression(window: Window, terms: Terms, told: list[Episode]) -> None:
    assert window.until is not None
    assert terms.expression is not None
    wanted = terms.expression.wanted
    hits = window.hits
    tally = tally_for(terms)
    first = last = 0  # the tally holds hits[first:last]
    window.due = None
    while first < len(hits):
        at = hits[first].at
        following = bisect_left(hits, at + 1, first, key=AT)
        if not any(hit.mask & wanted for hit in hits[first:following]):
            if at >= window.until:
                # An event that is still to come may open a window before the next one.
                opening = next((hit.at for hit in hits[first:] if hit.mask & wanted), None)
                window.due = None if opening is None else opening + terms.span
                break
        elif window.until < at + terms.span:
            window.due = at + terms.span
            break
        else:
            stop = bisect_left(hits, at + terms.span, first, key=AT)
            if stop > last:
                tally.add(hits[last:stop])
                last = stop
            if tally.holds(at):
                told.append(_tell(window, terms, hits[first:stop], tally))
                following = stop
        for hit in hits[first : min(following, last)]:
            tally.drop(hit)
        first, last = following, max(following, last)
    if first:
        _forget(window, first)


def _decide_absence(window: Window, terms: Terms, told: list[Episode]) -> None:
    assert window.until is not None
    until = window.until
    window.due = None
    while True:
        # What answers only what came before it is needed no longer once nothing can come there.
        if window.opened is None:
            _forget(window, _idle(window.hits, until))
        opening = next((hit.at for hit in window.hits if hit.mask == 1), None)
        opened = opening if window.opened is None else window.opened
        if opened is None:
            return
        end = opened + terms.span
        answer = next((h.at for h in window.hits if h.mask != 1 and h.at >= opened), None)
        if answer is not None and answer < end:
            if answer >= until:
                window.due = answer  # known to be answered; looked at again when that is final
                return
            window.hits = [h for h in window.hits if h.mask != 1 or h.at > answer]
            window.opened, window.dropped = None, 0
            continue
        window.due = end
        if until < end:
            return
        stop = bisect_left(window.hits, end, key=AT)
        told.append(_tell(window, terms, [h for h in window.hits[:stop] if h.mask == 1], None))
        _forget(window, stop)


def _idle(hits: Sequence[Hit], until: int) -> int:
    """How many events at the front are answers to nothing, and can no longer become any."""
    opening = next((hit.at for hit in hits if hit.mask == 1), until)
    return bisect_left(hits, min(opening, until), key=AT)


def _decide_silence(window: Window, terms: Terms, told: list[Episode]) -> None:
    assert window.until is not None
    start = 0
    hits = window.hits
    window.due = None
    for number, hit in enumerate(hits):
        end = hit.at + terms.span
        if number + 1 < len(hits) and hits[number + 1].at < end:
            continue
        if window.until < end:
            window.due = end
            break
        spoken = [h for h in hits[start : number + 1] if h.at > hit.at - terms.span]
        if len(spoken) >= terms.needed:
            told.append(_quiet(spoken[-terms.needed :], end))
        start = number + 1
    # Of what is final, only as many are needed as have to have been heard.
    final = bisect_left(hits, window.until, key=AT)
    _forget(window, max(start, final - terms.needed))


def _quiet(spoken: Sequence[Hit], end: int) -> Episode:
    last = spoken[-1]
    record = last.record or last.event_id
    return Episode(
        last.at, end, len(spoken), samples_of(spoken), last.source, last.sensor_id,
        at=end, trigger=record,
    )  # fmt: skip


Decider = Callable[[Window, Terms, list[Episode]], None]
DECIDERS: Mapping[str, Decider] = {
    **dict.fromkeys(
        ("event_count", "value_count", "value_sum", "value_avg", "value_percentile",
         "value_median", "temporal"),
        _decide_figures,
    ),
    "not": _decide_expression,
    "absence": _decide_absence,
    "silence": _decide_silence,
}  # fmt: skip
