"""Moments are read as their producers meant them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.collect import times

LA_PAZ = ZoneInfo("America/La_Paz")
NOW = datetime(2026, 1, 2, 3, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Jan  1 22:00:00", "2026-01-02T02:00:00+00:00"),
        ("Jan  2 20:00:00", "2026-01-03T00:00:00+00:00"),  # less than a day ahead: a fast clock
        ("Jan  4 00:00:00", "2025-01-04T04:00:00+00:00"),
        ("Dec 31 23:59:59.25", "2026-01-01T03:59:59.250000+00:00"),
        ("Feb 29 00:00:00", "2024-02-29T04:00:00+00:00"),
        ("Mar 05 2019 10:00:00", "2019-03-05T14:00:00+00:00"),
        ("2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.123456+00:00"),
    ],
)
def test_syslog_times_take_the_nearest_past_year(written: str, meant: str) -> None:
    assert times.syslog(written, LA_PAZ, NOW)[0] == at(meant)


def test_what_was_guessed_is_noted() -> None:
    assert times.syslog("Jan  1 22:00:00", LA_PAZ, NOW)[1] == ("year", "zone")
    assert times.iso("2026-01-01T00:00:00", LA_PAZ, NOW)[1] == ("zone",)
    assert times.iso("2026-01-01T00:00:00-04:00", LA_PAZ, NOW)[1] == ()


@pytest.mark.parametrize("value", [1_767_225_600, 1_767_225_600.0, "1767225600", 1_767_225_600_000])
def test_epochs_are_seconds_or_milliseconds(value: object) -> None:
    assert times.automatic(value, UTC, NOW)[0] == at("2026-01-01T00:00:00+00:00")


def test_apache_times_have_their_own_offset() -> None:
    found, notes = times.apache("12/May/2026:08:15:30 -0400", UTC, NOW)
    assert (found, notes) == (at("2026-05-12T12:15:30+00:00"), ())


def test_a_time_far_ahead_becomes_the_time_of_receipt() -> None:
    ahead = NOW + timedelta(days=2)
    assert times.settle((ahead, ()), NOW) == (NOW, ("time ahead",))
    near = NOW + timedelta(hours=1)
    assert times.settle((near, ()), NOW) == (near, ())


def test_a_time_some_hours_ahead_is_kept_and_noted() -> None:
    ahead = NOW + timedelta(hours=4)
    assert times.settle((ahead, ("zone",)), NOW) == (ahead, ("zone", "in the future"))


def test_a_clock_that_was_never_set_is_no_time() -> None:
    with pytest.raises(ValueError, match="1980"):
        times.settle((at("1970-01-01T00:00:00+00:00"), ()), NOW)


@given(
    st.sampled_from(sorted(times.FORMATS)),
    st.text(max_size=40) | st.floats() | st.integers() | st.none() | st.booleans(),
)
def test_any_value_is_a_moment_or_a_known_error(name: str, value: object) -> None:
    try:
        found, _ = times.FORMATS[name](value, LA_PAZ, NOW)
    except (ValueError, OverflowError, OSError, TypeError):
        return
    assert found.tzinfo is UTC


@given(st.datetimes(datetime(2024, 3, 1), datetime(2026, 1, 1)))
def test_a_syslog_time_is_never_more_than_a_year_old(moment: datetime) -> None:
    if (moment.month, moment.day) == (2, 29):
        return
    written = f"{moment:%b} {moment.day:>2} {moment:%H:%M:%S}"
    found, _ = times.syslog(written, UTC, NOW)
    assert NOW - timedelta(days=366) <= found <= NOW + timedelta(days=1)
    assert (found.month, found.day, found.hour) == (moment.month, moment.day, moment.hour)


ZONES = [LA_PAZ, ZoneInfo("America/Santiago"), ZoneInfo("Australia/Lord_Howe"), UTC]


@given(
    moment=st.datetimes(datetime(2023, 12, 1), datetime(2026, 3, 1)),
    zone=st.sampled_from(ZONES),
    receipt=st.datetimes(datetime(2025, 12, 30), datetime(2026, 1, 4), timezones=st.just(UTC)),
    ahead=st.booleans(),
)
def test_a_syslog_time_of_a_known_minute_is_read_as_any_other(
    moment: datetime, zone: ZoneInfo, receipt: datetime, ahead: bool
) -> None:
    if ahead:  # the year turns on the second
        moment = receipt.astimezone(zone).replace(tzinfo=None) + timedelta(days=1)
    for second in (0, 59, moment.second, (moment.second + 1) % 60):
        written = f"{moment:%b} {moment.day:>2} {moment:%H:%M}:{second:02d}"
        expected = times.syslog(written, zone, receipt)
        assert times.FORMATS["syslog"](written, zone, receipt) == expected


@pytest.mark.parametrize("zone", ZONES)
def test_the_hours_when_clocks_change_are_read_to_the_second(zone: ZoneInfo) -> None:
    start = datetime(2025, 9, 6, 22)
    for minutes in range(0, 60 * 24 * 40, 7):
        moment = start + timedelta(minutes=minutes)
        written = f"{moment:%b} {moment.day:>2} {moment:%H:%M}:30"
        expected = times.syslog(written, zone, NOW)
        assert times.FORMATS["syslog"](written, zone, NOW) == expected


@pytest.mark.parametrize(
    "written",
    [
        "10/Oct/2025:13:55:36 -0400",
        "10/Oct/2025:13:55:00 -0400",
        "10/Oct/2025:13:55:36 --040",
        "10/Oct/2025:13:55:60 -0400",
        "10/Oct/2025:24:55:36 -0400",
        "10/Oct/2025:13:55:36 .1234",
        "10/Oct/2025:13:55:36T-0400",
        "10/Zzz/2025:13:55:36 -0400",
        "10/Oct/2025 13:55:36 -0400",
        "10/Oct/2025:13:5\u0665:36 -0400",
        "31/Dec/9999:23:59:36 -0400",
        "01/Jan/0001:00:00:36 +0400",
    ],
)
def test_an_apache_time_of_a_known_minute_is_read_as_any_other(written: str) -> None:
    def outcome(read: times.TimeFormat) -> object:
        try:
            return read(written, LA_PAZ, NOW)
        except times.UNREADABLE as error:
            return type(error), str(error)

    for _ in range(2):
        assert outcome(times.FORMATS["apache"]) == outcome(times.apache)
