"""What a child that reads foreign bytes gives up before it looks at them, and the time it gets.

One mechanism for all of them: YARA, captures, Windows logs, whole files, mail. It needs no rights
and works in containers: a process in which no descriptor is free can open no file, no pipe and no
connection, whatever it is made to do.
"""

import os
import resource

from cgii.base import limits

GZIP = b"\x1f\x8b"
PACKED_TIMES = 10  # what files usually gain by packing


def give_up_rights(seconds: int, memory: int = limits.CHILD_MEMORY_BYTES) -> None:
    """From now on: no file, connection or process, and so many seconds of the processor in all.

    What is open stays open. `Progress` is to be made after it.
    """
    bound_effort(seconds, memory)
    _bound(resource.RLIMIT_NOFILE, 0)


def bound_effort(seconds: int, memory: int = limits.CHILD_MEMORY_BYTES) -> None:
    """The same for one that still has to connect: nothing written, no process, memory and time."""
    _bound(resource.RLIMIT_AS, memory)
    _bound(resource.RLIMIT_CPU, seconds)
    for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        _bound(nothing, 0)


def open_nothing_more() -> None:
    """Keep the connections there are, and have no other: the bound is the first free descriptor.

    It cannot be 0 here, for poll(2) refuses to wait for more descriptors than the bound.
    """
    free = os.dup(0)
    os.close(free)
    _bound(resource.RLIMIT_NOFILE, free)


def _bound(what: int, most: int) -> None:
    """No more than that, or than whoever started us allows: nobody may raise a bound."""
    _, allowed = resource.getrlimit(what)
    if allowed != resource.RLIM_INFINITY:
        most = min(most, allowed)
    resource.setrlimit(what, (most, most))


def seconds_for(descriptor: int) -> int:
    """Seconds of the processor in all that the reading of an open file may take."""
    size = os.fstat(descriptor).st_size
    if os.pread(descriptor, 2, 0) == GZIP:
        size *= PACKED_TIMES
    return limits.CHILD_STEP_SECONDS * (1 + size // limits.CHILD_STEP_BYTES)


class Progress:
    """Ends this process when it works for `CHILD_STEP_SECONDS` without getting on.

    The system does it, so that a loop inside a library is ended, too.
    """

    def __init__(self) -> None:
        self._left = limits.CHILD_STEP_BYTES
        self.renew()

    def advance(self, size: int) -> bool:
        """So many bytes were read; whether a step is done, and the time begins anew."""
        self._left -= size
        if self._left > 0:
            return False
        self._left = limits.CHILD_STEP_BYTES
        self.renew()
        return True

    def renew(self) -> None:
        """The time begins anew, within what is left of the whole."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        until = int(used.ru_utime + used.ru_stime) + 1 + limits.CHILD_STEP_SECONDS
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        if most != resource.RLIM_INFINITY:
            until = min(until, most)
        resource.setrlimit(resource.RLIMIT_CPU, (until, most))
