"""A source that falls silent on both databases: told once, kept up to date, ended, paused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from cgii.base import limits
from cgii.base.settings import load
from cgii.base.weekly import weekly_times
from cgii.centre import Centre
from cgii.detect.silence import HOUR, RULE_ID, Pair
from cgii.detect.tuning import suppress
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.entities import Entity
from cgii.model.records import Job, Sensor, SourceVolume
from cgii.model.silence import QuietWindow, SourceSilence
from cgii.silence import JOB, Looked, check_silence
from cgii.store.quiet import Whose, add_quiet_times, add_quiet_window, end_quiet_window
from tests.make import make_entity

NOON = datetime.fromisoformat("2026-11-18T16:00:00+00:00")  # a Wednesday in La Paz
USUAL = 500
AT_ONCE = 4
NOTHING = Looked(0, 0, 0)


class Site:
    """A centre whose clock is set, with one sensor of an entity that speaks every hour."""

    def __init__(self, folder: Path, url: str) -> None:
        self.now = NOON
        self.centre = Centre(load(data=folder, database=url, secret="tests"), now=lambda: self.now)
        with self.centre.database.transaction() as session:
            entity = make_entity(session, department="LP")
            sensor = Sensor(name="norte", entity_id=entity.id, token_hash="t", created_at=NOON)
            session.add(sensor)
            session.flush()  # its id
            self.entity_id, self.key = entity.id, f"sensor:{sensor.id}"
            self.sensor_id = sensor.id

    def hear(self, first: datetime, last: datetime, count: int = USUAL) -> None:
        """So many records in every hour from the first to before the last."""
        hours = range(int((last - first) / HOUR))
        with self.centre.database.transaction() as session:
            session.add_all(
                SourceVolume(hour=first + hour * HOUR, source="linux_auth", sensor_key=self.key,
                             event_count=count, reject_count=0) for hour in hours
            )  # fmt: skip

    def look(self, at: datetime) -> Looked:
        """What the job finds at a moment, the centre having been awake for a day and a half."""
        self.now = at
        with self.centre.database.transaction() as session:
            for hour in range(36):
                began = at.replace(minute=0) - (hour + 1) * HOUR
                if session.scalar(select(Job.id).where(Job.ended_at == began)) is None:
                    session.add_all(
                        Job(name=JOB, arguments={}, state="done", run_at=began, created_at=began,
                            ended_at=began + timedelta(minutes=10 * n)) for n in range(6)
                    )  # fmt: skip
        return check_silence(self.centre)

    def rows(self, table: Any) -> list[Any]:
        """All rows of a table."""
        with self.centre.database.reading() as session:
            return list(session.scalars(select(table).order_by(table.id)))

    def pause(self, start: datetime, end: datetime, *, key: str | None = None) -> int:
        """Announce a pause of the sensor."""
        with self.centre.database.transaction() as session:
            act = self.centre.act(session)
            chosen = self.key if key is None else key
            return add_quiet_window(
                act, Whose(chosen), start=start, end=end, reason="cambio de equipo"
            ).id

    def pause_weekly(self, days: str, opens: str = "", closes: str = "", **whose: Any) -> int:
        """Announce a pause of every week; of the sensor, unless somebody else is named."""
        with self.centre.database.transaction() as session:
            return add_quiet_times(
                self.centre.act(session), Whose(**({"sensor_key": self.key} | whose)),
                times=weekly_times(days, opens, closes), reason="se apaga",
            ).id  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, record_url: str) -> Iterator[Site]:
    site = Site(tmp_path / "data", record_url)
    site.hear(NOON - timedelta(weeks=9), NOON)
    yield site
    site.centre.close()


def test_a_silence_is_told_once_kept_up_to_date_and_ended(site: Site) -> None:
    assert site.look(NOON + timedelta(minutes=5)) == NOTHING
    assert site.look(NOON + timedelta(minutes=65)) == Looked(1, 0, 1)
    assert site.look(NOON + timedelta(minutes=75)) == Looked(0, 0, 1)
    (alert,), (group,) = site.rows(AlertRow), site.rows(AlertGroup)
    assert (group.rule_id, group.entity_id, group.attribution) == (
        RULE_ID,
        site.entity_id,
        "sensor",
    )
    assert group.key == [["sensor", "norte"], ["source", "linux_auth"]]
    assert "dejó de llegar desde el 18 nov 2026, 12:00: 0 registros" in alert.summary

    later = NOON + timedelta(hours=5, minutes=5)
    assert site.look(later) == Looked(0, 0, 1)
    (alert,) = site.rows(AlertRow)
    assert alert.at == later.replace(minute=0)

    site.hear(later.replace(minute=0), later.replace(minute=0) + HOUR, 60)
    back = later + timedelta(minutes=10)
    assert site.look(back) == Looked(0, 1, 0)
    assert site.look(back) == NOTHING
    (alert,), (group,) = site.rows(AlertRow), site.rows(AlertGroup)
    assert "volvió a llegar; faltaba desde el 18 nov 2026, 12:00" in alert.summary
    assert (group.summary, group.alert_count) == (alert.summary, 1)
    (silence,) = site.rows(SourceSilence)
    assert (silence.outcome, silence.ended_at, silence.open_key) == ("back", back, None)


def test_a_fall_to_a_tenth_is_told_and_may_become_a_stop(site: Site) -> None:
    site.hear(NOON, NOON + HOUR, USUAL // 10)
    assert site.look(NOON + timedelta(minutes=65)).opened == 1
    assert site.rows(SourceSilence)[0].state == "low"
    assert site.look(NOON + timedelta(minutes=125)) == Looked(0, 0, 1)

    assert site.rows(SourceSilence)[0].state == "stopped"
    assert len(site.rows(AlertRow)) == 1


def test_a_second_silence_is_a_second_alert_in_the_same_group(site: Site) -> None:
    site.look(NOON + timedelta(minutes=65))
    site.hear(NOON + HOUR, NOON + 3 * HOUR)
    site.look(NOON + timedelta(minutes=130))
    assert site.look(NOON + timedelta(hours=4, minutes=5)).opened == 1

    assert len(site.rows(AlertRow)) == 2
    assert [row.alert_count for row in site.rows(AlertGroup)] == [2]


def test_looks_at_the_same_time_tell_it_once(site: Site) -> None:
    site.look(NOON + timedelta(minutes=5))
    site.now = NOON + timedelta(minutes=65)
    with site.centre.database.transaction() as session:
        session.add_all(
            Job(name=JOB, arguments={}, state="done", run_at=NOON, created_at=NOON,
                ended_at=NOON + timedelta(minutes=10 * n)) for n in range(6)
        )  # fmt: skip

    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(threads.map(lambda _: check_silence(site.centre), range(AT_ONCE)))

    assert sum(one.opened for one in found) == 1
    assert len(site.rows(AlertRow)) == len(site.rows(SourceSilence)) == 1


def test_hours_in_which_the_centre_was_away_are_nobodys_silence(site: Site) -> None:
    site.now = NOON + timedelta(hours=6, minutes=5)

    assert check_silence(site.centre) == NOTHING


def test_a_pause_keeps_quiet_and_its_end_does_not(site: Site) -> None:
    site.pause(NOON, NOON + 3 * HOUR)
    assert site.look(NOON + timedelta(minutes=125)) == NOTHING
    assert site.look(NOON + timedelta(hours=3, minutes=5)) == NOTHING, "no whole hour since"
    assert site.look(NOON + timedelta(hours=4, minutes=5)) == Looked(1, 0, 1)


def test_a_pause_announced_late_ends_the_silence_and_says_so(site: Site) -> None:
    site.look(NOON + timedelta(minutes=65))
    window = site.pause(NOON + HOUR, NOON + 9 * HOUR)
    assert site.look(NOON + timedelta(minutes=75)) == Looked(0, 1, 0)
    assert "pausa anunciada" in site.rows(AlertRow)[0].summary

    with site.centre.database.transaction() as session:
        act = site.centre.act(session)
        end_quiet_window(act, session.get_one(QuietWindow, window))
    assert site.look(NOON + timedelta(hours=3, minutes=5)).opened == 1


def test_a_silence_that_begins_again_in_the_same_hour_is_an_alert_of_its_own(site: Site) -> None:
    site.look(NOON + timedelta(minutes=65))
    window = site.pause(NOON + HOUR, NOON + 9 * HOUR)
    site.look(NOON + timedelta(minutes=75))
    with site.centre.database.transaction() as session:
        end_quiet_window(site.centre.act(session), session.get_one(QuietWindow, window))
    assert site.look(NOON + timedelta(minutes=85)) == Looked(1, 0, 1)

    first, second = sorted(site.rows(AlertRow), key=lambda alert: alert.at)
    assert "pausa anunciada" in first.summary
    assert "dejó de llegar" in second.summary


def test_a_pause_of_another_sensor_changes_nothing(site: Site) -> None:
    site.pause(NOON, NOON + 3 * HOUR, key="local")

    assert site.look(NOON + timedelta(minutes=65)).opened == 1


def test_a_revoked_sensor_is_not_missed(site: Site) -> None:
    site.look(NOON + timedelta(minutes=65))
    with site.centre.database.transaction() as session:
        session.get_one(Sensor, site.sensor_id).revoked_at = NOON

    assert site.look(NOON + timedelta(minutes=75)) == Looked(0, 1, 0)
    assert site.look(NOON + timedelta(minutes=85)) == NOTHING
    assert "norte" in site.rows(AlertRow)[0].summary


def test_a_silence_that_lasts_for_a_month_is_what_is_usual(site: Site) -> None:
    site.look(NOON + timedelta(minutes=65))
    for days in (7, 14, 21, 29):
        assert site.look(NOON + timedelta(days=days, minutes=65)).lasting == 1, days
    end = NOON + timedelta(days=limits.SILENCE_FORGET_DAYS, minutes=65)
    assert site.look(end) == Looked(0, 1, 0)
    for hours in range(1, 50, 7):
        assert site.look(end + hours * HOUR) == NOTHING
    assert site.rows(SourceSilence)[0].outcome == "forgotten"


def test_a_silence_can_be_tuned_as_a_rule_can(site: Site) -> None:
    with site.centre.database.transaction() as session:
        suppress(
            site.centre.act(session), RULE_ID, key=[["sensor", "norte"]], reason="laboratorio",
            until=NOON + timedelta(days=30), is_watching=False,
        )  # fmt: skip

    assert site.look(NOON + timedelta(minutes=65)).opened == 1
    assert site.rows(AlertRow) == []


def test_sources_of_one_sensor_are_told_apart(site: Site) -> None:
    with site.centre.database.transaction() as session:
        session.add_all(
            SourceVolume(hour=NOON - back * HOUR, source="squid", sensor_key=site.key,
                         event_count=USUAL, reject_count=0) for back in range(-2, 9 * 168)
        )  # fmt: skip

    assert site.look(NOON + timedelta(minutes=65)).opened == 1
    (silence,) = site.rows(SourceSilence)
    assert Pair(silence.sensor_key, silence.source) == (site.key, "linux_auth")


# --- pauses of every week ------------------------------------------------------------------------
DUSK, DAWN = NOON + 8 * HOUR, NOON + 18 * HOUR  # 20:00 of that Wednesday, 06:00 of Thursday
SOON = timedelta(minutes=5)


def test_every_night_is_quiet_on_both_sides_of_midnight(site: Site) -> None:
    site.now = NOON
    site.pause_weekly("12345", "20:00", "06:00")
    site.hear(NOON, DUSK)

    for at in (DUSK + 2 * HOUR, DUSK + 5 * HOUR, DAWN - HOUR, DAWN):
        assert site.look(at + SOON) == NOTHING, at
    assert site.look(DAWN + HOUR + SOON) == Looked(1, 0, 1), "the first whole hour of the day"
    (silence,) = site.rows(SourceSilence)
    assert silence.since == DAWN


def test_a_silence_that_began_before_the_night_lasts_through_it(site: Site) -> None:
    site.now = NOON
    site.pause_weekly("12345", "20:00", "06:00")
    site.hear(NOON, NOON + 4 * HOUR)
    assert site.look(NOON + 5 * HOUR + SOON) == Looked(1, 0, 1)

    for at in (DUSK, DUSK + 5 * HOUR, DAWN, DAWN + 2 * HOUR):
        assert site.look(at + SOON) == Looked(0, 0, 1), at
    assert len(site.rows(AlertRow)) == 1


@pytest.mark.parametrize("trickle", [1, USUAL // 20])
def test_what_trickles_in_at_night_is_no_end_of_a_silence(site: Site, trickle: int) -> None:
    site.now = NOON - timedelta(weeks=7)
    site.pause_weekly("1234567", "20:00", "06:00")
    site.hear(NOON, NOON + 4 * HOUR)
    site.hear(NOON + 4 * HOUR, DAWN + 3 * HOUR, trickle)
    assert site.look(NOON + 5 * HOUR + SOON) == Looked(1, 0, 1)

    for at in (DUSK, DUSK + 5 * HOUR, DAWN, DAWN + 2 * HOUR):
        assert site.look(at + SOON) == Looked(0, 0, 1), at


def test_a_source_that_is_back_at_night_is_back(site: Site) -> None:
    site.now = NOON - timedelta(weeks=7)
    site.pause_weekly("1234567", "20:00", "06:00")
    site.hear(NOON, NOON + 4 * HOUR)
    site.look(NOON + 5 * HOUR + SOON)
    site.hear(DUSK + HOUR, DUSK + 2 * HOUR, USUAL // 9)

    assert site.look(DUSK + HOUR + SOON) == Looked(0, 1, 0)
    assert site.rows(SourceSilence)[0].outcome == "back"


def test_a_weekly_pause_announced_late_ends_the_silence_that_it_explains(site: Site) -> None:
    assert site.look(NOON + HOUR + SOON).opened == 1
    site.pause_weekly("3")
    assert site.look(NOON + HOUR + 2 * SOON) == Looked(0, 1, 0)

    assert "pausa anunciada" in site.rows(AlertRow)[0].summary


def test_a_weekly_pause_that_was_ended_keeps_nothing_quiet_any_more(site: Site) -> None:
    site.now = NOON
    number = site.pause_weekly("1234567")
    assert site.look(NOON + 3 * HOUR + SOON) == NOTHING
    with site.centre.database.transaction() as session:
        end_quiet_window(site.centre.act(session), session.get_one(QuietWindow, number))

    assert site.look(NOON + 4 * HOUR + SOON) == NOTHING, "no whole hour since"
    assert site.look(NOON + 5 * HOUR + SOON) == Looked(1, 0, 1)


def test_what_was_usual_before_a_weekly_pause_stays_so_when_it_was_a_mistake(site: Site) -> None:
    site.now = NOON + timedelta(minutes=1)
    number = site.pause_weekly("1234567", sensor_key="")
    with site.centre.database.transaction() as session:
        end_quiet_window(site.centre.act(session), session.get_one(QuietWindow, number))

    assert site.look(NOON + 2 * HOUR + SOON).opened == 1


@pytest.mark.parametrize(("department", "opened"), [("SC", 0), ("LP", 1)])
def test_the_holidays_are_those_of_the_entitys_department(
    site: Site, department: str, opened: int
) -> None:
    friday = datetime.fromisoformat("2026-09-24T16:00:00+00:00")  # Santa Cruz has a holiday
    with site.centre.database.transaction() as session:
        session.execute(update(SourceVolume).values(sensor_key="other"))
        session.get_one(Entity, site.entity_id).department = department
    site.hear(friday - timedelta(weeks=9), friday)
    site.now = friday - HOUR
    site.pause_weekly("h", sensor_key="", entity_id=site.entity_id)

    assert site.look(friday + HOUR + SOON).opened == opened


def test_a_pause_of_an_entity_is_for_all_its_sensors_and_for_no_others(site: Site) -> None:
    with site.centre.database.transaction() as session:
        stranger = make_entity(session).id
    site.now = NOON
    site.pause_weekly("1234567", sensor_key="", entity_id=stranger)
    assert site.look(NOON + HOUR + SOON).opened == 1

    site.pause_weekly("1234567", sensor_key="", entity_id=site.entity_id)
    assert site.look(NOON + HOUR + 2 * SOON) == Looked(0, 1, 0)


def test_a_weekly_pause_of_another_source_changes_nothing(site: Site) -> None:
    site.now = NOON
    site.pause_weekly("1234567", source="squid")

    assert site.look(NOON + HOUR + SOON).opened == 1


def test_one_pause_of_an_entity_is_for_its_sensors(site: Site) -> None:
    site.now = NOON
    with site.centre.database.transaction() as session:
        add_quiet_window(
            site.centre.act(session), Whose(entity_id=site.entity_id),
            start=NOON, end=NOON + 3 * HOUR, reason="corte de luz",
        )  # fmt: skip

    assert site.look(NOON + 2 * HOUR + SOON) == NOTHING
