"""How often Python looks for objects that hold each other in a circle."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from cgii.base import limits


def look_seldom() -> None:
    """For a process that holds rules and plans: each look goes through hundreds of thousands.

    Python would look after every 700 new objects, which a batch makes many times over; a twentieth
    of the time of taking in events went into it.
    """
    gc.set_threshold(limits.GARBAGE_OBJECTS, *gc.get_threshold()[1:])


@contextmanager
def put_off() -> Iterator[None]:
    """Do not look while modules are loaded: they stay, and each look goes through all so far.

    It took a fifth of the start of a centre. What is there at the end is never looked at again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
