"""One step of one window, whatever its correlation's type."""

from collections.abc import Collection, Sequence

from cgii.detect.endings import wait
from cgii.detect.hits import Hit
from cgii.detect.novelty import remember
from cgii.detect.sliding import slide
from cgii.detect.terms import Terms
from cgii.detect.windows import Step, Window


def advance(
    window: Window, hits: Sequence[Hit], terms: Terms, *, gone: Collection[str] = ()
) -> Step:
    """Add events to the window, which changes in place; `gone` are ids of events taken back."""
    if terms.kind == "first_seen":
        return remember(window, hits, terms, gone=gone)
    if terms.is_ending:
        return wait(window, hits, terms, gone=gone)
    return slide(window, hits, terms, gone=gone)


def decide(window: Window, terms: Terms, *, until: int) -> Step:
    """Decide what ends by `until`, though no event of this key says that time has passed."""
    return wait(window, [], terms, until=until) if terms.is_ending else Step()
