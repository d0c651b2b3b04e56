"""A genuine sender that was told to wait is told again at once; nobody else can have it told."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from httpx2 import Response
from sqlalchemy import event, select
from starlette.types import Message

from cgii.base import counters, limits
from cgii.base.signatures import SecretKey
from cgii.model.records import Sensor as SensorRow
from cgii.store import sensor_keys, sensors
from cgii.web.ingest_places import IngestPlaces
from cgii.web.postponed import Postponed
from tests.make_web import Pages

INGEST, PACE = "/api/v1/ingest", 1
PAST = PACE * (limits.INGEST_BURST_SECONDS + 40)  # records that owe 40 seconds of the pace


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(pages: Pages) -> Clock:
    """Of the shares of the pages' centre; somebody else is heard in the same moment."""
    app, clock = pages.client.app, Clock()
    assert isinstance(app, FastAPI)
    app.state.ingest_places = IngestPlaces(PACE, clock=clock)
    app.state.ingest_places.spend("entity:999", 0)
    app.state.postponed._clock = clock
    return clock


class Sensor:
    """Sends batches, with a token or signed."""

    def __init__(self, pages: Pages, name: str, key: SecretKey | None = None) -> None:
        self._pages, self._seq, self.key = pages, 0, key
        with pages.centre.database.transaction() as session:
            act = pages.centre.act(session)
            if key is None:
                self.token = sensors.enrol_sensor(act, name, None)[1]
            else:
                invitation = sensors.invite_new(act, name, None)[1]
                session.flush()  # the invitation is looked for among the rows
                sensor_keys.accept_invitation(act, invitation, key.public)

    def send(self, records: int = 1, *, signs: SecretKey | None = None) -> Response:
        """The answer to one batch; with `signs`, another key signs in this one's name."""
        self._seq += records
        lines = ["<13>Nov 29 11:00:00 srv app: linea"] * records
        batch = {"source": "syslog", "epoch": "e", "seq": self._seq, "records": lines}
        body = orjson.dumps(batch)
        return self._pages.visit().post(INGEST, content=body, headers=self._proof(body, signs))

    def _proof(self, body: bytes, signs: SecretKey | None) -> dict[str, str]:
        if self.key is None:
            return {"Authorization": f"Bearer  {self.token} "}
        now = self._pages.centre.clock()
        headers = self.key.headers("POST", INGEST, body, now=now)
        if signs is not None:
            headers["Signature"] = signs.headers("POST", INGEST, body, now=now)["Signature"]
        return headers


@contextmanager
def statements(pages: Pages) -> Iterator[list[str]]:
    """What the record is asked meanwhile."""
    seen: list[str] = []

    def note(*given: Any) -> None:
        seen.append(given[2])

    event.listen(pages.centre.database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(pages.centre.database.engine, "before_cursor_execute", note)


def postponed(pages: Pages) -> Postponed:
    app = pages.client.app
    assert isinstance(app, FastAPI)
    found: Postponed = app.state.postponed
    return found


@pytest.mark.parametrize("key", [None, SecretKey.fresh()], ids=["token", "signed"])
def test_who_was_told_to_wait_is_told_again_without_a_look_at_the_record(
    pages: Pages, clock: Clock, key: SecretKey | None
) -> None:
    sensor, counted = Sensor(pages, "flood", key), counters.BATCHES_POSTPONED.labels("pace")
    assert sensor.send(PAST).status_code == 200
    before = counted._value.get()
    first = sensor.send()
    clock.now += 30
    with statements(pages) as asked:
        again = sensor.send()

    assert (first.status_code, first.headers["retry-after"]) == (429, "40")
    assert (again.status_code, again.headers["retry-after"]) == (429, "10")
    assert asked == []
    assert again.json() | {"request_id": ""} == first.json() | {"request_id": ""}
    assert again.headers["x-request-id"]
    assert counted._value.get() == before + 2
    clock.now += 10
    assert sensor.send().status_code == 200


def test_the_answer_comes_after_the_body_was_read_and_thrown_away(
    pages: Pages, clock: Clock
) -> None:
    sensor = Sensor(pages, "flood")
    sensor.send(PAST)
    assert sensor.send().status_code == 429
    parts, seen = [b"x" * 1_000] * 3, []

    async def receive() -> Message:
        seen.append("part")
        return {"type": "http.request", "body": parts.pop(), "more_body": bool(parts)}

    async def send(message: Message) -> None:
        seen.append(message.get("status", "body"))

    headers = [(b"authorization", f"Bearer {sensor.token}".encode())]
    scope = {"type": "http", "method": "POST", "path": INGEST, "query_string": b"",
             "headers": headers, "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1),
             "scheme": "http", "root_path": "", "http_version": "1.1"}  # fmt: skip
    asyncio.run(pages.client.app(scope, receive, send))
    assert seen == ["part", "part", "part", 429, "body"]


def test_another_sensor_of_the_same_centre_is_heard_meanwhile(pages: Pages, clock: Clock) -> None:
    flood, other = Sensor(pages, "flood"), Sensor(pages, "other")
    flood.send(PAST)
    assert [flood.send().status_code for _ in range(2)] == [429, 429]
    assert other.send().status_code == 200


def test_who_only_uses_a_name_has_nobody_told_to_wait_longer(pages: Pages, clock: Clock) -> None:
    mallory, victim = SecretKey.fresh(), Sensor(pages, "victim", SecretKey.fresh())
    assert victim.send(PAST, signs=mallory).status_code == 401
    assert len(postponed(pages)) == 0
    assert victim.send(PAST).status_code == 200
    assert victim.send(signs=mallory).status_code == 401  # past the pace, but not its batch
    assert len(postponed(pages)) == 0

    assert victim.send().headers["retry-after"] == "40"
    clock.now += 39
    assert victim.send(signs=mallory).headers["retry-after"] == "1"
    clock.now += 1
    assert victim.send().status_code == 200


def test_a_revoked_sensor_is_refused_as_such_when_its_wait_is_over(
    pages: Pages, clock: Clock
) -> None:
    sensor = Sensor(pages, "flood")
    sensor.send(PAST)
    assert sensor.send().status_code == 429
    with pages.centre.database.transaction() as session:
        row = session.scalars(select(SensorRow)).one()
        sensors.revoke_sensor(pages.centre.act(session), row)
    clock.now += 40
    assert sensor.send().status_code == 401


def test_a_line_that_is_too_long_is_not_remembered(
    pages: Pages, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = Sensor(pages, "busy")
    with monkeypatch.context() as patch:
        patch.setattr(limits, "INGEST_OWNER_AT_ONCE_MAX", 0)
        patch.setattr(limits, "INGEST_WAITING_MAX", 0)
        assert sensor.send().status_code == 429
    assert sensor.send().status_code == 200


def test_what_is_remembered_is_bounded_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INGEST_POSTPONED_MAX", 3)
    clock = Clock()
    known = Postponed(clock=clock)
    senders = [{"authorization": f"Bearer {n}"} for n in range(5)]
    for sender in senders:
        known.remember(sender, 10)
    assert [known.seconds_left(sender) for sender in senders] == [0, 0, 10, 10, 10]
    assert known.seconds_left({}) == 0

    clock.now += 10
    known.remember(senders[0], 5)
    assert [known.seconds_left(sender) for sender in senders] == [5, 0, 0, 0, 0]
    assert len(known) == 1
    assert "Bearer" not in repr(vars(known))
