"""Sends what waits in the spool to the centre, in order, for as long as it takes."""

import random
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import orjson

from cgii.base import limits, logs
from cgii.base.durable import replace_file
from cgii.base.errors import Invalid, NotAllowed, NotSignedIn, Unavailable
from cgii.base.ids import token
from cgii.base.reasons import why
from cgii.collect import gaps
from cgii.collect.background import Background
from cgii.collect.buffer import Batch
from cgii.collect.inputs.follow import FORGOTTEN, Position
from cgii.collect.join import Request, requests_of, waiting
from cgii.collect.refused import set_aside
from cgii.collect.send import Sender, pack, pause_before_next
from cgii.collect.spool import Entry, Spool
from cgii.model.event import Origin, Raw

log = logs.logger("collect")


class Losses:
    """Puts into the spool what the sensor lost, as records of a stream of their own."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._origin = Origin(
            gaps.SOURCE, f"spool:{socket.gethostname()}/{gaps.SOURCE}", token()[:16]
        )
        self._number = 0
        self._damaged = 0  # bytes that were told

    def tell(self, kind: str, reason: str, **facts: object) -> None:
        """Tell of one loss. Raises Unavailable without room."""
        told = gaps.record(kind, "spool", reason, **facts)
        self._spool.append(pack(Batch(self._origin, [Raw(self._number, told)])), 1)
        self._number += 1

    def tell_damage(self) -> None:
        """Tell of what was set aside since the last time."""
        damaged = self._spool.damaged_bytes
        if damaged > self._damaged:
            self.tell("damage", gaps.CHECKSUM, bytes=damaged - self._damaged)
            self._damaged = damaged


class Drain(Background):
    """Between a spool and a centre. `stop` leaves on disk what was not sent."""

    def __init__(self, spool: Spool, sender: Sender) -> None:
        super().__init__("drain")
        self._spool = spool
        self._sender = sender
        self._losses = Losses(spool)
        self._tries = 0
        self._entries: Sequence[Entry] = ()  # the oldest that wait, to be done together …
        self._left: deque[Request] = deque()  # … and what is still to be sent of them

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
                self._tries = 0
            except Unavailable as error:
                log.warning("batch not delivered, will be tried again", reason=str(error))
                self._stop.wait(pause_before_next(self._tries, error, random.random()))  # noqa: S311
                self._tries += 1
            except (NotSignedIn, NotAllowed) as error:
                log.error("the centre does not let this sensor send", reason=str(error))
                self._stop.wait(limits.SEND_REFUSED_SECONDS)
            except OSError as error:  # of its own disk: nothing was marked as sent
                log.error("the spool cannot be used", reason=str(error))
                self._stop.wait(limits.SEND_REFUSED_SECONDS)

    def _turn(self) -> None:
        if not self._left and not self._look():
            self._spool.wait(limits.LISTEN_FLUSH_SECONDS)
            return
        # What has lost its answer comes again as it was, not joined with others.
        request = self._left[0]
        try:
            self._sender.send(request.body)
        except Invalid as error:
            self._refused(request, error)
        else:
            self._sent()

    def _look(self) -> bool:
        """Whether something waits. What waits together is sent as few requests."""
        oldest = self._spool.peek()
        self._losses.tell_damage()
        if oldest is None:
            return False
        self._entries = list(waiting(oldest, self._spool.after))
        self._left = deque(requests_of(self._entries))
        return True

    def _sent(self) -> None:
        if len(self._left) == 1:
            self._spool.done(*self._entries)
        self._left.popleft()

    def _refused(self, request: Request, error: Invalid) -> None:
        if len(request.entries) > 1:  # one of them may be to blame
            self._left.popleft()
            self._left.extendleft(reversed(request.apart()))
            return
        (entry,) = request.entries
        log.error("batch refused and set aside", reason=str(error), records=entry.records)
        set_aside(self._spool.folder, entry, str(error))
        self._sent()
        self._losses.tell("gap", "refused", count=entry.records)


class Places:
    """How far followed files were taken into the spool; a file beside it, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()  # several files may begin to be followed at once
        self._known = _read(path)

    @property
    def known(self) -> Mapping[str, Position]:
        """By stream."""
        return self._known

    def keep(self, positions: Iterable[Position]) -> None:
        """Remember these; on disk when this returns. Raises Unavailable if that cannot be."""
        with self._lock:
            known = self._known | {one.stream: one for one in positions}
            known = {name: one for name, one in known.items() if one.offset != FORGOTTEN}
            known = _without_old_captures(known)
            rows = {key: [one.epoch, one.offset, one.seq] for key, one in known.items()}
            try:
                replace_file(self._path, orjson.dumps(rows), mode=0o600)
            except OSError as error:
                raise Unavailable(
                    "El sensor no puede escribir su cola: {reason}.", reason=why(error)
                ) from error
            self._known = known


def keeper(spool: Spool, places: Places) -> Callable[[Batch], None]:
    """A function for a Listener: the batch is on disk when it returns.

    The place comes after the records: who falls between them reads some lines again, under the
    same numbers, and the centre knows them.
    """

    def keep(batch: Batch) -> None:
        if batch.raws:
            spool.append(pack(batch), len(batch.raws))
        if batch.positions:
            places.keep(batch.positions)

    return keep


def _without_old_captures(known: dict[str, Position]) -> dict[str, Position]:
    """Each capture in a folder is a stream of its own, so they are more every day."""
    captures = [stream for stream in known if stream.startswith("pcap:")]
    for stream in captures[: -limits.CAPTURE_PLACES_MAX]:
        del known[stream]
    return known


def _read(path: Path) -> dict[str, Position]:
    try:
        rows = orjson.loads(path.read_bytes())
        return {
            key: Position(key, epoch, offset, seq) for key, (epoch, offset, seq) in rows.items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        log.warning(
            "the places of followed files cannot be read; from the start", reason=str(error)
        )
        return {}
