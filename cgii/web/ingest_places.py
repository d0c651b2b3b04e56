"""Shares out the places for batches under way, so that one who floods slows only himself down.

An owner is an entity, or a sensor that belongs to none. Each has few places at a time, takes turns
with the others for them, and has a pace in records per second with some credit: past half of it
there is one place, past all of it none. That counts only while somebody else sends too: a centre
with one sender serves it as fast as it can.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from cgii.base import counters, limits
from cgii.base.errors import Unavailable
from cgii.base.logs import logger
from cgii.web.postponed import ComeAgain

log = logger("web")


@dataclass
class _Account:
    """What one owner has under way, in line, and left to send at once."""

    credit: float  # records; below zero it has to wait
    counted_at: float
    running: int = 0
    served: int = 0  # the number of the turn that it had last
    told_at: float = -math.inf  # when the log was last told that it floods
    line: deque[asyncio.Future[None]] = field(default_factory=deque)


class IngestPlaces:
    """The places of one process. Everything happens on its event loop, so nothing is locked."""

    def __init__(self, records_per_second: int, *, clock: Callable[[], float] = monotonic) -> None:
        self._pace = records_per_second
        self._clock = clock
        self._accounts: dict[str, _Account] = {}
        self._running = 0
        self._turn = 0

    @asynccontextmanager
    async def place(self, owner: str) -> AsyncIterator[None]:
        """A place for one batch of this owner.

        Raises ComeAgain when the owner is past its share, Unavailable when the centre is busy with
        everybody.
        """
        account = self._account(owner)
        self._check_pace(owner, account)
        await self._enter(owner, account)
        try:
            # Those before it in the line may have spent what there was.
            self._check_pace(owner, self._account(owner))
            yield
        finally:
            self._leave(account)

    def spend(self, owner: str, records: int) -> None:
        """Write down how many records a batch turned out to hold.

        Who sends alone takes nothing from anybody, so it runs into no debt.
        """
        account = self._account(owner)
        account.credit -= records
        if not self._others_send(account):
            account.credit = max(account.credit, 0)

    def _account(self, owner: str) -> _Account:
        """The owner's account, with the credit that came since."""
        now, most = self._clock(), float(self._pace * limits.INGEST_BURST_SECONDS)
        account = self._accounts.setdefault(owner, _Account(most, now))
        earned = (now - account.counted_at) * self._pace
        account.credit = min(most, account.credit + earned)
        account.counted_at = now
        return account

    def _check_pace(self, owner: str, account: _Account) -> None:
        if account.credit < 0 and self._others_send(account):
            wait = math.ceil(-account.credit / self._pace)
            raise self._refusal(owner, account, "pace", min(wait, limits.INGEST_RETRY_SECONDS_MAX))

    def _others_send(self, account: _Account) -> bool:
        since = self._clock() - limits.INGEST_OTHERS_SECONDS
        return any(
            other.running or other.line or other.counted_at >= since
            for other in self._accounts.values()
            if other is not account
        )

    def _refusal(self, owner: str, account: _Account, reason: str, wait: int) -> ComeAgain:
        now = self._clock()
        if now - account.told_at >= limits.INGEST_TOLD_SECONDS:
            account.told_at = now
            log.warning("sender past its share is asked to wait", owner=owner, reason=reason)
        return ComeAgain(reason, wait)

    async def _enter(self, owner: str, account: _Account) -> None:
        if self._may_run(account) and not account.line:
            self._take(account)
            return
        if len(account.line) >= limits.INGEST_WAITING_MAX:
            raise self._refusal(owner, account, "line", limits.INGEST_WAIT_SECONDS)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        account.line.append(turn)
        try:
            async with asyncio.timeout(limits.INGEST_WAIT_SECONDS):
                await turn
        except TimeoutError as error:
            self._give_up(account, turn)
            counters.BATCHES_POSTPONED.labels("busy").inc()
            raise Unavailable(
                "El centro está ocupado. Reenvíe el lote en unos segundos."
            ) from error
        except asyncio.CancelledError:
            self._give_up(account, turn)
            raise

    def _give_up(self, account: _Account, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():  # the place was given in the same moment
            self._leave(account)
        elif turn in account.line:
            account.line.remove(turn)

    def _may_run(self, account: _Account) -> bool:
        return self._running < limits.INGEST_AT_ONCE_MAX and account.running < self._places_of(
            account
        )

    def _places_of(self, account: _Account) -> int:
        """One, not all, for who has been past its pace for a while and takes it from others."""
        half = self._pace * limits.INGEST_BURST_SECONDS / 2
        is_free = account.credit >= half or not self._others_send(account)
        return limits.INGEST_OWNER_AT_ONCE_MAX if is_free else 1

    def _take(self, account: _Account) -> None:
        self._turn += 1
        self._running += 1
        account.running += 1
        account.served = self._turn

    def _leave(self, account: _Account) -> None:
        self._running -= 1
        account.running -= 1
        while waiting := [
            one for one in self._accounts.values() if one.line and self._may_run(one)
        ]:
            # Who has the fewest under way, and of those who waits longest since its last turn.
            following = min(waiting, key=lambda one: (one.running, one.served))
            turn = following.line.popleft()
            if not turn.done():
                self._take(following)
                turn.set_result(None)
