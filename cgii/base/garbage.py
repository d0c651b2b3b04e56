"""How often Python looks for objects that hold each other in a circle."""

import gc

from cgii.base import limits


def look_seldom() -> None:
    """For a process that holds rules and plans: each look goes through hundreds of thousands.

    Python would look after every 700 new objects, which a batch makes many times over; a twentieth
    of the time of taking in events went into it.
    """
    gc.set_threshold(limits.GARBAGE_OBJECTS, *gc.get_threshold()[1:])
