"""Correlations that fire at once: sliding windows (t - span, t], the state and how events move it.

A point is a moment at which an event stands; it is hot when the events of the window that ends
there fulfil the condition. Hot points that follow one another are one episode, and each episode is
one alert. Events older than `until` can no longer come, so what lies before it is final; what
lies after it is computed anew when an event comes out of order. That makes the outcome a function
of the set of events, whatever the batches and the order in which they came, as long as nobody is
later than the tolerance. Events in order, the usual case, cost the same however full the window is.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from operator import attrgetter

from cgii.base import limits
from cgii.detect.arrivals import sort_out
from cgii.detect.episodes import begin, compare, extend
from cgii.detect.hits import Hit
from cgii.detect.tallies import tally_for
from cgii.detect.terms import Terms
from cgii.detect.windows import MOVED, STILL, Step, Tip, Window

AT = attrgetter("at")


def slide(window: Window, hits: Sequence[Hit], terms: Terms, *, gone: Collection[str] = ()) -> Step:
    """Add events to a window, and take out those that a chained correlation took back."""
    tip = window.tip
    if tip is None:
        if len(hits) == 1 and not gone and _is_quiet_beginning(window, hits, terms):
            return MOVED
        tip = window.tip = _play_all(window, terms)
    fresh, late = sort_out(window, hits, tip.known)
    leaving = {one for one in gone if one in tip.known} if gone else ()
    if not fresh and not leaving:
        return Step(late=late) if late else STILL
    if not leaving and (tip.at is None or fresh[0].at > tip.at):
        touched = max(0, len(tip.episodes) - 1)
        before = tip.episodes[touched:]
        start = len(window.hits)
        window.hits += fresh
        tip.known.update([hit.event_id for hit in fresh])
        _play(window, tip, start, terms)
        after = tip.episodes[touched:]
    else:
        before = tip.episodes
        kept = [hit for hit in window.hits if hit.event_id not in leaving]
        window.hits = sorted([*kept, *fresh])
        tip = window.tip = _play_all(window, terms)
        after = tip.episodes
    evicted = _move_on(window, terms) if window.hits else 0
    if not before and not after and not late and not evicted:
        return MOVED
    change = compare(before, after)
    return Step(change.changed, change.opened, change.withdrawn, late, evicted, is_changed=True)


def _is_quiet_beginning(window: Window, hits: Sequence[Hit], terms: Terms) -> bool:
    """Begin a window of which nothing is known with one event, unless that event is enough.

    Most windows never get further, so the tip is left to the next event.
    """
    if window.hits or window.open or window.until is not None or window.base is not None:
        return False
    at = hits[0].at
    if not terms.is_one_too_few:
        tally = tally_for(terms)
        tally.add(hits)
        if tally.holds(at):
            return False
    window.hits = [*hits]
    window.until = at - terms.tolerance
    return True


def _move_on(window: Window, terms: Terms) -> int:
    """Advance what is final, and forget what is no longer needed; how many were given up."""
    newest = window.hits[-1].at
    until = newest - terms.tolerance
    window.until = until = until if window.until is None else max(until, window.until)
    if len(window.hits) <= limits.WINDOW_SLACK_ENTRIES:
        return 0
    needless = _first_needed(window, terms, until)
    if needless > limits.WINDOW_SLACK_ENTRIES and 2 * needless > len(window.hits):
        _settle(window, terms, needless)
    if len(window.hits) <= limits.WINDOW_ENTRIES_MAX:
        return 0
    # Give up the tolerance first: what is final needs no hits. The newest ones that still fit
    # are as many as any condition asks for, so no later point turns cold by this.
    by_itself = _first_needed(window, terms, until)
    window.until = newest
    needless = _first_needed(window, terms, newest)
    needless = max(needless, len(window.hits) - limits.WINDOW_ENTRIES_MAX)
    _settle(window, terms, needless)
    return needless - by_itself


def _first_needed(window: Window, terms: Terms, until: int) -> int:
    """Index of the first hit that a point from `until` on may still count."""
    first = bisect_right(window.hits, until - terms.span, key=AT)
    if terms.kind == "event_count":
        # The newest ones before `until` tell whether enough came; the others only how many more.
        first = max(first, bisect_left(window.hits, until, key=AT) - terms.needed)
    return first


def _settle(window: Window, terms: Terms, needless: int) -> None:
    """Make `until` the base: of what lies before it only the open episode and some hits stay."""
    until = window.until
    assert until is not None
    final = bisect_left(window.hits, until, key=AT)
    hits, window.hits = window.hits, window.hits[:final]
    tip = _play_all(window, terms)
    window.base, window.open, window.hits = until, tip.current, hits[needless:]
    window.tip = _play_all(window, terms)


def _play_all(window: Window, terms: Terms) -> Tip:
    """The tip of all hits, from the base on."""
    tip = Tip({hit.event_id for hit in window.hits}, tally_for(terms), current=window.open)
    if window.open:
        tip.episodes.append(window.open)
        tip.at = window.open.last
    _play(window, tip, 0, terms)
    return tip


def _play(window: Window, tip: Tip, start: int, terms: Terms) -> None:
    """Let the tip take in the hits from index `start` on; they are later than what it has seen."""
    hits, tally, span = window.hits, tip.tally, terms.span
    assert tally is not None
    base = window.base
    number, size = start, len(hits)
    while number < size:
        at = hits[number].at
        stop = number + 1
        while stop < size and hits[stop].at == at:
            stop += 1
        here = hits[number:stop]
        if base is not None and at < base:
            tally.add(here)  # final already: only counted
        else:
            gone = at - span
            first = tip.first
            while first < number and hits[first].at <= gone:
                tally.drop(hits[first])
                first += 1
            tip.first = first
            tally.add(here)
            if not tally.holds(at):
                tip.current = None
            elif tip.current is None or (tip.at is not None and tip.at <= gone):
                tip.current = begin(hits[first:stop], here[0], tally)
                tip.episodes.append(tip.current)
            else:
                tip.current = tip.episodes[-1] = extend(tip.current, here, tally)
            tip.at = at
        number = stop
