"""Places for batches are shared: who floods waits, the others do not notice."""

import asyncio
from collections import Counter

import pytest
from starlette.exceptions import HTTPException

from cgii.base import counters, limits
from cgii.base.errors import Unavailable
from cgii.web.ingest_places import IngestPlaces

PACE = 100
BURST = PACE * limits.INGEST_BURST_SECONDS


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """Batches of many owners that stay under way until they are let go."""

    def __init__(self, places: IngestPlaces) -> None:
        self._places = places
        self._under_way: list[tuple[str, asyncio.Event]] = []
        self.begun: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def send(self, owner: str, count: int = 1) -> None:
        """Let so many batches of the owner arrive."""
        self.tasks += [asyncio.create_task(self._batch(owner)) for _ in range(count)]
        await settle()

    async def end_one(self) -> None:
        """The batch that has been under way longest ends."""
        self._under_way.pop(0)[1].set()
        await settle()

    async def end(self) -> list[BaseException | None]:
        """All end; what each was answered."""
        while self._under_way:
            await self.end_one()
        return await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def under_way(self) -> Counter[str]:
        """How many batches of each owner are under way."""
        return Counter(owner for owner, _ in self._under_way)

    async def _batch(self, owner: str) -> None:
        async with self._places.place(owner):
            over = asyncio.Event()
            self._under_way.append((owner, over))
            self.begun.append(owner)
            await over.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def pass_through(places: IngestPlaces, owner: str, records: int = 0) -> None:
    async with places.place(owner):
        places.spend(owner, records)


def statuses(answers: list[BaseException | None]) -> Counter[int]:
    return Counter(one.status_code for one in answers if isinstance(one, HTTPException))


def test_one_who_floods_has_its_places_and_the_others_enter_at_once() -> None:
    async def story() -> None:
        desk = Desk(IngestPlaces(PACE))
        await desk.send("flood", 10)
        for other in ("a", "b", "c"):
            await desk.send(other, 2)

        assert desk.under_way == {"flood": limits.INGEST_OWNER_AT_ONCE_MAX, "a": 2, "b": 2, "c": 2}
        await desk.end()

    asyncio.run(story())


def test_those_who_wait_take_turns_however_many_batches_each_has_in_line() -> None:
    async def story() -> None:
        desk = Desk(IngestPlaces(PACE))
        for other in "abcd":
            await desk.send(other, 2)
        await desk.send("flood", 10)
        await desk.send("late")
        await desk.send("later")
        for _ in range(3):
            await desk.end_one()

        assert desk.begun[8:] == ["flood", "late", "later"]
        await desk.end()

    asyncio.run(story())


def test_a_line_that_is_too_long_is_refused_and_counted() -> None:
    async def story() -> None:
        refused = counters.BATCHES_POSTPONED.labels("line")
        before = refused._value.get()
        desk = Desk(IngestPlaces(PACE))
        room = limits.INGEST_OWNER_AT_ONCE_MAX + limits.INGEST_WAITING_MAX
        await desk.send("flood", room + 5)
        answers = await desk.end()

        assert statuses(answers) == {429: 5}
        assert refused._value.get() == before + 5
        [refusal, *_] = [one for one in answers if isinstance(one, HTTPException)]
        assert refusal.headers == {"Retry-After": str(limits.INGEST_WAIT_SECONDS)}

    asyncio.run(story())


def test_who_waits_too_long_is_told_that_the_centre_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "INGEST_WAIT_SECONDS", 0.01)

    async def story() -> None:
        desk = Desk(IngestPlaces(PACE))
        await desk.send("a", limits.INGEST_OWNER_AT_ONCE_MAX + 1)
        with pytest.raises(Unavailable, match="ocupado"):
            await desk.tasks[-1]
        await desk.end()
        await desk.send("a", limits.INGEST_OWNER_AT_ONCE_MAX)  # nothing was left behind

        assert desk.under_way["a"] == limits.INGEST_OWNER_AT_ONCE_MAX
        await desk.end()

    asyncio.run(story())


def test_a_sender_that_leaves_while_it_waits_gives_its_turn_back() -> None:
    async def story() -> None:
        desk = Desk(IngestPlaces(PACE))
        await desk.send("a", limits.INGEST_OWNER_AT_ONCE_MAX + 2)
        desk.tasks[-2].cancel()
        await settle()
        await desk.end_one()

        assert len(desk.begun) == limits.INGEST_OWNER_AT_ONCE_MAX + 1
        assert desk.under_way["a"] == limits.INGEST_OWNER_AT_ONCE_MAX
        await desk.end()

    asyncio.run(story())


def test_past_its_pace_an_owner_waits_as_long_as_it_owes() -> None:
    async def story() -> None:
        clock = Clock()
        places = IngestPlaces(PACE, clock=clock)
        await pass_through(places, "other", 1)
        await pass_through(places, "flood", BURST + 7 * PACE)
        with pytest.raises(HTTPException) as refusal:
            await pass_through(places, "flood")
        assert (refusal.value.status_code, refusal.value.headers) == (429, {"Retry-After": "7"})
        await pass_through(places, "other", 1)
        clock.now += 7
        await pass_through(places, "other", 1)
        await pass_through(places, "flood")

    asyncio.run(story())


def test_who_sends_alone_has_no_pace() -> None:
    async def story() -> None:
        clock = Clock()
        places = IngestPlaces(PACE, clock=clock)
        await pass_through(places, "other", 1)
        clock.now += limits.INGEST_OTHERS_SECONDS + 1
        for _ in range(3):
            await pass_through(places, "flood", 2 * BURST)

    asyncio.run(story())


def test_in_the_line_a_batch_is_told_to_wait_when_those_before_it_spent_what_there_was() -> None:
    async def story() -> None:
        places = IngestPlaces(PACE, clock=Clock())
        desk = Desk(places)
        await pass_through(places, "other", 1)
        await desk.send("flood", limits.INGEST_OWNER_AT_ONCE_MAX + 3)
        places.spend("flood", BURST + 7 * PACE)
        answers = await desk.end()

        assert statuses(answers) == {429: 3}
        assert desk.under_way["flood"] == 0
        await pass_through(places, "other", 1)

    asyncio.run(story())


def test_who_is_past_its_pace_for_a_while_has_one_place_while_others_send() -> None:
    async def story() -> None:
        clock = Clock()
        desk = Desk(places := IngestPlaces(PACE, clock=clock))
        await pass_through(places, "other", 1)
        await pass_through(places, "flood", 2 * BURST // 3)
        await desk.send("flood", 2)
        assert desk.under_way["flood"] == 1

        clock.now += limits.INGEST_BURST_SECONDS
        await pass_through(places, "other", 1)
        await desk.send("flood")
        await desk.end_one()
        assert desk.under_way["flood"] == limits.INGEST_OWNER_AT_ONCE_MAX
        assert statuses(await desk.end()) == {}

    asyncio.run(story())


def test_what_was_sent_alone_is_not_owed_when_another_comes() -> None:
    async def story() -> None:
        clock = Clock()
        places = IngestPlaces(PACE, clock=clock)
        for _ in range(100):  # a backlog of an hour and a half of its pace
            await pass_through(places, "backlog", 2 * BURST)
        await pass_through(places, "other", 1)
        await pass_through(places, "backlog", 3 * PACE)
        with pytest.raises(HTTPException) as refusal:
            await pass_through(places, "backlog")
        assert refusal.value.headers == {"Retry-After": "3"}

    asyncio.run(story())


def test_what_is_owed_is_not_asked_for_longer_than_a_minute() -> None:
    async def story() -> None:
        places = IngestPlaces(PACE, clock=Clock())
        await pass_through(places, "other")
        await pass_through(places, "flood", 100 * BURST)
        with pytest.raises(HTTPException) as refusal:
            await pass_through(places, "flood")
        wait = (refusal.value.headers or {})["Retry-After"]
        assert wait == str(limits.INGEST_RETRY_SECONDS_MAX)

    asyncio.run(story())
