"""Lets threads that wait to write events have them written together, by the one whose turn it is.

Most of the work for a small batch is its transaction. While one is under way those that come wait;
the next one takes along what waits with it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock

from cgii.base import limits
from cgii.base.errors import CgiiError
from cgii.model.event import Event

# What writing may raise, for one event's sake or the disk's.
FAILURES = (CgiiError, ArithmeticError, LookupError, TypeError, ValueError)


class _Wish:
    """Events to be written, and what became of them."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.stored: int | None = None  # None until it is done

    def keep(self, new: set[str]) -> None:
        """It is done; of `new` remains what others had."""
        own = new.intersection([event.id for event in self.events])
        new -= own
        self.stored = len(own)


class Together:
    """`write` gives the ids of what was new; it is called by one thread at a time, under `lock`."""

    def __init__(self, write: Callable[[Sequence[Event]], set[str]], lock: Lock) -> None:
        self._write = write
        self._lock = lock
        self._waiting: deque[_Wish] = deque()  # the oldest first

    def write(self, events: Sequence[Event]) -> int:
        """Write these; how many of them were new. Raises what writing them raises."""
        wish = _Wish(events)
        self._waiting.append(wish)
        with self._lock:
            if wish.stored is None:
                self._write_with_others(wish)
            assert wish.stored is not None
        return wish.stored

    def _write_with_others(self, wish: _Wish) -> None:
        with_others = self._taken(wish)
        try:
            new = self._write([event for one in with_others for event in one.events])
        except FAILURES:
            if len(with_others) == 1:
                raise
            # Nobody fails for another one's sake: each of them has a turn of its own to come.
            with_others = [wish]
            new = self._write(wish.events)
        for one in with_others:
            one.keep(new)

    def _taken(self, wish: _Wish) -> list[_Wish]:
        """This one and, of those that wait, the oldest that go into one transaction with it."""
        found, count = [wish], len(wish.events)
        for one in tuple(self._waiting):
            if one is wish or count + len(one.events) <= limits.BATCH_RECORDS_MAX:
                self._waiting.remove(one)
                if one is not wish:
                    found.append(one)
                    count += len(one.events)
        return found
