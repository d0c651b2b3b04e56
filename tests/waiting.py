"""Waits for what another process or thread does, and says what it waited for in vain."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 240  # on a machine as busy as may be


def until(holds: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Ask again until it holds."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, f"waited {seconds} s in vain until {what}"
        time.sleep(0.05)
