"""Has captures read by a child."""

from collections.abc import Iterator
from typing import BinaryIO

from cgii.base import limits
from cgii.collect.child import read_in_child

SOURCE = "network_traffic"
CHILD = "cgii.collect.packets.dissect"


def read_packets(
    file: BinaryIO, *, seconds: int | None = None, memory: int = limits.CHILD_MEMORY_BYTES
) -> Iterator[bytes]:
    """Each record of a capture, also packed, as JSON. Raises PartialReading after the last one."""
    return read_in_child(CHILD, file, seconds=seconds, memory=memory)
