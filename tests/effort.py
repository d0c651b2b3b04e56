"""What a deed takes of the processor, for tests of what must not grow without bounds."""

import gc
import time
from collections.abc import Callable

TRIES = 3
# Far above what any of these deeds takes on a slow machine, far below what an exponential or
# quadratic one would take. How fast things are is measured by `make bench`, not here.
SECONDS_MAX = 15.0


def seconds(deed: Callable[[], object], *, enough: float = SECONDS_MAX) -> float:
    """The seconds of the processor in this thread; the quickest of a few tries.

    Nothing of the tests before counts: neither their threads nor the collection of their garbage.
    """
    best = float("inf")
    for _ in range(TRIES):
        gc.collect()
        gc.disable()
        try:
            begun = time.thread_time()
            deed()
            best = min(best, time.thread_time() - begun)
        finally:
            gc.enable()
        if best < enough:
            break
    return best
