"""What a deed takes of the processor, for tests of what must not grow without bounds."""

import gc
import time
from collections.abc import Callable

# Far above what any of these deeds takes on a slow machine, far below what an exponential or
# quadratic one would take. How fast things are is measured by `make bench`, not here.
SECONDS_MAX = 15.0


def seconds(deed: Callable[[], object]) -> float:
    """The seconds of the processor in this thread. Once only: a second time it may be remembered.

    Nothing of the tests before counts: neither their threads nor the collection of their garbage.
    """
    gc.disable()
    try:
        begun = time.thread_time()
        deed()
        return time.thread_time() - begun
    finally:
        gc.enable()
