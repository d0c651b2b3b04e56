"""Which of the events that come are new to a window, and which come too late for it."""

from collections.abc import Collection, Sequence

from cgii.detect.hits import Hit
from cgii.detect.windows import Window


def sort_out(window: Window, hits: Sequence[Hit], known: Collection[str]) -> tuple[list[Hit], int]:
    """The hits that count, in order, and how many were late. An event counts once."""
    until = window.until
    if len(hits) == 1:  # the usual case
        (hit,) = hits
        if hit.event_id in known:
            return [], 0
        return ([hit], 0) if until is None or hit.at >= until else ([], 1)
    fresh: dict[str, Hit] = {}
    late: set[str] = set()
    for hit in hits:
        if hit.event_id in known:
            continue
        if until is not None and hit.at < until:
            late.add(hit.event_id)
        elif hit.event_id in fresh:
            fresh[hit.event_id] = _joined(fresh[hit.event_id], hit)
        else:
            fresh[hit.event_id] = hit
    return sorted(fresh.values()), len(late)


def _joined(one: Hit, other: Hit) -> Hit:
    """One event that several of the listed rules match."""
    value = other.value if one.value is None else one.value
    return one._replace(mask=one.mask | other.mask, value=value)
