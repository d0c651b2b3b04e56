"""first_seen: a value that its key has not shown for a timespan, once the key is well known.

A key begins to learn with its first event, and anew after a whole timespan without any. While it
learns, values are only remembered. What lies before `until` is final and stands in the memory; the
events after it are gone through again when one comes out of order.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from cgii.base import limits
from cgii.detect.arrivals import sort_out
from cgii.detect.episodes import compare, samples_of
from cgii.detect.hits import Hit
from cgii.detect.terms import Terms
from cgii.detect.windows import Episode, Memory, Step, Tip, Window


def remember(
    window: Window, hits: Sequence[Hit], terms: Terms, *, gone: Collection[str] = ()
) -> Step:
    """Add events to what a key has shown, and take out those that were taken back."""
    tip = window.tip
    if tip is None:
        tip = Tip({hit.event_id for hit in window.hits})
        tip.episodes = _tell(window.memory, window.hits, terms).told
        window.tip = tip
    fresh, late = sort_out(window, hits, tip.known)
    leaving = {one for one in gone if one in tip.known}
    if not fresh and not leaving:
        return Step(late=late)
    before = tip.episodes
    window.hits = sorted([*(h for h in window.hits if h.event_id not in leaving), *fresh])
    after = _tell(window.memory, window.hits, terms).told
    evicted = _fold(window, terms) if window.hits else 0
    until = window.until
    tip.known = {hit.event_id for hit in window.hits}
    tip.episodes = [e for e in after if until is None or e.began >= until]
    change = compare(before, after)
    return Step(change.changed, change.opened, change.withdrawn, late, evicted, is_changed=True)


@dataclass(slots=True)
class _Telling:
    """What a run through events leads to: the alerts, and what to change in the memory."""

    start: int | None
    last: int | None
    is_anew: bool = False  # whether what was remembered before counts no longer
    seen: dict[str, int] = field(default_factory=dict)
    told: list[Episode] = field(default_factory=list)


def _tell(memory: Memory | None, hits: Sequence[Hit], terms: Terms) -> _Telling:
    known = memory.seen if memory else {}
    found = _Telling(memory.start, memory.last) if memory else _Telling(None, None)
    for hit in hits:
        if found.last is None or hit.at - found.last >= terms.span:
            found.start, found.is_anew, known = hit.at, True, {}
            found.seen.clear()
        value = str(hit.value)
        seen = found.seen.get(value, known.get(value))
        is_new = seen is None or hit.at - seen >= terms.span
        if is_new and found.start is not None and hit.at - found.start >= terms.learning:
            found.told.append(_episode(hit, value))
        found.seen[value] = found.last = hit.at
    return found


def _episode(hit: Hit, value: str) -> Episode:
    return Episode(
        hit.at, hit.at, 1, samples_of([hit]), hit.source, hit.sensor_id, None, (value,), hit.mask,
        hit.at, hit.record or hit.event_id, is_named=True,
    )  # fmt: skip


def _fold(window: Window, terms: Terms) -> int:
    """Put into the memory what has become final; how many values had to be forgotten."""
    newest = window.hits[-1].at
    until = newest - terms.tolerance
    until = until if window.until is None else max(until, window.until)
    if len(window.hits) > limits.WINDOW_ENTRIES_MAX:
        until = newest + 1  # the tolerance goes first
    window.until = until
    final = [hit for hit in window.hits if hit.at < until]
    if not final:
        return 0
    run = _tell(window.memory, final, terms)
    assert run.start is not None
    assert run.last is not None
    old = window.memory.seen if window.memory and not run.is_anew else {}
    seen = {**old, **run.seen}
    oldest = run.last - terms.span
    seen = {value: at for value, at in seen.items() if at > oldest}
    surplus = max(0, len(seen) - limits.SEEN_VALUES_MAX)
    if surplus:
        for value in sorted(seen, key=lambda one: (seen[one], one))[:surplus]:
            del seen[value]
    window.memory = Memory(run.start, run.last, seen)
    window.hits = window.hits[len(final) :]
    return surplus
