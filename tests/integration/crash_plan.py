"""How long a crash test runs, and what it says meanwhile; both crash tests take the same options.

`CGII_CRASH_KILLS` kills are spread over `CGII_CRASH_EVENTS` acknowledged events, if that many are
asked for; `CGII_CRASH_BATCH` lines go in a batch; `CGII_CRASH_SEED` repeats a run's choices. What
is not done after `CGII_CRASH_MINUTES` is left, and what was done is judged.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator

from tests.integration.ledgers import BatchSender
from tests.waiting import until

KILLS = int(os.environ.get("CGII_CRASH_KILLS", "4"))
EVENTS = int(os.environ.get("CGII_CRASH_EVENTS", "0"))
MINUTES = float(os.environ.get("CGII_CRASH_MINUTES", "inf"))
STALLED_SECONDS = 240  # without one acknowledged batch, on a machine as busy as may be
TOLD_SECONDS = 15


class Plan:
    """The moments of the kills, chosen at random, and what was killed so far."""

    def __init__(self, senders: list[BatchSender], kills: int = KILLS) -> None:
        seed = int(os.environ.get("CGII_CRASH_SEED", time.time_ns() % 100_000))
        print(f"seed {seed}, kills {kills}, events {EVENTS or 'as they come'}", flush=True)
        self.chance = random.Random(seed)
        self.killed: Counter[str] = Counter()
        self._senders, self._kills = senders, kills
        self._begun = self._told = time.monotonic()

    @property
    def acknowledged(self) -> int:
        """Lines, of all senders."""
        return sum(one.acknowledged for one in self._senders)

    @property
    def kills(self) -> int:
        """How many there were."""
        return sum(self.killed.values())

    def moments(self) -> Iterator[int]:
        """Give the number of each kill when its time has come."""
        for number in range(self._kills):
            self.reach(EVENTS * number // self._kills)
            if self._is_over():
                print(f"out of time after {number} of {self._kills} kills", flush=True)
                return
            time.sleep(self.chance.uniform(0.2, 2.5))
            yield number
            self._tell()
        self.reach(EVENTS)

    def reach(self, events: int) -> None:
        """Wait until so many are acknowledged, or time is over; fail when it stands still."""
        while (before := self.acknowledged) < events and not self._is_over():
            until(
                lambda before=before: self.acknowledged > before,
                "anything is acknowledged",
                seconds=STALLED_SECONDS,
            )
            self._tell()

    def _is_over(self) -> bool:
        return time.monotonic() - self._begun > 60 * MINUTES

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told >= TOLD_SECONDS:
            self._told = now
            took = now - self._begun
            print(
                f"{took:5.0f} s: kills {self.kills}, acknowledged {self.acknowledged}, "
                f"{self.acknowledged / took:.0f} events/s",
                flush=True,
            )
