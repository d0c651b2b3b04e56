"""Asks an HTTP interface for records again and again, from the cursor that was delivered last."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from cgii.base import limits, logs
from cgii.base.errors import CgiiError, Invalid, Unavailable
from cgii.base.ids import digest
from cgii.base.reasons import why
from cgii.collect.inputs.follow import Position
from cgii.collect.inputs.following import wait
from cgii.collect.inputs.outlet import Outlet, short
from cgii.collect.inputs.pages import Page, address, read_page
from cgii.collect.outgoing import Asker, Target
from cgii.model.event import Raw

WAY = "pull"

log = logs.logger("collect")


@dataclass(frozen=True, slots=True)
class Pull:
    """What to ask for, how often, and where records and cursor stand in the answer."""

    source: str
    url: str
    target: Target
    every_seconds: int
    records: str = ""  # a dotted path; empty: the answer is the list
    cursor: str = ""  # a dotted path, or `link` for the Link header
    parameter: str = ""  # in which the cursor is given back; empty: the cursor is an address
    headers: Mapping[str, str] | None = None
    token_file: Path | None = None
    auth_header: str = "Authorization"
    auth_prefix: str = "Bearer "

    @property
    def shown(self) -> str:
        """The address as people may see it."""
        return self.url.partition("?")[0]

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Put what is new, every so often, until `stop`."""
        pulling = _Pulling(self, outlet)
        failures, is_told = 0, False
        while not stop.is_set():
            try:
                await pulling.round(stop)
                failures, is_told = 0, False
            except CgiiError as error:
                log.warning("an interface cannot be asked", url=self.shown, reason=str(error))
                failures += 1
                if isinstance(error, Invalid) and not is_told:
                    is_told = True
                    await outlet.tell_loss(
                        WAY, "gap", "refused", file=self.shown, detail=str(error)
                    )
            pause = self.every_seconds * 2 ** min(failures, 10)
            await wait(stop, min(pause, max(limits.PULL_WAIT_SECONDS_MAX, self.every_seconds)))

    def request_headers(self) -> dict[str, str]:
        """What goes with each request. Raises Unavailable if the token cannot be read."""
        headers = {"Accept": "application/json", **(self.headers or {})}
        if self.token_file is not None:
            try:  # each time: tokens are renewed
                token = self.token_file.read_text(encoding="utf-8-sig").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise Unavailable(
                    "No se puede leer {path}: {why}.", path=self.token_file, why=why(error)
                ) from error
            headers[self.auth_header] = self.auth_prefix + token
        return headers


@dataclass(frozen=True, slots=True)
class _Place:
    """A page as far as it was taken: `count` records, whose hash is `taken`.

    A page asked again gives what came to its end. If it begins otherwise now, nothing is known of
    it, and it is taken from the start under another `turn`: rather twice than lost.
    """

    cursor: str = ""
    first: str = ""  # hash of the first record: part of the numbering's name
    count: int = 0
    taken: str = ""
    turn: int = 0

    @staticmethod
    def read(position: Position | None) -> "_Place":
        if position is None:
            return _Place()
        try:
            cursor, first, count, taken, turn = orjson.loads(position.epoch)
            return _Place(str(cursor), str(first), int(count), str(taken), int(turn))
        except (ValueError, TypeError):
            return _Place()

    def position(self, stream: str) -> Position:
        row = [self.cursor, self.first, self.count, self.taken, self.turn]
        return Position(stream, orjson.dumps(row).decode(), 0, self.count)

    @property
    def epoch(self) -> str:
        return digest(self.cursor, self.first, str(self.turn))


class _Pulling:
    def __init__(self, pull: Pull, outlet: Outlet) -> None:
        self._pull = pull
        self._outlet = outlet
        self._asker = Asker(pull.target)
        # A query may hold a key: names and logs show the server and the path only.
        self._stream = f"{WAY}:{short(pull.shown)}#{digest(pull.url)[:16]}"
        self._place = _Place.read(outlet.known(self._stream))

    async def round(self, stop: asyncio.Event) -> None:
        """Take pages until one says that there is no more. Raises CgiiError."""
        for _ in range(limits.PULL_PAGES_MAX):
            if stop.is_set():
                return
            page = await self._ask()
            more = await self._take(page)
            if not more:
                return

    async def _ask(self) -> Page:
        pull, cursor = self._pull, self._place.cursor
        url = address(pull.url, cursor, pull.parameter)
        answer = await self._asker.get(url, pull.request_headers())
        if answer.status == 204:
            return Page((), "")
        if answer.status != 200:
            raise Unavailable("La interfaz respondió {status}.", status=answer.status)
        return await asyncio.to_thread(
            read_page, answer.body, answer.headers, records=pull.records, cursor=pull.cursor
        )

    async def _take(self, page: Page) -> bool:
        """Put what is new on a page; whether the next one is to be asked for at once."""
        place, records = self._place, page.records
        if place.count > len(records) or _hash(records[: place.count]) != place.taken:
            turn = place.turn + (place.count > 0)
            place = _Place(place.cursor, "", 0, "", turn)
        if not place.count and records:
            place = replace(place, first=_hash(records[:1]))
        new = records[place.count :]
        after = replace(place, count=len(records), taken=_hash(records))
        moves = bool(page.cursor) and page.cursor != place.cursor
        reached = _Place(page.cursor) if moves else after
        before = place.position(self._stream)
        for number, data in enumerate(new, start=place.count):
            is_last = number == len(records) - 1
            kept = reached.position(self._stream) if is_last else before
            raw = Raw(number, data, "")
            await self._outlet.put(self._pull.source, raw, kept, len(data), epoch=place.epoch)
        if not new and moves:
            await self._outlet.reach(
                self._pull.source, reached.position(self._stream), epoch=place.epoch
            )
        self._place = reached
        return moves and bool(records)


def _hash(records: tuple[bytes, ...]) -> str:
    """A name for these records in this order; empty for none."""
    if not records:
        return ""
    found = hashlib.blake2b(digest_size=16)
    for one in records:
        found.update(len(one).to_bytes(4, "big") + one)
    return found.hexdigest()
