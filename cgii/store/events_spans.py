"""Which month files a question concerns, and the positions that each of them has."""

from cgii.store import events_search
from cgii.store.events_faults import Unusable
from cgii.store.events_files import MonthFiles
from cgii.store.events_plan import Stretch, may_hold

Spans = list[tuple[str, Stretch]]  # month, and its first and last position


def spans(files: MonthFiles, stretch: Stretch, until: float) -> Spans:
    """The months with events in the stretch and their bounds, the newest first.

    Raises Unusable when a file that cannot be used is of a month in the stretch.
    """
    found, shut = all_spans(files, until)
    for month, error in shut.items():
        if may_hold(month, stretch):
            raise error
    inside = [one for one in found if one[1].low < stretch.high and one[1].high >= stretch.low]
    return sorted(inside, key=lambda one: one[1].high, reverse=True)


def all_spans(files: MonthFiles, until: float) -> tuple[Spans, dict[str, Unusable]]:
    """The months with events and their bounds; and why the others cannot be read."""
    found: Spans = []
    shut: dict[str, Unusable] = {}
    for month in files.months():
        span: Stretch | None = None
        try:
            with files.reading(month, until) as reader:
                span = None if reader is None else events_search.span(reader)
        except Unusable as error:
            shut[month] = error
        if span is not None:
            found.append((month, span))
    return found, shut
