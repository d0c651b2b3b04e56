"""Correlation windows: their edges, what is kept of them, and what happens at their limits."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from cgii.base import limits
from cgii.detect.advance import advance, decide
from cgii.detect.hits import Hit, micros, moment_of
from cgii.detect.terms import SECOND, Terms
from cgii.detect.windows import Step, Window, WindowKey

TOLERANCE = limits.LATE_TOLERANCE_SECONDS


def at_least(wanted: float, *, seconds: int = 60, kind: str = "event_count") -> Terms:
    """A correlation that fires at once."""
    return Terms(seconds, kind, (("gte", wanted),))


def send(
    window: Window, seconds: Sequence[float], terms: Terms, *, value: str | None = None
) -> Step:
    """Add events to a window."""
    made = [Hit(int(s * SECOND), f"e{s}", "s", 3, 1, value) for s in seconds]
    return advance(window, made, terms)


def first(seconds: Sequence[float], terms: Terms) -> tuple[Window, Step]:
    """A window with these events, and what they led to."""
    window = Window()
    return window, send(window, seconds, terms)


def test_the_window_leaves_out_its_beginning_and_takes_in_its_end() -> None:
    assert not first([0, 10], at_least(2, seconds=10))[1].changed
    assert first([0, 9.999999], at_least(2, seconds=10))[1].changed


def test_gt_wants_one_more_than_gte() -> None:
    terms = Terms(10, "event_count", (("gt", 2),))
    assert not first([0, 1], terms)[1].changed
    assert first([0, 1, 2], terms)[1].changed


def test_a_threshold_may_have_a_fraction() -> None:
    assert not first([0, 1], at_least(2.5))[1].changed
    assert first([0, 1, 2], at_least(2.5))[1].changed


def test_a_decimal_threshold_is_what_is_written() -> None:
    terms = Terms(10, "value_sum", (("gte", 0.3),))
    made = [Hit(n, f"e{n}", "s", None, 1, 0.1) for n in range(3)]
    assert advance(Window(), made, terms).changed  # 0.1 + 0.1 + 0.1, not 0.30000000000000004


def test_an_alert_fires_at_the_edge_and_then_grows() -> None:
    window, step = first([0, 1, 2], at_least(3))
    (episode,) = step.changed
    assert step.opened == step.changed
    assert (episode.count, episode.began, episode.sensor_id) == (3, 2 * SECOND, 3)
    step = send(window, [3, 4], at_least(3))
    (grown,) = step.changed
    assert (grown.count, grown.began, step.opened) == (5, 2 * SECOND, ())


def test_what_does_not_change_is_not_told_again() -> None:
    window, _ = first([0, 1, 2], at_least(3))
    assert send(window, [0, 1, 2], at_least(3)) == Step()
    assert send(window, [200], at_least(3)).changed == ()


def test_a_late_event_moves_the_beginning_and_says_so() -> None:
    window, _ = first([0, 10, 20], at_least(3))
    step = send(window, [5], at_least(3))
    assert [episode.began for episode in step.changed] == [10 * SECOND]
    assert [episode.began for episode in step.withdrawn] == [20 * SECOND]


def test_later_than_the_tolerance_is_counted_and_changes_nothing() -> None:
    terms = at_least(2, seconds=600)
    window, _ = first([1000], terms)
    exactly = send(window, [1000 - TOLERANCE, 1001 - TOLERANCE], terms)
    assert (exactly.late, len(exactly.changed)) == (0, 1)
    text = window.to_json()
    too_late = send(window, [999 - TOLERANCE, 999.5 - TOLERANCE], terms)
    assert (too_late.late, too_late.changed, window.to_json()) == (2, (), text)


def test_a_longer_tolerance_is_the_correlations_own() -> None:
    terms = Terms(600, "event_count", (("gte", 2),), tolerance_seconds=3 * TOLERANCE)
    window, _ = first([1000], terms)
    assert send(window, [999 - TOLERANCE], terms).late == 0


def test_the_state_keeps_only_what_may_still_count() -> None:
    terms = at_least(1000)
    window = Window()
    for second in range(0, 5000, 5):
        send(window, [second], terms)
    assert len(window.hits) <= 2 * (TOLERANCE + 60) / 5 + 1


def test_a_count_keeps_no_more_events_than_are_asked_for() -> None:
    terms = at_least(3, seconds=3600)
    window = Window()
    for second in range(0, 36_000, 10):
        send(window, [second], terms)
    assert len(window.hits) <= 2 * (TOLERANCE / 10 + 3) + 2


def test_an_episode_goes_on_when_its_events_are_forgotten() -> None:
    window, told = Window(), {}
    for second in range(0, 3000, 10):
        step = send(window, [second], at_least(2))
        told.update({episode.began: episode.count for episode in step.changed})
    assert told == {10 * SECOND: 300}


def test_an_episode_that_ended_before_it_was_forgotten_does_not_come_back() -> None:
    terms = at_least(3, seconds=900)
    window, began = Window(), []
    for second in (0, 1, 890, 902, 1203, 1204):  # hot at 890, cold at 902, hot from 1203 on
        step = send(window, [second], terms)
        began += [episode.began // SECOND for episode in step.changed]
    assert began == [890, 1203, 1203]


def test_an_event_that_was_taken_back_no_longer_counts() -> None:
    window, _ = first([0, 10, 20], at_least(3))
    step = advance(window, [], at_least(3), gone=["e10"])
    assert [episode.began for episode in step.withdrawn] == [20 * SECOND]
    assert [one.event_id for one in window.hits] == ["e0", "e20"]


def test_a_flood_is_bounded_counted_and_still_one_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WINDOW_ENTRIES_MAX", 50)
    terms = at_least(20, seconds=600)
    window, told, evicted = Window(), {}, 0
    for second in range(200):
        step = send(window, [second, second + 0.5], terms)
        told.update({episode.began: episode.count for episode in step.changed})
        assert step.withdrawn == ()
        evicted += step.evicted
        assert len(window.hits) <= 50
    assert list(told) == [int(9.5 * SECOND)]
    assert told[int(9.5 * SECOND)] == 400
    assert evicted > 300


def test_a_flood_of_values_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WINDOW_ENTRIES_MAX", 50)
    terms = at_least(2, seconds=600, kind="value_count")
    window, evicted = Window(), 0
    for second in range(200):
        evicted += send(window, [second], terms, value=str(second)).evicted
        assert len(window.hits) <= 50
    assert evicted == 150


@pytest.mark.parametrize("kind", ["event_count", "absence"])
def test_a_flood_in_a_window_that_waits_is_bounded_and_counts_on(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WINDOW_ENTRIES_MAX", 50)
    terms = Terms(600, kind, (("neq", 3),) if kind == "event_count" else (), 2)
    window, evicted = Window(), 0
    for second in range(200):
        evicted += send(window, [second], terms).evicted
        assert len(window.hits) <= 50
    (episode,) = decide(window, terms, until=600 * SECOND).changed
    assert (episode.began, episode.last, episode.count) == (0, 600 * SECOND, 200)
    assert evicted == 150


def test_what_a_key_has_shown_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEEN_VALUES_MAX", 50)
    terms = Terms(86_400, "first_seen", learning_seconds=0)
    window, evicted = Window(), 0
    for number in range(200):
        step = send(window, [number * TOLERANCE * 2], terms, value=str(number % 150))
        evicted += step.evicted
    assert window.memory is not None
    assert len(window.memory.seen) == 50
    assert evicted >= 100


def test_the_tolerance_that_a_flood_cost_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "WINDOW_ENTRIES_MAX", 50)
    terms = at_least(20, seconds=10)
    window, _ = first([n / 100 for n in range(60)], terms)
    send(window, [20], terms)
    send(window, [40], terms)
    assert window.until == int(0.59 * SECOND)
    assert send(window, [0.5001], terms).late == 1


def test_a_window_survives_being_written_down() -> None:
    window, _ = first([0, 1, 2.5], at_least(2))
    for one in (Window(), window):
        assert Window.from_json(one.to_json()) == one
    for second in range(1000, 3000):
        send(window, [second], at_least(2))
    assert window.open is not None
    assert Window.from_json(window.to_json()) == window


def test_a_window_of_another_version_is_refused() -> None:
    text = json.dumps(json.loads(Window().to_json()) | {"v": 99})
    with pytest.raises(ValueError, match="version 99"):
        Window.from_json(text)


def test_times_are_exact_to_the_microsecond() -> None:
    moment = datetime(1969, 7, 20, 20, 17, 40, 123457, tzinfo=UTC)
    assert moment_of(micros(moment)) == moment


def test_keys_with_other_parts_have_other_names() -> None:
    names = {
        WindowKey("r", None, ("a", "b")).hash,
        WindowKey("r", None, ("ab",)).hash,
        WindowKey("r", 1, ("a", "b")).hash,
        WindowKey("s", None, ("a", "b")).hash,
        WindowKey("r", None, ("a", "b"), "other").hash,
    }
    assert len(names) == 5
