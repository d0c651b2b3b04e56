"""Sensors that sign: invited once, believed while their key holds, each request once."""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import pytest
from sqlalchemy import delete, select
from starlette.testclient import TestClient

from cgii.base.errors import Invalid
from cgii.base.signatures import SecretKey, nonce_of, read_told_time
from cgii.centre import Centre
from cgii.model.entities import Entity
from cgii.model.people import Role
from cgii.model.records import AuditEntry, Batch, Reject, Sensor, SourceVolume
from cgii.model.sensors import (
    SensorInvitation,
    SensorKey,
    SensorNonce,
    SensorReport,
    SensorSettings,
)
from cgii.store import sensor_reports, sensors
from cgii.store.events import EventQuery
from tests.make import make_entity, make_user
from tests.make_web import Pages, make_centre, make_pages

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
INGEST, ENROL, KEY, REPORT = (
    "/api/v1/ingest",
    "/api/v1/sensors/enrol",
    "/api/v1/sensors/key",
    "/api/v1/sensors/report",
)
LINE = "<13>Nov 29 11:00:00 srv app: linea {}"
REPORTED = {
    "version": "9.9",
    "time": NOW.isoformat(),
    "started_at": (NOW - timedelta(hours=5)).isoformat(),
    "waiting_since": (NOW - timedelta(minutes=20)).isoformat(),
    "spool_records": 12,
    "spool_bytes": 3_400,
    "spool_bytes_max": 1_000_000,
    "lost_count": 7,
}


class Moving:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(pages: Pages) -> Moving:
    return cast(Moving, pages.centre.clock)


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    found = make_centre(tmp_path_factory.mktemp("sensors"))
    yield found
    found.close()


@pytest.fixture
def pages(centre: Centre) -> Pages:
    centre.clock = Moving()
    with centre.database.transaction() as session:
        for table in (SensorNonce, SensorKey, SensorInvitation, SensorReport, SensorSettings):
            session.execute(delete(table))
        for table in (Batch, Reject, SourceVolume, Sensor):
            session.execute(delete(table))
    return make_pages(centre)


@pytest.fixture
def entity(pages: Pages) -> Entity:
    with pages.centre.database.transaction() as session:
        return make_entity(session)


def invite(pages: Pages, name: str = "perimetro", entity: Entity | None = None) -> str:
    """A new sensor's invitation."""
    with pages.centre.database.transaction() as session:
        home = session.get(Entity, entity.id) if entity else None
        return sensors.invite_new(pages.centre.act(session), name, home)[1]


@dataclass
class Machine:
    """A sensor's side: signs what it posts."""

    pages: Pages
    key: SecretKey
    off: timedelta = timedelta(0)

    def headers(self, path: str, body: bytes) -> dict[str, str]:
        return self.key.headers("POST", path, body, now=self.pages.centre.clock() + self.off)

    def post(
        self, path: str, body: object, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        browser = self.pages.visit()
        answer = browser.post(path, content=data, headers=headers or self.headers(path, data))
        return answer.status_code, orjson.loads(answer.content)

    def enrol(self, invitation: str) -> tuple[int, dict[str, Any]]:
        return self.post(ENROL, {"invitation": invitation, "public_key": self.key.public.hex()})

    def renew(self, new: SecretKey, proof: bytes | None = None) -> tuple[int, dict[str, Any]]:
        signed = new.sign(f"cgii-key:{self.key.key_id}".encode()) if proof is None else proof
        return self.post(KEY, {"public_key": new.public.hex(), "proof": signed.hex()})


def batch(seq: int = 0) -> dict[str, Any]:
    return {"source": "syslog", "epoch": "e1", "seq": seq, "records": [LINE.format(seq)]}


def enrolled(pages: Pages, name: str = "perimetro", entity: Entity | None = None) -> Machine:
    machine = Machine(pages, SecretKey.fresh())
    status, answer = machine.enrol(invite(pages, name, entity))
    assert status == 200, answer
    return machine


# --- enrolment
def test_an_invited_sensor_sends_for_its_entity(pages: Pages, entity: Entity) -> None:
    machine = Machine(pages, SecretKey.fresh())

    status, answer = machine.enrol(invite(pages, "perimetro", entity))
    assert (status, answer) == (200, {"sensor": "perimetro", "entity": entity.acronym})
    status, answer = machine.post(INGEST, batch())
    assert (status, answer["events"]) == (200, 1)
    with pages.centre.database.reading() as session:
        sensor = session.scalars(select(Sensor)).one()
        assert (sensor.entity_id, sensor.event_count) == (entity.id, 1)
        acts = session.scalars(select(AuditEntry.action)).all()
        assert {"sensor.invited", "sensor.key_accepted"} <= {*acts}


def test_an_invitation_holds_once_and_again_for_who_lost_the_answer(pages: Pages) -> None:
    invitation = invite(pages)
    first = Machine(pages, SecretKey.fresh())
    assert first.enrol(invitation)[0] == 200
    assert first.enrol(invitation)[0] == 200

    status, answer = Machine(pages, SecretKey.fresh()).enrol(invitation)
    assert status == 401
    assert "ya se usó" in answer["detail"]
    with pages.centre.database.reading() as session:
        assert len(session.scalars(select(SensorKey)).all()) == 1


def test_an_invitation_ends_with_its_day(pages: Pages, clock: Moving) -> None:
    invitation = invite(pages)
    clock.now += timedelta(hours=24, seconds=1)
    status, answer = Machine(pages, SecretKey.fresh()).enrol(invitation)
    assert (status, "venció" in answer["detail"]) == (401, True)


def test_a_newer_invitation_ends_the_one_before(pages: Pages) -> None:
    older = invite(pages)
    with pages.centre.database.transaction() as session:
        sensor = session.scalars(select(Sensor)).one()
        newer = sensors.invite(pages.centre.act(session), sensor)
    assert Machine(pages, SecretKey.fresh()).enrol(older)[0] == 401
    assert Machine(pages, SecretKey.fresh()).enrol(newer)[0] == 200


def test_who_enrols_must_hold_the_key(pages: Pages) -> None:
    invitation, mine, anothers = invite(pages), SecretKey.fresh(), SecretKey.fresh()
    body = {"invitation": invitation, "public_key": anothers.public.hex()}
    assert Machine(pages, mine).post(ENROL, body)[0] == 401
    assert Machine(pages, mine).post(ENROL, body, {"Authorization": "Bearer x"})[0] == 401


def test_a_new_invitation_takes_another_machine_in_and_the_first_one_out(pages: Pages) -> None:
    old = enrolled(pages)
    with pages.centre.database.transaction() as session:
        sensor = session.scalars(select(Sensor)).one()
        invitation = sensors.invite(pages.centre.act(session), sensor)
    assert old.post(INGEST, batch(1))[0] == 200  # until the other one comes
    new = Machine(pages, SecretKey.fresh())
    assert new.enrol(invitation)[0] == 200
    assert old.post(INGEST, batch(2))[0] == 401
    assert new.post(INGEST, batch(3))[0] == 200


# --- signatures
def test_the_same_request_has_its_effect_once(pages: Pages) -> None:
    machine, body = enrolled(pages), orjson.dumps(batch())
    headers = machine.headers(INGEST, body)
    assert machine.post(INGEST, body, headers)[0] == 200

    status, answer = machine.post(INGEST, body, headers)
    assert (status, "ya se recibió" in answer["detail"]) == (401, True)


def test_the_same_report_at_the_same_moment_is_taken_once(pages: Pages) -> None:
    machine, body = enrolled(pages), orjson.dumps(REPORTED)
    headers = machine.headers(REPORT, body)
    found: list[int] = []
    together = threading.Barrier(4)

    def post() -> None:
        together.wait()
        found.append(machine.post(REPORT, body, headers)[0])

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200, 401, 401, 401]


@pytest.mark.parametrize("off", [timedelta(minutes=6), -timedelta(minutes=6)])
def test_a_signature_of_another_time_is_refused_and_says_how_far(
    pages: Pages, off: timedelta
) -> None:
    machine = enrolled(pages)
    machine.off = off
    status, answer = machine.post(INGEST, batch())
    assert status == 401
    assert str(int(off.total_seconds())) in answer["detail"]


@pytest.mark.parametrize("off", [timedelta(0), timedelta(minutes=6)])
def test_every_answer_tells_our_time_to_the_request_it_answers(
    pages: Pages, off: timedelta
) -> None:
    machine, body = enrolled(pages), orjson.dumps(batch())
    machine.off = off
    for path in (INGEST, REPORT, KEY, ENROL):
        headers = machine.headers(path, body)
        answer = pages.visit().post(path, content=body, headers=headers)
        assert read_told_time(answer.headers["Cgii-Time"], nonce_of(headers)) == NOW
    answer = pages.visit().post(INGEST, content=body, headers={"Authorization": "Bearer x"})
    assert read_told_time(answer.headers["Cgii-Time"], "") == NOW


def test_what_was_not_signed_is_not_taken(pages: Pages) -> None:
    machine, body = enrolled(pages), orjson.dumps(batch())
    headers = machine.headers(INGEST, body)
    assert machine.post(INGEST, orjson.dumps(batch(5)), headers)[0] == 401
    assert machine.post(REPORT, body, headers)[0] == 401
    assert machine.post(INGEST, body, {**headers, "Signature": "cgii=:AAAA:"})[0] == 401
    assert Machine(pages, SecretKey.fresh()).post(INGEST, body)[0] == 401
    with pages.centre.database.reading() as session:
        assert session.scalars(select(Batch)).all() == []


def test_a_bearer_token_ends_with_the_first_key(pages: Pages) -> None:
    with pages.centre.database.transaction() as session:
        sensor, token = sensors.enrol_sensor(pages.centre.act(session), "viejo", None)
        invitation = sensors.invite(pages.centre.act(session), sensor)
    bearer = {"Authorization": f"Bearer {token}"}
    machine = Machine(pages, SecretKey.fresh())
    assert machine.post(INGEST, batch(1), bearer)[0] == 200
    assert machine.enrol(invitation)[0] == 200
    assert machine.post(INGEST, batch(2), bearer)[0] == 401
    assert machine.post(INGEST, batch(2))[0] == 200


# --- rotation and revocation
def test_the_next_key_ends_the_one_before_when_it_is_first_used(pages: Pages) -> None:
    machine, new = enrolled(pages), SecretKey.fresh()
    assert machine.renew(new)[0] == 200
    assert machine.renew(new)[0] == 200  # it lost the answer
    assert machine.post(INGEST, batch(1))[0] == 200  # and goes on with the old one
    assert Machine(pages, new).post(INGEST, batch(2))[0] == 200
    assert machine.post(INGEST, batch(3))[0] == 401
    with pages.centre.database.reading() as session:
        live = session.scalars(select(SensorKey).where(SensorKey.ended_at.is_(None))).all()
        assert [key.key_id for key in live] == [new.key_id]


def test_a_next_key_must_be_held_and_be_new(pages: Pages) -> None:
    machine, new = enrolled(pages), SecretKey.fresh()
    other = enrolled(pages, "otro")
    assert machine.renew(new, proof=SecretKey.fresh().sign(b"x"))[0] == 422
    assert machine.renew(other.key)[0] == 422
    assert other.post(INGEST, batch())[0] == 200


def test_a_token_cannot_bring_a_key(pages: Pages) -> None:
    with pages.centre.database.transaction() as session:
        _, token = sensors.enrol_sensor(pages.centre.act(session), "viejo", None)
    body = {"public_key": SecretKey.fresh().public.hex(), "proof": "00" * 64}
    headers = {"Authorization": f"Bearer {token}"}
    assert Machine(pages, SecretKey.fresh()).post(KEY, body, headers)[0] == 401


def test_a_revoked_sensor_is_refused_and_comes_back_by_invitation(pages: Pages) -> None:
    machine, open_invitation = enrolled(pages), ""
    with pages.centre.database.transaction() as session:
        sensor = session.scalars(select(Sensor)).one()
        open_invitation = sensors.invite(pages.centre.act(session), sensor)
        sensors.revoke_sensor(pages.centre.act(session), sensor)
    assert machine.post(INGEST, batch())[0] == 401
    assert machine.post(REPORT, REPORTED)[0] == 401
    assert machine.renew(SecretKey.fresh())[0] == 401
    assert Machine(pages, SecretKey.fresh()).enrol(open_invitation)[0] == 401
    with pages.centre.database.transaction() as session:
        sensor = session.scalars(select(Sensor)).one()
        invitation = sensors.invite(pages.centre.act(session), sensor)
    assert machine.enrol(invitation)[0] == 422  # not with the key that was revoked
    again = Machine(pages, SecretKey.fresh())
    assert again.enrol(invitation)[0] == 200
    assert again.post(INGEST, batch())[0] == 200


# --- reports and what is pushed
def test_a_report_is_kept_by_our_clock(pages: Pages, entity: Entity) -> None:
    machine = enrolled(pages, entity=entity)
    fast = timedelta(minutes=4)
    told = {
        **REPORTED,
        **{
            name: (datetime.fromisoformat(str(REPORTED[name])) + fast).isoformat()
            for name in ("time", "started_at", "waiting_since")
        },
    }
    status, answer = machine.post(REPORT, told)
    assert (status, answer["time"]) == (200, NOW.isoformat())
    with pages.centre.database.reading() as session:
        report = session.scalars(select(SensorReport)).one()
        assert report.skew_seconds == 240
        assert report.waiting_since == NOW - timedelta(minutes=20)
        assert (report.spool_records, report.lost_count) == (12, 7)
        sensor = session.scalars(select(Sensor)).one()
        assert (sensor.program_version, sensor.heard_at) == ("9.9", None)  # it sent nothing


def test_a_clock_that_stands_at_its_beginning_is_told_as_it_is(pages: Pages) -> None:
    began = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
    told = {**REPORTED, "time": began.isoformat(), "started_at": began.isoformat()}
    assert enrolled(pages).post(REPORT, told)[0] == 200
    with pages.centre.database.reading() as session:
        report = session.scalars(select(SensorReport)).one()
        assert report.skew_seconds == (began - NOW).total_seconds()


def test_inputs_that_another_centre_chose_end(pages: Pages) -> None:
    """A sensor's folder moved here, or this record came back from a backup."""
    version = {"settings_version": "ab" * 16}
    status, answer = enrolled(pages).post(REPORT, {**REPORTED, **version})
    assert (status, answer["settings"]) == (200, {"version": "", "text": ""})


def test_inputs_of_a_source_that_is_none_are_not_chosen(pages: Pages) -> None:
    enrolled(pages)
    with pages.centre.database.transaction() as session:
        admin = make_user(session, Role.ADMINISTRATOR)
        number = session.scalars(select(Sensor.id)).one()
    place = f"/administracion/sensores/{number}/entradas"
    text = '[[follow]]\nsource = "linux_aut"\npath = "/var/log/auth.log"\n'
    answer = pages.visit(admin).post(place, data={"text": text})
    assert (answer.status_code, "Parecidas: linux_auth" in answer.text) == (422, True)
    with pages.centre.database.reading() as session:
        assert session.scalars(select(SensorSettings)).all() == []


def test_settings_and_sources_come_when_they_differ(pages: Pages) -> None:
    machine = enrolled(pages)
    _, answer = machine.post(REPORT, REPORTED)
    assert "settings" not in answer
    sources = answer["sources"]
    assert "syslog.yml" in sources["files"]
    text = "syslog_udp_port = 5514\n"
    with pages.centre.database.transaction() as session:
        sensor = session.scalars(select(Sensor)).one()
        sensor_reports.set_settings(pages.centre.act(session), sensor, text)
    _, answer = machine.post(REPORT, {**REPORTED, "sources_version": sources["version"]})
    assert "sources" not in answer
    assert answer["settings"]["text"] == text.strip()
    current = {"settings_version": answer["settings"]["version"]}
    _, answer = machine.post(REPORT, {**REPORTED, **current})
    assert "settings" not in answer


def test_another_entity_sees_no_report(pages: Pages, entity: Entity) -> None:
    enrolled(pages, entity=entity).post(REPORT, REPORTED)
    with pages.centre.database.transaction() as session:
        own = make_user(session, Role.OFFICER, entity=session.get_one(Entity, entity.id))
        stranger = make_user(session, Role.OFFICER, entity=make_entity(session))
        number = session.scalars(select(Sensor.id)).one()
    mine = pages.visit(own).get("/portal/sensores").text
    assert "9.9" in mine
    assert "20 min" in mine
    theirs = pages.visit(stranger)
    assert "perimetro" not in theirs.get("/portal/sensores").text
    assert theirs.get(f"/sensores/{number}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'"\\u0000"',
        {**REPORTED, "spool_bytes": -1},
        {**REPORTED, "spool_bytes": 2**63},
        {**REPORTED, "time": "ayer"},
        {**REPORTED, "time": "9999-12-31T23:59:59+00:00"},
        {**REPORTED, "time": "2026-11-29T12:00:00"},
        {**REPORTED, "version": "a\0b"},
        {**REPORTED, "version": "1\nsur  GAMX  0 eventos"},
        {**REPORTED, "settings_version": "\x1b[2K"},
        {**REPORTED, "sources_version": "\x9b1A"},
        {**REPORTED, "version": "x" * 81},
        {"version": "1"},
    ],
)
def test_a_report_that_is_none_is_refused_in_a_sentence(pages: Pages, body: object) -> None:
    machine = enrolled(pages)
    status, answer = machine.post(REPORT, body)
    assert status == 422
    assert "no es válido" in answer["detail"]


def test_an_errors_lines_are_kept_as_one_and_nothing_waits_since_tomorrow(pages: Pages) -> None:
    machine = enrolled(pages)
    tomorrow = (NOW + timedelta(days=1)).isoformat()
    told = {**REPORTED, "settings_problem": "uno\n\x1b[1Ados", "waiting_since": tomorrow}
    assert machine.post(REPORT, told)[0] == 200
    with pages.centre.database.reading() as session:
        kept = session.scalars(select(SensorReport)).one()
        assert kept.settings_problem == "uno  [1Ados"
        assert kept.waiting_since == NOW


def test_a_sensors_name_has_no_invisible_signs(pages: Pages) -> None:
    for name in ("a\nb", "a\x1b[2Kb", "a\u202eb"):
        with pytest.raises(Invalid, match="invisible"):
            invite(pages, name)


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00+00:00", "2199-12-31T00:00:00-12:00"])
def test_a_clock_that_is_far_off_is_kept_as_that(pages: Pages, moment: str) -> None:
    told = {**REPORTED, "time": moment, "waiting_since": None, "started_at": moment}
    assert enrolled(pages).post(REPORT, told)[0] == 200


@pytest.mark.parametrize(
    "body", [{}, {"invitation": "x", "public_key": "00"}, {"invitation": 5}, b"\xff"]
)
def test_an_enrolment_that_is_none_is_refused(pages: Pages, body: object) -> None:
    assert Machine(pages, SecretKey.fresh()).post(ENROL, body)[0] == 422


def test_old_nonces_and_invitations_are_forgotten(pages: Pages, clock: Moving) -> None:
    machine = enrolled(pages)
    machine.post(INGEST, batch())
    with pages.centre.database.transaction() as session:
        assert sensors.prune_sensors(pages.centre.act(session)) == 0
    clock.now += timedelta(days=2)
    with pages.centre.database.transaction() as session:
        sensors.prune_sensors(pages.centre.act(session))
        assert session.scalars(select(SensorNonce)).all() == []
        assert session.scalars(select(SensorInvitation)).all() == []


def test_an_answer_tells_nothing_of_the_inside(pages: Pages) -> None:
    client: TestClient = pages.visit()
    assert client.get(ENROL).status_code == 405
    assert client.post(ENROL, content=b"{}").status_code == 422


# --- two processes over one record, each of which remembers keys
@pytest.fixture
def other(pages: Pages, centre: Centre) -> Iterator[Pages]:
    """A second process."""
    second = Centre(centre.settings, now=centre.clock)
    yield make_pages(second)
    second.close()


EPOCHS = itertools.count()
Own = Callable[[int], dict[str, Any]]


@pytest.fixture
def own() -> Own:
    """As `batch`, in an epoch of the test's own: the events of all tests are in one store."""
    epoch = f"own {next(EPOCHS)}"
    return lambda seq: {**batch(seq), "epoch": epoch}


def stored(centre: Centre) -> int:
    return centre.events.count(EventQuery())


@pytest.mark.parametrize("by_revoking", [True, False])
def test_a_key_that_ended_in_one_process_is_refused_at_once_by_another_that_knows_it(
    pages: Pages, other: Pages, own: Own, by_revoking: bool
) -> None:
    machine = enrolled(pages)
    there = Machine(other, machine.key)
    assert [there.post(INGEST, own(seq))[0] for seq in (1, 2)] == [200, 200]
    before = stored(other.centre)
    if by_revoking:
        with pages.centre.database.transaction() as session:
            sensor = session.scalars(select(Sensor)).one()
            sensors.revoke_sensor(pages.centre.act(session), sensor)
    else:
        new = SecretKey.fresh()
        assert machine.renew(new)[0] == 200
        assert Machine(pages, new).post(INGEST, own(3))[0] == 200
        before += 1
    assert there.post(INGEST, own(4))[0] == 401
    assert there.post(INGEST, own(5))[0] == 401
    assert stored(other.centre) == before  # it was refused before anything was kept
    with pages.centre.database.reading() as session:
        assert session.scalars(select(Batch).where(Batch.seq >= 4)).all() == []


def test_an_empty_batch_tells_whether_the_key_is_in_force(pages: Pages, own: Own) -> None:
    """As `cgii collect check` asks, also of a process that knows the key."""
    machine = enrolled(pages)
    assert [machine.post(INGEST, body)[0] for body in (own(1), {}, own(2), {})] == [
        200, 422, 200, 422,
    ]  # fmt: skip
    with pages.centre.database.transaction() as session:
        sensors.revoke_sensor(pages.centre.act(session), session.scalars(select(Sensor)).one())
    assert [machine.post(INGEST, {})[0] for _ in range(2)] == [401, 401]


def test_a_request_has_its_effect_once_in_all_processes(
    pages: Pages, other: Pages, own: Own
) -> None:
    machine = enrolled(pages)
    there = Machine(other, machine.key)
    assert there.post(INGEST, own(1))[0] == 200  # it is remembered there
    body = orjson.dumps(own(2))
    headers = machine.headers(INGEST, body)
    assert machine.post(INGEST, body, headers)[0] == 200
    status, answer = there.post(INGEST, body, headers)
    assert (status, "ya se recibió" in answer["detail"]) == (401, True)


def test_who_only_names_a_key_that_is_remembered_gets_nowhere(pages: Pages, own: Own) -> None:
    machine = enrolled(pages)
    assert [machine.post(INGEST, own(seq))[0] for seq in (1, 2)] == [200, 200]
    body = orjson.dumps(own(3))
    headers = machine.headers(INGEST, body)
    forged = SecretKey.fresh().headers("POST", INGEST, body, now=NOW)["Signature"]
    assert machine.post(INGEST, body, {**headers, "Signature": forged})[0] == 401
    assert machine.post(INGEST, orjson.dumps(own(4)), headers)[0] == 401
    machine.off = timedelta(minutes=6)
    assert machine.post(INGEST, own(5))[0] == 401
    with pages.centre.database.reading() as session:
        assert {*session.scalars(select(Batch.seq))} == {1, 2}


def test_what_a_sensor_sends_after_it_changed_hands_is_its_new_entitys(
    pages: Pages, entity: Entity, own: Own
) -> None:
    machine = enrolled(pages)
    assert machine.post(INGEST, own(1))[0] == 200
    with pages.centre.database.transaction() as session:
        session.scalars(select(Sensor)).one().entity_id = entity.id
    assert machine.post(INGEST, own(2))[0] == 503  # and comes again
    assert machine.post(INGEST, own(2))[0] == 200
    found = pages.centre.events.search(EventQuery(size=500)).events
    assert sorted(one.entity_id or 0 for one in found)[-1] == entity.id
