"""Reads a mailbox over IMAP: each mail becomes a record, once, by its number in the mailbox."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from cgii.base import logs
from cgii.base.errors import CgiiError
from cgii.base.ids import digest
from cgii.collect.inputs.follow import Position
from cgii.collect.inputs.following import wait
from cgii.collect.inputs.outlet import Outlet, short
from cgii.collect.inputs.tries import Tries
from cgii.collect.inputs.whole_child import Begins, Loss, Record, Step, run_child
from cgii.collect.mailbox import REFUSED
from cgii.collect.outgoing import Target, address_of
from cgii.model.event import Raw

WAY = "imap"
CHILD = "cgii.collect.mailbox"

log = logs.logger("collect")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A folder of an account; only TLS is spoken."""

    source: str
    target: Target
    user: str
    password_file: Path
    folder: str
    every_seconds: float

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Put each new mail until `stop`."""
        name = f"{self.user}@{self.target.host}/{self.folder}"
        stream = f"{WAY}:{short(name)}#{digest(name, str(self.target.port))[:8]}"
        # The epoch is the mailbox's UIDVALIDITY, the next number its next UID.
        place = outlet.known(stream) or Position(stream, "0", 0, 1)
        told, tries = "", Tries()
        while not stop.is_set():
            try:
                place, problem = await self._read(outlet, place, stop, tries)
            except CgiiError as error:
                problem = str(error)
            if problem and problem != told:
                log.warning("a mailbox cannot be read", mailbox=name, reason=problem)
            told = problem
            await wait(stop, self.every_seconds)

    async def _read(
        self, outlet: Outlet, place: Position, stop: asyncio.Event, tries: Tries
    ) -> tuple[Position, str]:
        """The place that was reached, and what was in the way. Raises CgiiError."""
        request = {
            "address": await address_of(self.target),
            "host": self.target.host,
            "port": self.target.port,
            "ca": str(self.target.ca) if self.target.ca else None,
            "user": self.user,
            "password_file": str(self.password_file),
            "folder": self.folder,
            "mailbox": f"{self.user}/{self.folder}",
            "validity": place.epoch,
            "after": place.seq - 1,
        }
        step = 0
        async with aclosing(run_child(CHILD, request)) as answers:
            async for answer in answers:
                if stop.is_set():
                    return place, ""
                if isinstance(answer, Begins) and not answer.continues:
                    place = Position(place.stream, answer.digest, 0, 1)
                elif isinstance(answer, Step):
                    step = answer.number
                elif isinstance(answer, Record):
                    place = replace(place, seq=answer.number + 1)
                    data = answer.text.encode()
                    raw = Raw(answer.number, data, "")
                    await outlet.put(self.source, raw, place, len(data))
                elif isinstance(answer, Loss):
                    if answer.reason == "unavailable" or step < place.seq:
                        return place, answer.detail or answer.reason
                    # A server may be busy; a mail that was deleted meanwhile is listed no more.
                    may_pass = answer.is_broken_off or answer.reason == REFUSED
                    if may_pass and tries.another(f"{place.epoch}/{step}"):
                        return place, answer.reason
                    # It was so with this mail each time, and would be again.
                    await outlet.tell_loss(WAY, "gap", answer.reason, count=1, uid=step)
                    place = replace(place, seq=step + 1)
                    await outlet.reach(self.source, place)
                    return place, answer.reason
        return place, ""
