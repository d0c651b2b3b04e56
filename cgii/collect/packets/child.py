"""Has captures read by a child."""

from collections.abc import Iterator
from typing import BinaryIO

import orjson

from cgii.base import limits
from cgii.collect.child import read_in_child
from cgii.collect.packets.captures import NO_MORE_PACKETS

SOURCE = "network_traffic"
CHILD = "cgii.collect.packets.dissect"
ENDS = orjson.dumps(NO_MORE_PACKETS)


def read_packets(
    file: BinaryIO,
    *,
    seconds: int | None = None,
    memory: int = limits.CHILD_MEMORY_BYTES,
    before_end: list[int] | None = None,
) -> Iterator[bytes]:
    """Each record of a capture, also packed, as JSON. Raises PartialReading after the last one.

    Into `before_end`, once it is known, how many came before those that tell of its end: they
    would be others if the capture went on.
    """
    count = 0
    for line in read_in_child(CHILD, file, seconds=seconds, memory=memory):
        if line != ENDS:
            count += 1
            yield line
        elif before_end is not None:
            before_end.append(count)
